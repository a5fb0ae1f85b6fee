"""Virtual patients: lesions that show something, each found in the atlas at hand by a rule.

Atlases differ, so that no patient is a number of a network. Some rules need a lesion study; they
find nobody before there is one.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.evaluation.generation import Prompt
from fnprune_core.lesions.sites import Lesion
from fnprune_core.lesions.study import LEVEL, LesionStudy

#: Share of a network's energy per token above which it serves a domain.
SERVES = 0.5
#: Written for this project: what a patient is asked to continue, by domain.
PROMPTS: Mapping[str, str] = {
    "french": "Le maître entra dans la classe, posa ses livres sur la table et dit :",
    "python": 'def mean(values):\n    """Return the arithmetic mean."""\n',
    "c++": "#include <vector>\n\nint sum(const std::vector<int>& values) {\n",
    "legal": "The Licensee may copy and distribute the Software provided that",
    "documentation": "To install the package, open a terminal and",
}
PLAIN = "The old woman opened the door of her house and saw"
_PASSAGE = 24  # tokens of an atlas's own text, where a domain has no prompt


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """A virtual patient: a lesion, and where it shows.

    Parameters
    ----------
    key : str
        Stable, for links and the command line.
    title, rule : str
        What to see, and how the networks were found.
    lesion : Lesion
    prompt : Prompt
        Where it shows.
    domain : str
        Where harm is expected; empty if everywhere or nowhere.
    """

    key: str
    title: str
    rule: str
    lesion: Lesion
    prompt: Prompt
    domain: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """One row of the table of presets: a rule that finds patients of one kind."""

    find: Callable[[NetworkAtlas, LesionStudy | None], list[Patient]]
    needs_study: bool


def patients(atlas: NetworkAtlas, study: LesionStudy | None = None) -> list[Patient]:
    """Return the patients of an atlas, in the order of `PRESETS`.

    Parameters
    ----------
    study : LesionStudy, optional
        Of single networks at full strength.
    """
    return [
        patient
        for preset in PRESETS.values()
        if study is not None or not preset.needs_study
        for patient in preset.find(atlas, study)
    ]


def _prompt_for(atlas: NetworkAtlas, domain: str, network: int) -> Prompt:
    prompt_text = PROMPTS.get(domain.lower())
    if prompt_text is not None:
        return Prompt(text=prompt_text)
    passage = atlas.top_passages(network, n=1, radius=_PASSAGE)
    text = "".join(passage[0].pieces[: passage[0].centre]).strip() if passage else ""
    return Prompt(text=text or PLAIN)


def _without_a_domain(atlas: NetworkAtlas, _: LesionStudy | None) -> list[Patient]:
    """Return patients without all networks of a domain, one a domain, most networks first."""
    result = []
    for domain in atlas.domain_names:
        networks = atlas.networks_of_domain(domain, share=SERVES)
        if not networks or len(networks) == atlas.n_networks:
            continue
        energy_shares = atlas.domain_share()[:, atlas.domain_names.index(domain)]
        result.append(
            Patient(
                key=f"without-{_key(domain)}",
                title=f"Without its {domain} networks",
                rule=f"All networks with over {SERVES:.0%} of their energy per token in {domain}.",
                lesion=Lesion(networks=networks),
                prompt=_prompt_for(atlas, domain, max(networks, key=lambda k: energy_shares[k])),
                domain=domain,
            )
        )
    return sorted(result, key=lambda patient: -len(patient.lesion.networks))


def _one_of_a_domain(atlas: NetworkAtlas, _: LesionStudy | None) -> list[Patient]:
    """Return a patient without the network that is most of one domain, over all domains."""
    share = atlas.domain_share()
    network, domain_index = np.unravel_index(int(share.argmax()), share.shape)
    domain = atlas.domain_names[int(domain_index)]
    return [
        Patient(
            key="most-selective",
            title="One small stroke",
            rule=f"The network with the largest share of its energy in one domain: {domain}.",
            lesion=Lesion(networks=(int(network),)),
            prompt=_prompt_for(atlas, domain, int(network)),
            domain=domain,
        )
    ]


def _needed_everywhere(atlas: NetworkAtlas, study: LesionStudy | None) -> list[Patient]:
    """Return a patient without the network whose lesion does most harm on average."""
    single_rows = _single_network_rows(study)
    if study is None or not single_rows:
        return []
    harm = study.change[single_rows, 0].mean(axis=1)
    if not np.isfinite(harm).any():
        return []
    row = single_rows[int(np.nanargmax(harm))]
    return [
        Patient(
            key="needed-everywhere",
            title="A hub is lost",
            rule="The single network whose lesion raises the loss most, on average over domains.",
            lesion=study.lesions[row],
            prompt=Prompt(text=PLAIN),
        )
    ]


def _harms_one_domain(atlas: NetworkAtlas, study: LesionStudy | None) -> list[Patient]:
    """Return a patient without the network that harms one domain most beyond random lesions."""
    single_rows = _single_network_rows(study)
    if study is None or not single_rows:
        return []
    excess = np.where(study.effects.q <= LEVEL, study.effects.excess, -np.inf)[single_rows]
    if not (excess > 0).any():
        return []
    index, column = np.unravel_index(int(excess.argmax()), excess.shape)
    lesion, domain = study.lesions[single_rows[int(index)]], study.columns[int(column)]
    return [
        Patient(
            key="harms-one-domain",
            title=f"A deficit in {domain}",
            rule="The single network that harms one domain most beyond matched random lesions, "
            f"of those with a corrected q of {LEVEL:g} or less.",
            lesion=lesion,
            prompt=_prompt_for(atlas, domain, lesion.networks[0]),
            domain=domain,
        )
    ]


def _loud_but_idle(atlas: NetworkAtlas, study: LesionStudy | None) -> list[Patient]:
    """Return a patient without a network of one domain whose lesion harms that domain least."""
    single_rows = _single_network_rows(study)
    if study is None or not single_rows:
        return []
    candidates = []
    for row in single_rows:
        network = study.lesions[row].networks[0]
        share = atlas.domain_share()[network]
        domain = atlas.domain_names[int(share.argmax())]
        if share.max() > SERVES and domain in study.columns:
            harm = study.effects.excess[row, study.columns.index(domain)]
            if np.isfinite(harm):
                candidates.append((float(harm), row, domain))
    if not candidates:
        return []
    _, row, domain = min(candidates)
    return [
        Patient(
            key="loud-but-idle",
            title="Loud, but not needed",
            rule=f"Of the networks with over {SERVES:.0%} of their energy in one domain, the one "
            "whose lesion harms that domain least beyond random lesions: what is active is not "
            "always needed.",
            lesion=study.lesions[row],
            prompt=_prompt_for(atlas, domain, study.lesions[row].networks[0]),
            domain=domain,
        )
    ]


def _doubled(atlas: NetworkAtlas, _: LesionStudy | None) -> list[Patient]:
    """Return a patient with doubled networks, those of the domain that most networks serve."""
    networks_by_domain = {
        domain: atlas.networks_of_domain(domain, share=SERVES) for domain in atlas.domain_names
    }
    domain = max(networks_by_domain, key=lambda name: len(networks_by_domain[name]), default="")
    if not domain or not networks_by_domain[domain]:
        return []
    return [
        Patient(
            key="doubled",
            title=f"Too much {domain}",
            rule=f"The reverse of a lesion: all networks with over {SERVES:.0%} of their energy "
            f"in {domain}, which has most of them, are doubled.",
            lesion=Lesion(networks=networks_by_domain[domain], strength=-1.0),
            prompt=Prompt(text=PLAIN),
            domain=domain,
        )
    ]


def _single_network_rows(study: LesionStudy | None) -> list[int]:
    """Return the rows of a study that silence a single network."""
    if study is None:
        return []
    return [
        row
        for row, lesion in enumerate(study.lesions)
        if len(lesion.networks) == 1 and lesion.strength == 1
    ]


def _key(text: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in text.lower())


PRESETS: Mapping[str, Preset] = {
    "without a domain": Preset(find=_without_a_domain, needs_study=False),
    "one of a domain": Preset(find=_one_of_a_domain, needs_study=False),
    "doubled": Preset(find=_doubled, needs_study=False),
    "harms one domain": Preset(find=_harms_one_domain, needs_study=True),
    "needed everywhere": Preset(find=_needed_everywhere, needs_study=True),
    "loud but idle": Preset(find=_loud_but_idle, needs_study=True),
}
