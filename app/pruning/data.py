"""Cached facts that the pages on plans share."""

from app.pruning import plan_names
from app.pruning.prune_tasks import PruneOrder, left_of
from app.shell import resources
from app.shell.caching import cached
from app.shell.text_choice import TextChoice
from fnprune_core.errors import FnpruneError
from fnprune_core.evaluation import compare, verdict
from fnprune_core.evaluation.expectation import Expectation, expected_of
from fnprune_core.evaluation.history import PlanRecord
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.plans import decision_log
from fnprune_core.pruning.estimates import ComparisonEstimate, ComparisonLeft
from fnprune_core.texts.windows import Windows


@cached(max_entries=64)
def given_up(plan_id: str) -> tuple[str, ...]:
    """Return the domains that a plan gives up."""
    return verdict.given_up(resources.workspace(), resources.plan(plan_id))


@cached(max_entries=64)
def weight_left(plan_id: str) -> str:
    """Return how much the texts that a plan gives up still count, beside random directions."""
    return verdict.weight_left(resources.workspace(), resources.plan(plan_id))


def plan_name(plan_id: str) -> str:
    """Return a plan's own name, or the one that the rule gives it."""
    try:
        name = decision_log.read_notes(resources.workspace(), plan_id).name
    except FnpruneError:  # the log on the page tells of damaged notes
        name = ""
    plan = resources.plan(plan_id)
    return name or plan_names.name_of(
        plan.settings,
        achieved=plan.achieved_ratio,
        given_up=given_up(plan_id),
        n_networks=plan.n_networks,
    )


def title(record: PlanRecord) -> str:
    """Return the title of a plan: its name, else the one by the rule, always with its id."""
    default_name = plan_names.name_of(
        record.settings,
        achieved=record.achieved_ratio,
        given_up=given_up(record.id),
        n_networks=record.n_networks,
    )
    return f"{record.name or default_name} · {record.id[:6]}"


@cached(max_entries=2)
def windows(
    texts: TextChoice, window: int, most: int | None, model: LanguageModel, *, chat: bool = False
) -> Windows:
    """Return the windows of chosen texts on which perplexity is measured."""
    return compare.evaluation_windows(
        model, resources.documents(texts), window=window, max_windows=most, chat=chat
    )


def apply_cost(order: PruneOrder, model: LanguageModel) -> ComparisonEstimate:
    """Return what Apply still takes, given what is in the workspace and how the model works now."""
    return _left(order, model).estimate(model, resources.recording(order.recording).windows)


@cached(max_entries=32, made_of=lambda *_: resources.ids("plans", "evaluations", "generations"))
def _left(order: PruneOrder, model: LanguageModel) -> ComparisonLeft:
    chat = resources.recording(order.recording).windows.chat
    held_out = windows(order.texts, order.window, order.max_windows, model, chat=chat)
    workspace = resources.workspace()
    return left_of(workspace, model, order, held_out, order.known(workspace, model))


@cached(max_entries=64, made_of=lambda _: resources.ids("evaluations", "generations"))
def expected(plan_id: str) -> Expectation:
    """Return what to expect of a plan, from the evaluations and texts that are stored."""
    return expected_of(resources.workspace(), plan_id)
