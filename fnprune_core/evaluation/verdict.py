"""What was asked and what came of it: texts to keep and texts given up, beside the best rival."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import numpy as np

from fnprune_core.atlas.chance.directions import open_directions
from fnprune_core.atlas.network_atlas import NetworkAtlas, open_atlas
from fnprune_core.decomposition.numbering import networks_here
from fnprune_core.evaluation.alike import alike
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
from fnprune_core.scores.giving_up import left_beside, left_sentence
from fnprune_core.storage.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Side:
    """A plan on some domains of a text, beside the dense model and a rival on the same windows.

    Parameters
    ----------
    domains : tuple of str
        Empty for all texts.
    plan : Perplexity
    dense, rival : Perplexity, optional
        None where they cannot be compared: not measured, failed, or read on too few windows yet.
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
        texts = f"{what} ({', '.join(self.domains)})" if self.domains else "On all texts"
        text = f"{texts} the perplexity is {self.plan.perplexity:.2f}"
        if self.dense is not None:
            text += f", {self.dense.perplexity:.2f} for the dense model"
        if self.rival is None and self.above_dense is not None:
            text += f": {_in_nats(self.above_dense)}"
        if self.rival is not None and self.above_rival is not None:
            text += f", {self.rival.perplexity:.2f} for {rival}: {_in_nats(self.above_rival)}"
        return f"{text}."


def _in_nats(difference: PairedDifference) -> str:
    return f"{difference.text(digits=3).replace('-', '−')} nats per token"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Verdict:
    """A plan judged by what it keeps and by what it gives up.

    Parameters
    ----------
    kept : Side
        All texts, where the plan gives none up.
    given_up : Side or None
    rival : str
        Label of the rival with the lowest perplexity on the texts to keep; empty without any.
        The same one stands beside both.
    """

    kept: Side
    given_up: Side | None
    rival: str

    def sentences(self, name: Callable[[str], str] = str) -> tuple[str, ...]:
        """Return what became of the texts to keep, and of those given up if there are any.

        Parameters
        ----------
        name : callable
            Returns a rival's name from its label.
        """
        rival = name(self.rival)
        kept = self.kept.sentence("On the texts to keep", rival)
        if self.given_up is None:
            return (kept,)
        return kept, self.given_up.sentence("On the texts given up", rival)


def verdict_of(workspace: Workspace, plan_id: str, *, label: str) -> Verdict | None:
    """Return the verdict on a plan from what is stored, or None where it was not measured.

    Parameters
    ----------
    label : str
        Of the plan, in what is returned.
    """
    ids = measured_together(workspace, plan_id, label=label)
    results = {name: open_evaluation(workspace, id) for name, id in ids.items()}
    return verdict(results, given_up(workspace, open_plan(workspace, plan_id)), plan=label)


def given_up(workspace: Workspace, plan: PruningPlan) -> tuple[str, ...]:
    """Return the domains that a plan gives up; none where its atlas is not here."""
    preserved, id = plan.settings.preserved, plan.decomposition_id
    if preserved is None or not id or not workspace.has("decompositions", id):
        return ()
    here = networks_here(preserved, plan.maps_fingerprint, workspace, id)
    return given_up_domains(open_atlas(workspace, id), here)


def weight_left(workspace: Workspace, plan: PruningPlan) -> str:
    """Return how much the texts that a plan gives up still count, beside random directions.

    In words; empty where it gives none up, or its atlas has no random directions beside it.
    """
    domains = given_up(workspace, plan)
    if not domains:
        return ""
    atlas = open_atlas(workspace, plan.decomposition_id)
    directions = open_directions(workspace, atlas)
    if directions is None or plan.settings.preserved is None:
        return ""
    here = networks_here(
        plan.settings.preserved, plan.maps_fingerprint, workspace, plan.decomposition_id
    )
    return left_sentence(left_beside(directions, plan.settings.score, here, domains), domains)


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
    """Return the verdict on a plan; None where it failed, or none of the texts is to be kept.

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
    if own is None or own.failure or not len(own.windows):
        return None
    present = tuple(own.by_domain())
    lost = tuple(name for name in present if name in given_up)
    wanted = tuple(name for name in present if name not in given_up)
    if present and not wanted:
        return None
    domains = wanted if any(name in given_up for name in own.domain_names) else ()
    read = alike(results, first=plan, domains=domains or None).results
    best = min(
        (label for label in read if label not in (plan, DENSE)),
        key=lambda label: read[label].perplexity,
        default="",
    )
    return Verdict(
        kept=_side(results, domains, plan=plan, rival=best),
        given_up=_side(results, lost, plan=plan, rival=best) if lost else None,
        rival=best,
    )


def _side(
    results: Mapping[str, Perplexity], domains: tuple[str, ...], *, plan: str, rival: str
) -> Side:
    beside = {label: results[label] for label in (plan, DENSE, rival) if label in results}
    read = alike(beside, first=plan, domains=domains or None).results
    own, dense, other = read[plan], read.get(DENSE), read.get(rival)
    return Side(
        domains=domains,
        plan=own,
        dense=dense,
        rival=other,
        above_dense=None if dense is None else paired_difference(own, dense),
        above_rival=None if other is None else paired_difference(own, other),
    )
