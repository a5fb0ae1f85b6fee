"""Refit a pruned model end to end, towards the dense model's next-token distributions.

Where least squares makes each layer's output right on the dense model's stream, this trains the
MLP weights that stay on the pruned model's own, with the dense model as the teacher and the
calibration text as the only text; it stops where held-out sessions say so.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fnprune_core.errors import NonFiniteError
from fnprune_core.models.architectures import feeding_modules, output_projections, refuse_experts
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.models.projections import weight_of
from fnprune_core.models.silencing import Refit
from fnprune_core.plans.plan import PruningPlan
from fnprune_core.progress import NEVER, CancelToken, Progress, ProgressEvent, ignore
from fnprune_core.pruning.slicing import prune
from fnprune_core.texts.windows import Windows

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_ROWS_AT_ONCE = 8  # tokens whose distributions, as wide as the vocabulary, fit a cache together


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """Settings of the reconstruction's training; measured choices, see ``docs/decisions.md``.

    Parameters
    ----------
    n_passes : int
        Passes over the sessions that are not held out, one session a step.
    step : float
        Adam's learning rate over the root mean square of the tensor it moves, at most.
    step_per_nat : float
        The same for each nat of the held-out loss where training starts: a model that lost little
        has little to learn, and large steps would cost it more than that.
    warm_up : int
        Steps over which it rises; then it falls as a cosine.
    held_out : float
        Share of each domain's sessions that only say when to stop, at its end.
    seed : int
        Of the order in which sessions are read.
    """

    n_passes: int = 4
    step: float = 1.6e-3
    step_per_nat: float = 3.2e-3
    warm_up: int = 15
    held_out: float = 0.125
    seed: int = 0


def reconstruct(  # noqa: PLR0913 - a stage has its inputs, options, progress and cancel
    language_model: LanguageModel,
    plan: PruningPlan,
    refits: Sequence[Refit],
    windows: Windows,
    *,
    weights: NDArray[np.float64],
    training: Training | None = None,
    progress: Progress = ignore,
    cancel: CancelToken = NEVER,
) -> list[Refit]:
    """Return refits whose MLP weights were trained from those given; the model is untouched.

    The loss is Σ_t w_t KL(dense ‖ pruned) of the next token's distribution, nats a token; dummy
    tokens have weight 1. The weights with the lowest loss on the held-out sessions are returned:
    the given ones, if training does not better them.

    Parameters
    ----------
    refits : sequence of Refit
        Where training starts, one a layer. Their biases and KV groups stay as they are.
    windows : Windows
        The calibration text.
    weights : ndarray (n_tokens,)
        How much each token counts.

    Raises
    ------
    NonFiniteError
        If the loss is not finite.

    Notes
    -----
    Memory: a float32 copy of the pruned model, and three times its MLPs for gradients and Adam.
    Cost: see ``estimates``. A bfloat16 model is trained with
    bfloat16 products and float32 weights. Distillation: Hinton et al., arXiv 1503.02531.
    """
    refuse_experts(language_model.architecture, "Training")
    training = training or Training()
    token_weights = np.where(windows.is_dummy, 1.0, weights)
    training_sessions, held_out = split_sessions(windows, training.held_out)
    run = _TrainingRun(
        language_model, prune(language_model, plan, refits=refits).float(), windows, token_weights
    )
    n_steps = training.n_passes * len(training_sessions)
    optimiser = torch.optim.Adam(run.groups(), betas=(0.9, 0.99), fused=True)
    order = np.random.default_rng(training.seed)
    best_loss, best_weights = run.held_out_loss(held_out), run.snapshot()
    step = min(training.step, training.step_per_nat * max(best_loss, 0.0))
    highest_rates = [group["lr"] * step for group in optimiser.param_groups]
    n_done = 0
    for _ in range(training.n_passes):
        for session in order.permutation(training_sessions):
            cancel.raise_if_cancelled()
            schedule = min(1.0, (n_done + 1) / training.warm_up)
            schedule *= 0.5 + 0.5 * math.cos(math.pi * n_done / n_steps)
            for group, highest_rate in zip(optimiser.param_groups, highest_rates, strict=True):
                group["lr"] = highest_rate * schedule
            run.learn(int(session), optimiser)
            n_done += 1
            progress(
                ProgressEvent(stage="reconstruction", done=n_done, total=n_steps, unit="steps")
            )
        loss = run.held_out_loss(held_out)
        if loss < best_loss:
            best_loss, best_weights = loss, run.snapshot()
    return [
        replace(refit, columns=layer_weights[0], feeding=tuple(layer_weights[1:]))
        for refit, layer_weights in zip(refits, best_weights, strict=True)
    ]


def split_sessions(windows: Windows, share: float) -> tuple[list[int], list[int]]:
    """Return the sessions to learn from, and those that are held out: the last of each domain.

    At least one of each domain with more than one; a single session serves as both.
    """
    held_out: list[int] = []
    domains = windows.domain_index[windows.starts[:-1]]
    for domain in np.unique(domains):
        domain_sessions = np.flatnonzero(domains == domain)
        if len(domain_sessions) > 1:
            held_out += domain_sessions[-max(1, round(share * len(domain_sessions))) :].tolist()
    all_sessions = list(range(windows.n_windows))
    held_out = sorted(held_out) or all_sessions[-1:]
    training_sessions = [session for session in all_sessions if session not in held_out]
    return training_sessions or all_sessions, held_out


class _TrainingRun:
    """A pruned copy in training, beside the shared dense model."""

    def __init__(
        self,
        language_model: LanguageModel,
        pruned: "PreTrainedModel",
        windows: Windows,
        token_weights: NDArray[np.float64],
    ) -> None:
        self.language_model, self.pruned = language_model, pruned
        self.windows, self.token_weights = windows, token_weights
        # One scale for all sessions: one that counts little must move little.
        self.usual_weight = max(float(token_weights.sum()) / windows.n_windows, 1e-12)
        for parameter in pruned.parameters():
            parameter.requires_grad_(False)
        architecture = language_model.architecture
        self.layers: list[list[nn.Module]] = [
            [projection, *feeding_modules(pruned, architecture, layer)]
            for layer, projection in enumerate(output_projections(pruned, architecture))
        ]
        for parameter in self._trained_parameters():
            parameter.requires_grad_(True)

    def _trained_parameters(self) -> Iterator[nn.Parameter]:
        return (module.get_parameter("weight") for layer in self.layers for module in layer)

    def groups(self) -> list[dict[str, object]]:
        """Return the optimiser's groups, each with its root mean square as learning rate."""
        return [
            {"params": [parameter], "lr": float(parameter.detach().square().mean().sqrt())}
            for parameter in self._trained_parameters()
        ]

    def learn(self, session: int, optimiser: torch.optim.Optimizer) -> None:
        """Take one step on a session."""
        n_tokens = len(self.windows.window_ids(session))
        timed = self.language_model.pace.timed("training", n_tokens)
        with timed, torch.inference_mode(mode=False), torch.enable_grad():
            loss = self._loss(session)
            if not bool(torch.isfinite(loss)):
                raise NonFiniteError(
                    f"The loss of session {session} is not finite in reconstruction.",
                    hint="Load the model in bfloat16 or float32, or choose least-squares.",
                )
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()

    def held_out_loss(self, sessions: Sequence[int]) -> float:
        """Return the mean loss over sessions, each weighted by its tokens' weights."""
        with torch.no_grad():
            total = sum(float(self._loss(session)) for session in sessions) * self.usual_weight
        return total / max(sum(float(self._counts(session).sum()) for session in sessions), 1e-12)

    def snapshot(self) -> list[list[Tensor]]:
        """Return copies of each layer's weights on the CPU as (outputs, inputs)."""
        return [
            [weight_of(module).detach().cpu().contiguous().clone() for module in layer]
            for layer in self.layers
        ]

    def _counts(self, session: int) -> NDArray[np.float64]:
        tokens = slice(int(self.windows.starts[session]), int(self.windows.starts[session + 1]))
        return self.token_weights[tokens]

    def _loss(self, session: int) -> Tensor:
        """Return the weighted divergence over a session, a usual session's weights adding to 1."""
        model = self.language_model
        ids = torch.from_numpy(self.windows.window_ids(session).astype(np.int64))[None]
        ids = ids.to(model.device)
        with model.lock, torch.no_grad():
            dense_logits = model.model(ids, use_cache=False).logits[0]
        is_bfloat16 = model.dtype == torch.bfloat16
        with torch.autocast(model.device.type, torch.bfloat16, enabled=is_bfloat16):
            logits = self.pruned(ids, use_cache=False).logits[0]
        counts = torch.from_numpy(self._counts(session)).float().to(logits.device)
        return _divergence(logits, dense_logits, counts / self.usual_weight)


