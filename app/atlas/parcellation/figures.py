"""How the parcellation looks: the colour and name of each network, and which is emphasised."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.figures.theme import Palette, faded


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Colour and name of each network, and which network is emphasised.

    Parameters
    ----------
    colours, names : tuple of str
        One a network; names may hold anything.
    only : int, optional
        The network that keeps its colour while all others fade.
    """

    colours: tuple[str, ...]
    names: tuple[str, ...]
    only: int | None = None

    def drawn_colours(self, palette: Palette) -> Sequence[str]:
        """Return the colours as they are drawn by layer."""
        return self.colours if self.only is None else faded(self.colours, palette, kept={self.only})
