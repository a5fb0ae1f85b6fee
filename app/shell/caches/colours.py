"""The colour of each network, the same in every picture of an atlas."""

from app.figures.distinct import network_palette
from app.figures.theme import Mode, Palette
from app.shell import resources
from app.shell.caching import cached
from fnprune_core.atlas.topography.laid_out import has_cortex


@cached(max_entries=16, made_of=lambda id, _: has_cortex(resources.workspace(), id))
def palette_of(id: str, mode: Mode) -> Palette:
    """Return a mode's palette with the colours of an atlas's networks."""
    cortex = resources.cortex(id)
    places = None if cortex is None else cortex.places
    return network_palette(mode, resources.atlas(id).n_networks, places)


def network_colours(id: str, mode: Mode) -> tuple[str, ...]:
    """Return the colour of each network of an atlas."""
    return palette_of(id, mode).networks
