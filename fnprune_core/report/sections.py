"""Which sections a report has: one row each."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from fnprune_core.errors import FnpruneError, SettingsError
from fnprune_core.progress import ProgressEvent
from fnprune_core.report.commands import reproduce
from fnprune_core.report.limits import limits
from fnprune_core.report.material import Material
from fnprune_core.report.methods import methods
from fnprune_core.report.networks import connected, decoded, networks
from fnprune_core.report.parts import Section
from fnprune_core.report.plans import plans
from fnprune_core.report.trust import trust


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A section of the table.

    Parameters
    ----------
    title, tells : str
        For people: its title, and what it tells.
    write : callable
    """

    title: str
    tells: str
    write: Callable[[Material], Section]


#: Key → section, in the order of the report.
SECTIONS: Mapping[str, Row] = {
    "methods": Row(
        title="Methods",
        tells="model, texts and every step in words, with all parameters and versions",
        write=methods,
    ),
    "networks": Row(
        title="Networks",
        tells="parcellation, maps, and the most typical networks in full",
        write=networks,
    ),
    "decoding": Row(
        title="Decoding", tells="domains with their test, and trivial things", write=decoded
    ),
    "connectome": Row(
        title="Connectome", tells="which networks go together in time", write=connected
    ),
    "trust": Row(title="Trust", tells="reproducibility, stability and nulls", write=trust),
    "plans": Row(
        title="Pruning plans",
        tells="plans with perplexity, speed and generations",
        write=plans,
    ),
    "limits": Row(title="Limits", tells="what this does not show", write=limits),
    "reproduce": Row(
        title="To make it again", tells="the commands, with the ids they print", write=reproduce
    ),
}


def check_sections(names: Sequence[str]) -> tuple[str, ...]:
    """Return sections in the order of the report, refusing names that do not exist.

    Raises
    ------
    SettingsError
        If a name is unknown, or there is none.
    """
    unknown = [name for name in names if name not in SECTIONS]
    if unknown or not names:
        raise SettingsError(
            f"{', '.join(unknown) or 'Nothing'} is no section of a report.",
            hint=f"Choose among {', '.join(SECTIONS)}.",
        )
    return tuple(name for name in SECTIONS if name in names)


def write_sections(m: Material, names: Sequence[str] = tuple(SECTIONS)) -> list[Section]:
    """Return the sections in words and tables.

    Raises
    ------
    FnpruneError
        If an artifact that a section needs is damaged, naming the section.
    """
    chosen = check_sections(names)
    sections = []
    for number, name in enumerate(chosen):
        m.cancel.raise_if_cancelled()
        m.progress(ProgressEvent(stage="writing", done=number, total=len(chosen), unit="sections"))
        try:
            sections.append(SECTIONS[name].write(m))
        except FnpruneError as error:
            raise type(error)(
                f"The section {SECTIONS[name].title!r} cannot be written: {error.message}",
                hint=f"{error.hint} Or leave the section {name!r} out.".strip(),
            ) from error
    m.progress(ProgressEvent(stage="writing", done=len(chosen), total=len(chosen), unit="sections"))
    return sections
