"""Task of the Generations page: two models that write, token by token."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from app.shell.jobs.record import Report
from app.shell.jobs.tasks import Run, task
from fnprune_core.evaluation import side_by_side
from fnprune_core.evaluation.generation import Generation, Prompt, Sampling, encode
from fnprune_core.evaluation.side_by_side import BOTH, text_pieces
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.progress import ProgressEvent

KIND = "generate"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Written:
    """A text so far.

    Parameters
    ----------
    whose : str
        ``"dense"`` or ``"pruned"``.
    pieces : tuple of str (n_tokens,)
    log_probability : ndarray (n_tokens,)
    """

    whose: str
    pieces: tuple[str, ...]
    log_probability: NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationOrder:
    """Order of a generation: the plan, the prompt, and the sampling."""

    model: str
    plan: str
    prompt: Prompt
    sampling: Sampling = field(default_factory=Sampling)


def watcher(
    language_model: LanguageModel, prompt: Prompt, sampling: Sampling, report: Report
) -> Callable[[str, Generation], None]:
    """Return the callback of two writers, which reports each text as it grows."""
    prompt_ids = encode(language_model, prompt)
    n_written = dict.fromkeys(BOTH, 0)

    def on_token(whose: str, written: Generation) -> None:
        n_written[whose] = written.n_tokens
        pieces = text_pieces(language_model, prompt_ids, written.token_ids)
        report(Written(whose=whose, pieces=pieces, log_probability=written.log_probability))
        report(
            ProgressEvent(
                stage="writing",
                done=sum(n_written.values()),
                total=len(BOTH) * sampling.max_new_tokens,
                unit="tokens",
            )
        )

    return on_token


@task(KIND, "Writing")
def generate(run: Run, order: GenerationOrder) -> str:
    """Let the dense model and a plan write, reporting each text as it grows; return its id."""
    language_model = run.model(order.model)
    return side_by_side.generate(
        run.workspace,
        language_model,
        order.plan,
        order.prompt,
        sampling=order.sampling,
        on_token=watcher(language_model, order.prompt, order.sampling, run.report),
        cancel=run.cancel,
    )
