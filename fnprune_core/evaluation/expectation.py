"""What to expect of a pruned model, in words: by its losses, and by what it writes.

`GRADES` is the one table of bounds; docs/concepts/statistics.md says what they were measured on.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from fnprune_core.errors import FnpruneError, NonFiniteError
from fnprune_core.evaluation.generation import Prompt, encode, repeated_share
from fnprune_core.evaluation.results import DENSE, PairedDifference
from fnprune_core.evaluation.side_by_side import (
    PRUNED,
    SideBySide,
    generate_samples,
    open_generation,
)
from fnprune_core.evaluation.verdict import given_up, verdict_of
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.plans.files import stored_plan
from fnprune_core.progress import NEVER, CancelToken, Progress, ProgressEvent, ignore
from fnprune_core.storage.workspace import Workspace
from fnprune_core.texts.windows import Windows

#: Samples of a plan, the tokens of a held-out text that each goes on from, and those it writes.
N_SAMPLES, N_PROMPT, N_WRITTEN = 4, 32, 48
#: The stage of progress.
WRITING = "writing samples"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grade:
    """How much worse than the dense model a plan is: it meets all three bounds.

    Parameters
    ----------
    most_nats : float
        Nats per token above the dense model on the texts to keep, at most.
    most_repeated : float
        Share of its greedy texts' runs of four tokens that repeat an earlier one, above that of
        the dense model's texts, at most.
    least_agreement : float
        Share of the tokens of the dense model's greedy texts that it would write, too, at least.
    """

    name: str
    says: str
    most_nats: float
    most_repeated: float
    least_agreement: float


#: Best first; the last one has no bounds.
GRADES = (
    Grade(
        name="as good as the dense model", says="expect texts of the same quality",
        most_nats=0.05, most_repeated=0.15, least_agreement=0.9,
    ),
    Grade(
        name="a little worse", says="expect fluent texts with more mistakes",
        most_nats=0.2, most_repeated=0.2, least_agreement=0.85,
    ),
    Grade(
        name="much worse", says="expect texts that lose their thread; train it before it is used",
        most_nats=0.5, most_repeated=0.3, least_agreement=0.75,
    ),
    Grade(
        name="broken", says="expect nonsense: remove less, or train it",
        most_nats=math.inf, most_repeated=math.inf, least_agreement=0.0,
    ),
)  # fmt: skip


def grade_of(
    *, nats: float = math.nan, repeated: float = math.nan, agreement: float = math.nan
) -> Grade | None:
    """Return the best grade whose bounds are met; what is NaN was not measured.

    None if nothing was.
    """
    if all(math.isnan(value) for value in (nats, repeated, agreement)):
        return None
    return next(
        grade
        for grade in GRADES
        if not nats > grade.most_nats
        and not repeated > grade.most_repeated
        and not agreement < grade.least_agreement
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Expectation:
    """What to expect of a plan, and what that rests on.

    Parameters
    ----------
    loss : str
        Its perplexity on the texts to keep, as a sentence; that it failed, or was not measured.
    above_dense : PairedDifference, optional
        Nats per token on these texts.
    samples : tuple of SideBySide
        Greedy texts of both models, of held-out texts to keep.
    has_failed : bool
        A loss of the plan is not finite.
    """

    loss: str
    above_dense: PairedDifference | None = None
    samples: tuple[SideBySide, ...] = ()
    has_failed: bool = False

    @property
    def agreement(self) -> float:
        """Share of the tokens of the dense texts that the pruned model would write; NaN without."""
        return _mean(_agrees(texts) for texts in self.samples)

    @property
    def repeated(self) -> tuple[float, float]:
        """Share that repeats of what the dense and the pruned model wrote; NaN without texts."""
        return (_mean_repeated(self.samples, DENSE), _mean_repeated(self.samples, PRUNED))

    @property
    def grade(self) -> Grade | None:
        """The grade; None where nothing was measured."""
        if self.has_failed:
            return GRADES[-1]
        dense, pruned = self.repeated
        nats = math.nan if self.above_dense is None else self.above_dense.difference
        return grade_of(nats=nats, repeated=pruned - dense, agreement=self.agreement)

    def title(self) -> str:
        """Return the grade and what it says to expect, as a sentence."""
        grade = self.grade
        if grade is None:
            return "Not measured: nothing says what to expect."
        return f"{grade.name[0].upper()}{grade.name[1:]}: {grade.says}."

    def sentences(self) -> tuple[str, ...]:
        """Return what the grade rests on."""
        texts = [self.loss, self._interval_text()]
        if self.samples:
            dense, pruned = self.repeated
            texts.append(
                f"Where the dense model goes on from {len(self.samples)} of these texts, it would "
                f"write {100 * self.agreement:.0f} % of the same tokens; {100 * pruned:.0f} % of "
                f"its own text repeats, of the dense model's {100 * dense:.0f} %."
            )
        else:
            texts.append("It was not asked to write yet.")
        return tuple(text for text in texts if text)

    def _interval_text(self) -> str:
        if self.above_dense is None or not math.isfinite(self.above_dense.standard_error):
            return ""
        low, high = (grade_of(nats=value) for value in self.above_dense.interval())
        if low is None or high is None or low is high:
            return ""
        return (
            f"By the 95 % interval of its loss it could be anything from “{low.name}” to "
            f"“{high.name}”."
        )


def expected_of(workspace: Workspace, plan_id: str) -> Expectation:
    """Return what to expect of a plan, from what is stored of it."""
    found = verdict_of(workspace, plan_id, label=plan_id)
    cut_key = stored_plan(workspace, plan_id).cut_key
    if found is None:
        has_failed = any(
            entry.manifest.get("failure") and entry.manifest["inputs"]["cut_key"] == cut_key
            for entry in workspace.entries("evaluations")
        )
        return Expectation(
            loss="Its loss on held-out text is not finite." if has_failed else "",
            has_failed=has_failed,
        )
    alone = replace(found.kept, rival=None)
    return Expectation(
        loss=alone.sentence("On the texts to keep", ""),
        above_dense=found.kept.above_dense,
        samples=_samples(workspace, cut_key, found.kept.plan.protocol.text_sha256),
    )


def write_samples(
    workspace: Workspace,
    language_model: LanguageModel,
    plan_id: str,
    windows: Windows,
    *,
    progress: Progress = ignore,
    cancel: CancelToken = NEVER,
) -> None:
    """Let the dense model and a plan go on from held-out texts to keep; what exists is found.

    Greedily, from the beginnings of windows, dealt over the domains. A plan whose predictions are
    not finite writes nothing; its losses tell.

    Parameters
    ----------
    windows : Windows
        The held-out text on which the plan was measured.
    """
    lost = given_up(workspace, stored_plan(workspace, plan_id).plan)
    prompts = _prompts(language_model, windows, lost)
    groups: dict[int, list[Prompt]] = {}
    for prompt in prompts:
        groups.setdefault(len(encode(language_model, prompt)), []).append(prompt)
    n_done = 0
    for group in groups.values():
        progress(ProgressEvent(stage=WRITING, done=n_done, total=len(prompts), unit="texts"))
        try:
            generate_samples(
                workspace, language_model, plan_id, group, max_new_tokens=N_WRITTEN,
                sample_of=windows.text_sha256, cancel=cancel,
            )  # fmt: skip
        except NonFiniteError:
            break
        n_done += len(group)
    progress(ProgressEvent(stage=WRITING, done=1, total=1, unit="texts"))


def n_tokens_left(
    workspace: Workspace, language_model: LanguageModel, plan_id: str | None, windows: Windows
) -> int:
    """Return how many tokens `write_samples` lets both models write together, at most.

    Parameters
    ----------
    plan_id : str or None
        None for a plan that is still to be made.
    windows : Windows
        The held-out text.
    """
    if plan_id is None:
        n_left = min(N_SAMPLES, windows.n_windows)
    else:
        stored = stored_plan(workspace, plan_id)
        prompts = _prompts(language_model, windows, given_up(workspace, stored.plan))
        n_left = len(prompts) - len(_samples(workspace, stored.cut_key, windows.text_sha256))
    return 2 * N_WRITTEN * max(n_left, 0)


def _prompts(
    language_model: LanguageModel, windows: Windows, lost: Sequence[str]
) -> tuple[Prompt, ...]:
    """Return the beginnings of windows of kept domains, the first of each domain first."""
    starts = windows.starts[:-1]
    domains = windows.domain_index[starts]
    lost_numbers = [i for i, name in enumerate(windows.domain_names) if name in lost]
    turns: dict[int, int] = {}
    order = []
    for window, domain in enumerate(domains.tolist()):
        turns[domain] = turns.get(domain, 0) + 1
        order.append((domain in lost_numbers, turns[domain], domain, window))
    chosen = [window for is_lost, *_, window in sorted(order) if not is_lost][:N_SAMPLES]
    length = min(N_PROMPT, windows.window // 2)
    texts = (
        str(language_model.tokenizer.decode(windows.token_ids[starts[w] : starts[w] + length]))
        for w in chosen
    )
    return tuple(Prompt(text=text) for text in texts if text.strip())


def _samples(workspace: Workspace, cut_key: str, text_sha256: str) -> tuple[SideBySide, ...]:
    found = []
    for entry in workspace.entries("generations"):
        inputs = entry.manifest["inputs"]
        if inputs["cut_key"] == cut_key and inputs.get("sample_of") == text_sha256:
            try:
                found.append(open_generation(workspace, entry.id))
            except FnpruneError:  # its page tells that it is damaged
                continue
    return tuple(sorted(found, key=lambda texts: texts.prompt.text))


def _agrees(texts: SideBySide) -> float:
    """Return the share of the dense text's tokens that the pruned model finds most probable."""
    own_choice = texts.expected[DENSE].top_ids[1, :, 0]
    return float(np.mean(own_choice == texts.written[DENSE].token_ids))


def _mean_repeated(samples: Sequence[SideBySide], whose: str) -> float:
    return _mean(repeated_share(texts.written[whose].token_ids) for texts in samples)


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return float(np.mean(listed)) if listed else math.nan
