"""The plans, measurements, texts and localizer of the example, computed where it is made."""

from collections.abc import Callable
from functools import partial

from fnprune_core.atlas.network_atlas import open_atlas
from fnprune_core.evaluation.compare import compare, evaluation_windows
from fnprune_core.evaluation.expectation import write_samples
from fnprune_core.evaluation.generation import Generation, Prompt, Sampling
from fnprune_core.evaluation.results import DENSE, Perplexity
from fnprune_core.evaluation.side_by_side import generate
from fnprune_core.localizers import ready_made
from fnprune_core.localizers.decoding import DecodingSettings
from fnprune_core.localizers.run import localize
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.plans.decision_log import name_plan
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.progress import NEVER, CancelToken, Progress, ProgressEvent, ignore
from fnprune_core.pruning.planner import plans
from fnprune_core.storage.workspace import Workspace
from fnprune_core.texts.documents import builtin_documents

DOMAIN, RATIO = "french", 0.3
WINDOW, N_WINDOWS = 512, 24
PROMPT, N_TOKENS = "The heart pumps blood through", 48
LOCALIZER, N_PERMUTATIONS = "language", 200


def plans_of(workspace: Workspace, atlas_id: str) -> dict[str, PlanSettings]:
    """Return the example's plans by name: one that gives a domain up, and its rival."""
    atlas = open_atlas(workspace, atlas_id)
    own = set(atlas.networks_of_domain(DOMAIN))
    preserved = tuple(k for k in range(atlas.n_networks) if k not in own)
    return {
        f"{100 * RATIO:.0f} %, without {DOMAIN.capitalize()}": PlanSettings(
            ratio=RATIO, preserved=preserved
        ),
        f"FLAP, {100 * RATIO:.0f} %": PlanSettings(score="flap", ratio=RATIO),
    }


def make_study(
    workspace: Workspace,
    language_model: LanguageModel,
    *,
    recording_id: str,
    atlas_id: str,
    progress: Progress = ignore,
    cancel: CancelToken = NEVER,
) -> None:
    """Make two plans, measure them, let one write, and run a localizer; what exists is found."""
    named = plans_of(workspace, atlas_id)
    ids = plans(
        workspace, language_model, recording_id=recording_id, decomposition_id=atlas_id,
        settings=list(named.values()), progress=progress, cancel=cancel,
    )  # fmt: skip
    for id, name in zip(ids, named, strict=True):
        name_plan(workspace, id, name)
    windows = evaluation_windows(
        language_model, builtin_documents(split="held-out"),
        window=min(WINDOW, language_model.context_size or WINDOW), max_windows=N_WINDOWS,
    )  # fmt: skip
    labels = {DENSE: None, **dict(zip(named, ids, strict=True))}
    compare(
        workspace, language_model, windows, plan_ids=labels,
        on_partial=_counted(progress, "reading held-out text", len(labels), "windows"),
        cancel=cancel,
    )  # fmt: skip
    generate(
        workspace, language_model, ids[0], Prompt(text=PROMPT),
        sampling=Sampling(max_new_tokens=N_TOKENS), on_token=partial(_written, progress),
        cancel=cancel,
    )  # fmt: skip
    write_samples(workspace, language_model, ids[0], windows, progress=progress, cancel=cancel)
    localize(
        workspace, language_model, atlas_id, ready_made.load(LOCALIZER),
        settings=DecodingSettings(n_permutations=N_PERMUTATIONS), progress=progress, cancel=cancel,
    )  # fmt: skip


def _counted(
    progress: Progress, stage: str, n_models: int, unit: str
) -> Callable[[str, Perplexity], None]:
    """Return the callback of `compare`: progress over the windows of all models."""
    read: dict[str, int] = {}

    def on_partial(label: str, result: Perplexity) -> None:
        read[label] = len(result.window_nll)
        total = n_models * result.n_windows_total
        progress(ProgressEvent(stage=stage, done=sum(read.values()), total=total, unit=unit))

    return on_partial


def _written(progress: Progress, whose: str, written: Generation) -> None:
    progress(
        ProgressEvent(
            stage=f"writing, {whose}", done=written.n_tokens, total=N_TOKENS, unit="tokens"
        )
    )
