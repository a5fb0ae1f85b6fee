"""How tests make lesions."""

from dataclasses import replace

from fnprune_core.lesions.order import LesionOrder
from fnprune_core.lesions.sites import Lesion, LesionSettings

SETTINGS = LesionSettings(z=1.5, sink_units=1, n_random=2)


def each_network(n_networks: int) -> tuple[Lesion, ...]:
    return tuple(Lesion(networks=(k,)) for k in range(n_networks))


def order(atlas, lesions=None, **changes) -> LesionOrder:
    return LesionOrder(
        decomposition_id=atlas.id,
        lesions=each_network(atlas.n_networks) if lesions is None else lesions,
        settings=replace(SETTINGS, **changes),
    )
