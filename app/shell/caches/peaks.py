"""Peak units of networks in links, by which a link's numbers are checked where it is opened.

A link names networks by numbers, and another machine may have numbered them otherwise. So it also
carries the strongest unit of each network that it names, with its sign.
"""

from collections.abc import Iterable, Mapping

from app.shell import choices, resources, view_state
from app.shell.caching import cached
from app.shell.codec import MOST_PEAKS, Peak
from app.shell.view_fields import ViewState
from fnprune_core.decomposition.fingerprint import MapsFingerprint, Renumbering
from fnprune_core.decomposition.numbering import fingerprint_at
from fnprune_core.errors import FnpruneError


@cached(max_entries=8, made_of=resources.made_ns)
def fingerprint(id: str) -> MapsFingerprint:
    """Return the strongest units of an atlas's networks."""
    return fingerprint_at(resources.workspace(), id)


def named_networks(view: ViewState) -> tuple[int, ...]:
    """Return the networks that a view names; the first of an atlas is what any link opens."""
    selected = (view.network,) if view.network else ()
    return tuple(dict.fromkeys((*selected, *view.beside, *view.dropped)))


def peaks_of(id: str, networks: Iterable[int]) -> tuple[Peak, ...]:
    """Return the peak of each network that an atlas has, of so many as a link bears."""
    marks = fingerprint(id).marks
    rows = [
        (network, *next(iter(marks[network].items()))) for network in networks if marks.get(network)
    ]
    return tuple((network, unit, 1 if z > 0 else -1) for network, unit, z in rows[:MOST_PEAKS])


def moved() -> Renumbering | None:
    """Return where the networks of a followed link stand here; None if they stand where it says."""
    view = view_state.view()
    named = set(named_networks(view))
    claims = [peak for peak in view.peaks if peak[0] in named]
    if not claims or not view.atlas:
        return None
    marks = fingerprint(view.atlas).marks
    if all(_is_of(marks.get(network, {}), unit, sign) for network, unit, sign in claims):
        return None
    numbers: dict[int, int] = {}
    for network, unit, sign in claims:
        strength = {k: abs(m[unit]) for k, m in marks.items() if _is_of(m, unit, sign)}
        here = max(strength, key=strength.__getitem__, default=None)
        if here is not None and here not in numbers.values():
            numbers[network] = here
    return Renumbering(
        numbers=numbers, lost=tuple(sorted(network for network in named if network not in numbers))
    )


def _is_of(mark: Mapping[int, float], unit: int, sign: int) -> bool:
    """Whether a unit is one of a network's strongest, with that sign."""
    return sign * mark.get(unit, 0.0) > 0


def renumber(renumbering: Renumbering) -> None:
    """Take a link's networks by their numbers here; those that are not here are left out."""
    view = view_state.view()
    view_state.change(
        network=renumbering.numbers.get(view.network, 0) if view.network else 0,
        beside=renumbering.here(view.beside),
        peaks=(),
    )
    choices.drop(renumbering.here(view.dropped), why="networks of a link matched by maps")


def keep_numbers() -> None:
    """Take a link's numbers as they are."""
    view_state.change(peaks=())


def write() -> None:
    """Bring the peaks in the URL up to the networks that the view names."""
    view = view_state.view()
    try:
        peaks = peaks_of(view.atlas, named_networks(view)) if view.atlas else ()
    except FnpruneError:  # a missing or damaged atlas is told where it is opened
        return
    if peaks != view.peaks:
        view_state.change(peaks=peaks)
