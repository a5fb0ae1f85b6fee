"""Plans that are tried out on calibration text, so that held-out text has no part in a choice."""

from collections.abc import Sequence
from functools import partial

import numpy as np

from fnprune_core.artifacts import open_plan, open_recording, open_refits
from fnprune_core.corpora import Windows
from fnprune_core.evaluation import Perplexity, perplexity_stream
from fnprune_core.models import LanguageModel
from fnprune_core.plan_batches import batches
from fnprune_core.planning import plans
from fnprune_core.plans import PlanSettings
from fnprune_core.progress import NEVER, CancelToken, Progress, ProgressEvent, ignore
from fnprune_core.silencing import silenced
from fnprune_core.storage import Workspace

READING = "reading calibration text"


class Trials:
    """Makes plans for one recording and measures them on windows of it, at even steps.

    Parameters
    ----------
    max_windows : int
        Windows to read.
    n_plans : int
        How many will be asked for in all, for the progress.
    """

    def __init__(  # noqa: PLR0913 - the workspace's things, and what to read
        self,
        workspace: Workspace,
        language_model: LanguageModel,
        *,
        recording_id: str,
        decomposition_id: str | None,
        max_windows: int,
        n_plans: int,
        progress: Progress = ignore,
        cancel: CancelToken = NEVER,
    ) -> None:
        self.workspace, self.language_model = workspace, language_model
        self.recording_id, self.decomposition_id = recording_id, decomposition_id
        self.windows = at_even_steps(open_recording(workspace, recording_id).windows, max_windows)
        self.n_plans, self.n_measured = n_plans, 0
        self.progress, self.cancel = progress, cancel

    def make(self, settings: Sequence[PlanSettings]) -> list[str]:
        """Make plans, or find them; return the id of each."""
        return [
            plan_id
            for batch in batches(self.language_model, settings)
            for plan_id in plans(
                self.workspace,
                self.language_model,
                recording_id=self.recording_id,
                decomposition_id=self.decomposition_id,
                settings=batch,
                progress=self.progress,
                cancel=self.cancel,
            )
        ]

    def loss(self, plan_id: str) -> Perplexity:
        """Return a plan's loss on the windows."""
        made, refits = open_plan(self.workspace, plan_id), open_refits(self.workspace, plan_id)
        before, n = self.n_measured * self.windows.n_windows, self.windows.n_windows
        result: Perplexity
        for result in perplexity_stream(
            self.language_model.model,
            self.windows,
            context=partial(silenced, self.language_model, made.removed, refits=refits),
            cancel=self.cancel,
        ):
            self.progress(
                ProgressEvent(
                    stage=READING,
                    done=before + len(result.window_nll),
                    total=self.n_plans * n,
                    unit="windows",
                )
            )
        self.n_measured += 1
        return result


def at_even_steps(windows: Windows, n: int) -> Windows:
    """Return so many windows, at even steps."""
    steps = np.linspace(0, windows.n_windows, min(n, windows.n_windows), endpoint=False)
    return windows.select(steps.astype(np.int64))