class _Divergence(torch.autograd.Function):
    """Σ_t c_t KL(softmax(dense_t) ‖ softmax(logits_t)), a few tokens' distributions at a time."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, *tensors: Tensor) -> Tensor:
        """Return the loss; its gradient c_t (q_t − p_t), at hand here, is kept for `backward`."""
        logits, dense_logits, counts = tensors
        gradient = torch.empty_like(logits)
        total = torch.zeros((), dtype=torch.float64, device=logits.device)
        for start in range(0, len(logits), _ROWS_AT_ONCE):
            rows = slice(start, start + _ROWS_AT_ONCE)
            log_q = logits[rows].float().log_softmax(dim=-1)
            log_p = dense_logits[rows].float().log_softmax(dim=-1)
            p = log_p.exp()
            total += ((p * log_p.sub_(log_q)).sum(dim=-1) * counts[rows]).double().sum()
            gradient[rows] = log_q.exp_().sub_(p).mul_(counts[rows, None])
        ctx.save_for_backward(gradient)
        return total.float()

    @staticmethod
    def backward(
        ctx: torch.autograd.function.FunctionCtx, *gradients: Tensor
    ) -> tuple[Tensor, None, None]:
        """Return the gradient of the logits that `forward` computed."""
        (gradient,) = ctx.saved_tensors  # type: ignore[attr-defined]
        return gradient * gradients[0].to(gradient.dtype), None, None


def _divergence(logits: Tensor, dense_logits: Tensor, counts: Tensor) -> Tensor:
    result: Tensor = _Divergence.apply(logits, dense_logits, counts)  # type: ignore[no-untyped-call]
    return result
