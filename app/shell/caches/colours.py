"""The colour of each network, the same in every picture of an atlas."""

from app.figures.theme import Mode, Palette, network_palette
from app.shell import resources
from app.shell.caching import cached
from fnprune_core.atlas.topography.laid_out import has_cortex


def palette_of(id: str, mode: Mode) -> Palette:
    """Return a mode's palette with the colours of an atlas's networks."""
    return _palette_of(id, mode, has_cortex(resources.workspace(), id))


@cached(max_entries=16)
def _palette_of(id: str, mode: Mode, is_laid_out: bool) -> Palette:
    atlas_cortex = resources.cortex(id) if is_laid_out else None
    return network_palette(
        mode, resources.atlas(id).n_networks, None if atlas_cortex is None else atlas_cortex.places
    )


def network_colours(id: str, mode: Mode) -> tuple[str, ...]:
    """Return the colour of each network of an atlas."""
    return palette_of(id, mode).networks
