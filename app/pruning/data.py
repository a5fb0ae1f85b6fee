"""Cached facts that the pages on plans share."""

from app.pruning import plan_names
from app.pruning.prune_tasks import Left, PruneOrder, left_of
from app.shell import resources
from app.shell.caching import cached
from app.shell.text_choice import TextChoice
from fnprune_core.errors import FnpruneError
from fnprune_core.evaluation import compare, verdict
from fnprune_core.evaluation.expectation import Expectation, expected_of
from fnprune_core.evaluation.history import PlanRecord
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.plans import decision_log
from fnprune_core.pruning.estimates import ComparisonEstimate
from fnprune_core.texts.windows import Windows


@cached(max_entries=64)
def given_up(plan_id: str) -> tuple[str, ...]:
    """Return the domains that a plan gives up."""
    return verdict.given_up(resources.workspace(), resources.plan(plan_id))


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
    fingerprint: str, texts: TextChoice, window: int, most: int | None, _model: LanguageModel
) -> Windows:
    """Return the windows of chosen texts on which perplexity is measured."""
    return compare.evaluation_windows(
        _model, resources.documents(texts), window=window, max_windows=most
    )


def apply_cost(order: PruneOrder, model: LanguageModel) -> ComparisonEstimate:
    """Return what Apply still takes, given what is in the workspace and how the model works now."""
    workspace = resources.workspace()
    key = tuple(tuple(workspace.ids(kind)) for kind in ("plans", "evaluations", "generations"))
    left = _left(order, model.fingerprint, key, model)
    return left.cost(model, resources.recording(order.recording).windows)


@cached(max_entries=32)
def _left(
    order: PruneOrder,
    fingerprint: str,
    key: tuple[tuple[str, ...], ...],
    _model: LanguageModel,
) -> Left:
    held_out = windows(fingerprint, order.texts, order.window, order.max_windows, _model)
    workspace = resources.workspace()
    return left_of(workspace, _model, order, held_out, order.known(workspace, _model))


def expected(plan_id: str) -> Expectation:
    """Return what to expect of a plan, from the evaluations and texts that are stored."""
    workspace = resources.workspace()
    return _expected(
        plan_id, (tuple(workspace.ids("evaluations")), tuple(workspace.ids("generations")))
    )


@cached(max_entries=64)
def _expected(plan_id: str, key: tuple[tuple[str, ...], tuple[str, ...]]) -> Expectation:
    return expected_of(resources.workspace(), plan_id)
