"""A plan on a text that no choice saw: short English prose of kinds that ship for nothing else.

What a plan costs on the kinds of text that it was calibrated on is less than what it costs on
others. So every plan that is applied or exported is read on the same eight short texts, too: a
talk, a recipe, a letter, news, a story, sums, a match, a diary. None of them is a built-in domain.
"""

from dataclasses import dataclass

from fnprune_core.assets import asset
from fnprune_core.errors import FnpruneError, NonFiniteError, OverlapError
from fnprune_core.evaluation import compare, rivals
from fnprune_core.evaluation.results import (
    DENSE,
    ELSEWHERE,
    PairedDifference,
    Perplexity,
    open_evaluation,
    paired_difference,
)
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.progress import NEVER, CancelToken
from fnprune_core.storage.workspace import Workspace
from fnprune_core.texts.cutting import cut_windows
from fnprune_core.texts.documents import Document
from fnprune_core.texts.windows import Windows

#: Tokens of a window: each of the texts has as many in any usual tokenizer.
WINDOW = 256
_PLAN = "plan"
WARNING = (
    "Texts of kinds that were not in the calibration text lose more, as a rule: measure a plan on "
    "your own before you rely on it."
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Elsewhere:
    """A plan and the dense model on the text that no choice saw."""

    plan: Perplexity
    dense: Perplexity

    @property
    def above_dense(self) -> PairedDifference:
        """Nats per token of the plan above the dense model, paired by window."""
        return paired_difference(self.plan, self.dense)

    @property
    def times_dense(self) -> float:
        """The plan's perplexity over the dense model's."""
        return self.plan.perplexity / self.dense.perplexity

    def sentence(self) -> str:
        """Return what was measured, as a sentence."""
        return (
            f"On everyday English, which is in no calibration text here ({self.plan.sample.n} "
            f"short texts that ship with fnprune), the perplexity is {self.plan.text()}, "
            f"{self.dense.text()} for the dense model: {self.times_dense:.2f} times as high, "
            f"{self.above_dense.text(digits=3)} nats per token. Errors are over "
            f"{self.plan.sample.note()}."
        )


def documents() -> list[Document]:
    """Return the texts, by name."""
    files = sorted(asset("texts/elsewhere").iterdir(), key=lambda file: file.name)
    return [
        Document(file.read_text(encoding="utf-8"), ELSEWHERE, file.name.removesuffix(".txt"))
        for file in files
        if file.name.endswith(".txt")
    ]


def windows_for(language_model: LanguageModel) -> Windows:
    """Return the texts in windows of a model's tokens."""
    window = min(WINDOW, language_model.context_size or WINDOW)
    return cut_windows(documents(), language_model.tokenizer, window=window, n_dummy_tokens=0)


def measure(
    workspace: Workspace,
    language_model: LanguageModel,
    plan_id: str,
    *,
    cancel: CancelToken = NEVER,
) -> Elsewhere | None:
    """Read the texts with a plan and without, or find that done; return both.

    None where the plan was calibrated on these very texts, or a loss is not finite.
    """
    try:
        ids = compare.compare(
            workspace,
            language_model,
            windows_for(language_model),
            plan_ids={DENSE: None, _PLAN: plan_id},
            cancel=cancel,
        )
    except (OverlapError, NonFiniteError):
        return None
    return _of(workspace, ids.get(_PLAN), ids.get(DENSE))


def n_tokens_left(workspace: Workspace, language_model: LanguageModel, plan_id: str | None) -> int:
    """Return how many tokens `measure` would read; for a plan that is still to be made, None."""
    windows = windows_for(language_model)
    known = [None] if plan_id is None else [None, plan_id]
    n_windows = compare.n_to_read(workspace, language_model, windows, known)
    return windows.window * (n_windows + (windows.n_windows if plan_id is None else 0))


def stored(workspace: Workspace, plan_id: str) -> Elsewhere | None:
    """Return what was measured of a plan; None where it was not."""
    ids = rivals.evaluations_of(workspace, plan_id, elsewhere=True)
    by_model = {label.partition(",")[0]: id for label, id in reversed(ids.items())}
    return _of(workspace, by_model.get("pruned"), by_model.get(DENSE))


def _of(workspace: Workspace, plan: str | None, dense: str | None) -> Elsewhere | None:
    if plan is None or dense is None:
        return None
    found = Elsewhere(
        plan=open_evaluation(workspace, plan), dense=open_evaluation(workspace, dense)
    )
    try:
        found.above_dense.text()
    except FnpruneError:  # it failed, or the two were read in other number formats
        return None
    return found
