"""What was asked and what came of it: texts to keep and texts given up, beside the best rival."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np

from fnprune_core.atlas.network_atlas import NetworkAtlas, open_atlas
from fnprune_core.decomposition.numbering import renumbering_here
from fnprune_core.errors import FnpruneError
from fnprune_core.evaluation.results import (
    DENSE,
    PairedDifference,
    Perplexity,
    open_evaluation,
    paired_difference,
)
from fnprune_core.evaluation.rivals import measured_together
from fnprune_core.plans.files import open_plan
from fnprune_core.plans.plan import PruningPlan
from fnprune_core.storage.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Side:
    """A plan on some domains of a text, beside the dense model and a rival.

    Parameters
    ----------
    domains : tuple of str
    plan : Perplexity
    dense, rival : Perplexity, optional
        None where they were not measured, or failed.
    above_dense, above_rival : PairedDifference, optional
        Of the plan, paired by window.
    """

    domains: tuple[str, ...]
    plan: Perplexity
    dense: Perplexity | None = None
    rival: Perplexity | None = None
    above_dense: PairedDifference | None = None
    above_rival: PairedDifference | None = None

    def sentence(self, what: str, rival: str) -> str:
        """Return the perplexity on these texts beside the rival's, as a sentence.

        Parameters
        ----------
        what : str
            What these texts are, as ``"On the texts to keep"``.
        rival : str
            The rival's name.
        """
        text = f"{what} ({', '.join(self.domains)}) the perplexity is {self.plan.perplexity:.2f}"
        if self.dense is not None:
            text += f", {self.dense.perplexity:.2f} for the dense model"
        if self.rival is not None and self.above_rival is not None:
            text += (
                f", {self.rival.perplexity:.2f} for {rival}: "
                f"{self.above_rival.text(digits=3).replace('-', '−')} nats per token"
            )
        return f"{text}."


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Verdict:
    """A plan that gives domains up, judged by both: what it keeps, and what it gives up.

    Parameters
    ----------
    rival : str
        Label of the rival with the lowest perplexity on the texts to keep; empty without any.
        The same one stands beside both.
    """

    kept: Side
    given_up: Side
    rival: str

    def sentences(self, name: Callable[[str], str] = str) -> tuple[str, str]:
        """Return what became of the texts to keep, and of those given up.

        Parameters
        ----------
        name : callable
            Returns a rival's name from its label.
        """
        rival = name(self.rival)
        return (
            self.kept.sentence("On the texts to keep", rival),
            self.given_up.sentence("On the texts given up", rival),
        )


def verdict_of(workspace: Workspace, plan_id: str, *, label: str) -> Verdict | None:
    """Return the verdict on a plan from what is stored, or None where it gives up no domain.

    Parameters
    ----------
    label : str
        Of the plan, in what is returned.
    """
    lost = given_up(workspace, open_plan(workspace, plan_id))
    if not lost:
        return None
    ids = measured_together(workspace, plan_id, label=label)
    results = {name: open_evaluation(workspace, id) for name, id in ids.items()}
    return verdict(results, lost, plan=label)


def given_up(workspace: Workspace, plan: PruningPlan) -> tuple[str, ...]:
    """Return the domains that a plan gives up; none where its atlas is not here."""
    preserved, id = plan.settings.preserved, plan.decomposition_id
    if preserved is None or not id or not workspace.has("decompositions", id):
        return ()
    moved = renumbering_here(plan.maps_fingerprint, workspace, id)
    return given_up_domains(
        open_atlas(workspace, id), preserved if moved is None else moved.here(preserved)
    )


def given_up_domains(atlas: NetworkAtlas, preserved: Collection[int] | None) -> tuple[str, ...]:
    """Return the domains that a choice of networks gives up, in the recording's order.

    Those with networks of their own (over half of the energy per token), more than half of
    which, by energy, are not preserved.

    Parameters
    ----------
    preserved : collection of int or None
        Networks; None where a score knows none, which gives up nothing.
    """
    if preserved is None:
        return ()
    is_kept = np.isin(np.arange(atlas.n_networks), list(preserved))
    energy = np.square(atlas.time_courses[:, ~atlas.is_dummy], dtype=np.float64).sum(axis=1)
    given_up = []
    for name in atlas.domain_names:
        own = list(atlas.networks_of_domain(name))
        if own and 2 * energy[own][~is_kept[own]].sum() > energy[own].sum():
            given_up.append(name)
    return tuple(given_up)


def verdict(
    results: Mapping[str, Perplexity], given_up: Collection[str], *, plan: str
) -> Verdict | None:
    """Return the verdict on a plan; None where a side has no text, or the plan failed.

    Parameters
    ----------
    results : mapping
        Label to result on one text: of the plan, of the dense model, of rivals.
    given_up : collection of str
        Domains that the plan gives up.
    plan : str
        Label of the plan.
    """
    own = results.get(plan)
    if own is None or own.failure:
        return None
    present = tuple(own.by_domain())
    lost = tuple(name for name in present if name in given_up)
    wanted = tuple(name for name in present if name not in given_up)
    if not lost or not wanted:
        return None
    rivals = {
        label: part
        for label, result in results.items()
        if label not in (plan, DENSE) and (part := _part(result, wanted)) is not None
    }
    best = min(rivals, key=lambda label: rivals[label].perplexity, default="")
    kept, gone = (_side(results, domains, plan=plan, rival=best) for domains in (wanted, lost))
    return Verdict(kept=kept, given_up=gone, rival=best)


def _part(result: Perplexity | None, domains: Collection[str]) -> Perplexity | None:
    """Return a result over the windows of some domains that were read; None without any."""
    if result is None or result.failure:
        return None
    numbers = [i for i, name in enumerate(result.domain_names) if name in domains]
    places = np.flatnonzero(np.isin(result.domains, numbers))
    return result.restricted_to(places) if len(places) and result.domain_names else None


def _side(
    results: Mapping[str, Perplexity], domains: tuple[str, ...], *, plan: str, rival: str
) -> Side:
    own = results[plan]
    part = _part(own, domains)
    assert part is not None  # the domains are those of its windows
    others = {name: results.get(label) for name, label in (("dense", DENSE), ("rival", rival))}
    return Side(
        domains=domains,
        plan=part,
        dense=_part(others["dense"], domains),
        rival=_part(others["rival"], domains),
        above_dense=_difference(own, others["dense"], domains),
        above_rival=_difference(own, others["rival"], domains),
    )


def _difference(
    own: Perplexity, other: Perplexity | None, domains: Collection[str]
) -> PairedDifference | None:
    part, other_part = _part(own, domains), _part(other, domains)
    if part is None or other_part is None:
        return None
    try:
        return paired_difference(_as_read(part, own), _as_read(other_part, other))
    except FnpruneError:  # no window in common yet, or another text
        return None


def _as_read(part: Perplexity, whole: Perplexity | None) -> Perplexity:
    """Return a part with the protocol of the whole: two parts may not be read as far."""
    return replace(part, protocol=whole.protocol) if whole is not None else part
