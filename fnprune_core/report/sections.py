"""Table of the sections of a report."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from fnprune_core.errors import FnpruneError, SettingsError
from fnprune_core.progress import ProgressEvent
from fnprune_core.report.commands import reproduce
from fnprune_core.report.experiments import (
    lesions,
    lesions_lack,
    localizers,
    localizers_lack,
)
from fnprune_core.report.limits import limits
from fnprune_core.report.material import Material
from fnprune_core.report.methods import methods
from fnprune_core.report.networks import connected, decoded, decoding_lacks, networks, networks_lack
from fnprune_core.report.parts import Block, Missing, Section
from fnprune_core.report.plans import plans, plans_lack
from fnprune_core.report.reliability import trust, trust_lacks


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionRow:
    """One row of the table of sections.

    Parameters
    ----------
    title, tells : str
        For people: its title, and what it tells.
    write : callable
        Yields the blocks of the section.
    lacks : callable
        What is not there yet, found without writing it.
    """

    title: str
    tells: str
    write: Callable[[Material], Iterable[Block]]
    lacks: Callable[[Material], Sequence[Missing]] = lambda _: ()


#: Key → section, in the order of the report.
SECTIONS: Mapping[str, SectionRow] = {
    "methods": SectionRow(
        title="Methods",
        tells="model, texts and every step in words, with all parameters and versions",
        write=methods,
    ),
    "networks": SectionRow(
        title="Networks",
        tells="parcellation, maps, and the most typical networks in full",
        write=networks,
        lacks=networks_lack,
    ),
    "decoding": SectionRow(
        title="Decoding",
        tells="domains with their test, and trivial things",
        write=decoded,
        lacks=decoding_lacks,
    ),
    "connectome": SectionRow(
        title="Connectome", tells="which networks go together in time", write=connected
    ),
    "trust": SectionRow(
        title="Trust", tells="reproducibility, stability and nulls", write=trust, lacks=trust_lacks
    ),
    "localizers": SectionRow(
        title="Localizers",
        tells="contrasts of stimuli, the networks that respond, decoding",
        write=localizers,
        lacks=localizers_lack,
    ),
    "lesions": SectionRow(
        title="Lesions",
        tells="what silencing a network costs, against random lesions",
        write=lesions,
        lacks=lesions_lack,
    ),
    "plans": SectionRow(
        title="Pruning plans",
        tells="plans with perplexity, speed and generations",
        write=plans,
        lacks=plans_lack,
    ),
    "limits": SectionRow(title="Limits", tells="what this does not show", write=limits),
    "reproduce": SectionRow(
        title="To make it again", tells="the commands, with the ids they print", write=reproduce
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportSettings:
    """Settings of a report, as a person chooses them.

    Parameters
    ----------
    sections : tuple of str
        Keys of `SECTIONS`, in any order.
    z : float or None
        Threshold on |z| of maps and of their units; None takes members, and draws maps from 3.
    n_detailed : int
        Networks that are shown in full; the tables have all.

    Raises
    ------
    SettingsError
        If a section does not exist, or a number is out of its range.
    """

    sections: tuple[str, ...] = tuple(SECTIONS)
    z: float | None = None
    n_detailed: int = 12

    def __post_init__(self) -> None:
        object.__setattr__(self, "sections", check_sections(self.sections))
        if self.z is not None and not 0 < self.z < float("inf"):
            raise SettingsError(f"The threshold must be above 0, got {self.z}.")
        if self.n_detailed < 0:
            raise SettingsError(
                f"The number of networks shown in full cannot be {self.n_detailed}."
            )


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


def lacks(material: Material, names: Sequence[str] = tuple(SECTIONS)) -> list[tuple[str, Missing]]:
    """Return what sections would lack, each with its section's title, without writing them."""
    return [
        (SECTIONS[name].title, missing)
        for name in check_sections(names)
        for missing in SECTIONS[name].lacks(material)
    ]


def write_sections(material: Material, names: Sequence[str] = tuple(SECTIONS)) -> list[Section]:
    """Return the sections in words and tables.

    Raises
    ------
    FnpruneError
        If an artifact that a section needs is damaged, naming the section.
    """
    keys = check_sections(names)
    sections = []
    for number, name in enumerate(keys):
        material.cancel.raise_if_cancelled()
        material.progress(
            ProgressEvent(stage="writing", done=number, total=len(keys), unit="sections")
        )
        try:
            blocks = tuple(SECTIONS[name].write(material))
        except FnpruneError as error:
            raise type(error)(
                f"The section {SECTIONS[name].title!r} cannot be written: {error.message}",
                hint=f"{error.hint} Or leave the section {name!r} out.".strip(),
            ) from error
        sections.append(Section(key=name, title=SECTIONS[name].title, blocks=blocks))
    material.progress(
        ProgressEvent(stage="writing", done=len(keys), total=len(keys), unit="sections")
    )
    return sections
