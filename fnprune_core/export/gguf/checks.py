"""The check of a GGUF file: its weights within rounding, and llama.cpp writes what they say."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from fnprune_core.errors import PlanError
from fnprune_core.export.gguf import llama_cpp
from fnprune_core.export.gguf.files import FAMILIES, architecture_of
from fnprune_core.export.gguf.tokenizer import PROBE
from fnprune_core.export.gguf.weights import INSTALL, weight_type
from fnprune_core.models.language_model import LanguageModel

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_N_TOKENS = 12  # written after each prompt
_N_PROBS = 50  # log-probabilities compared for each
_N_RANDOM = 2  # prompts of random tokens, beside one of text


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How far llama.cpp is from the weights that a file holds.

    Parameters
    ----------
    n_same, n_tokens : int
        Of the tokens that llama.cpp wrote as the likeliest, how many are that by the weights.
    n_ties : int
        Of the others, how many are as likely as the likeliest, up to llama.cpp's rounding.
    difference : float
        Root mean square difference of log-probabilities, nats.
    """

    n_same: int
    n_ties: int
    n_tokens: int
    difference: float

    def sentence(self) -> str:
        """Return the comparison in words."""
        ties = f" and {self.n_ties} as likely up to rounding" if self.n_ties else ""
        return (
            f"llama.cpp ({llama_cpp.PACKAGE} {llama_cpp.version()}) wrote {self.n_same} of "
            f"{self.n_tokens} tokens as these weights say{ties}; its log-probabilities differ by "
            f"{self.difference:.1e} nats."
        )


def check_by_llama_cpp(
    language_model: LanguageModel, model: "PreTrainedModel", path: Path, *, weights: str
) -> Agreement:
    """Run a file by llama.cpp, and compare what it writes with the weights that it holds.

    Parameters
    ----------
    model : PreTrainedModel
        The pruned copy, with the file's weights (`read_weights`).

    Raises
    ------
    PlanError
        If llama.cpp cuts a text into other tokens, or writes what the weights do not say.
    """
    tokenizer, noise = language_model.tokenizer, weight_type(weights).noise
    text_ids = tokenizer(PROBE)["input_ids"]
    generator = torch.Generator().manual_seed(0)
    vocabulary = min(len(tokenizer), int(model.config.vocab_size))
    random_ids = [
        torch.randint(vocabulary, (24,), generator=generator).tolist() for _ in range(_N_RANDOM)
    ]
    written = llama_cpp.continuations(
        path, [text_ids, *random_ids], plain=llama_cpp.plain_token(tokenizer), text=PROBE,
        n_tokens=_N_TOKENS, n_probs=_N_PROBS,
    )  # fmt: skip
    if written[0].n_prompt != len(text_ids):
        raise PlanError(
            f"llama.cpp cuts a text into {written[0].n_prompt} tokens, the tokenizer into "
            f"{len(text_ids)}; nothing was written.",
            hint="Does the model's tokenizer need code of its own? Report it.",
        )
    agreement = agreement_of(model, [text_ids, *random_ids], written, noise=noise)
    n_agreed = agreement.n_same + agreement.n_ties
    if n_agreed < agreement.n_tokens or not agreement.difference < noise:
        raise PlanError(
            f"llama.cpp wrote {n_agreed} of {agreement.n_tokens} tokens as the file's weights say, "
            f"and its log-probabilities differ by {agreement.difference:.2g} nats (allowed "
            f"{noise:.2g}); nothing was written.",
            hint="Export with other --weights; if it persists, report it.",
        )
    return agreement


def agreement_of(
    model: "PreTrainedModel",
    prompts: Sequence[Sequence[int]],
    written: Sequence[llama_cpp.Continuation],
    *,
    noise: float,
) -> Agreement:
    """Return how far what llama.cpp wrote after prompts is from a model's own probabilities."""
    n_same = n_ties = n_tokens = 0
    differences: list[float] = []
    for prompt, continuation in zip(prompts, written, strict=True):
        expected = _log_probabilities(model, [*prompt, *continuation.ids])[len(prompt) - 1 : -1]
        for row, id, likeliest in zip(
            expected, continuation.ids, continuation.likeliest, strict=True
        ):
            gap = float(row.max() - row[id])
            n_same += gap == 0
            n_ties += 0 < gap <= 2 * noise
            n_tokens += 1
            ids = list(likeliest)
            differences += (
                row[ids] - torch.tensor([likeliest[id] for id in ids], dtype=torch.float32)
            ).tolist()
    return Agreement(
        n_same=n_same,
        n_ties=n_ties,
        n_tokens=n_tokens,
        difference=float(np.sqrt(np.mean(np.square(differences)))) if differences else 0.0,
    )


def check_can_be_run(language_model: LanguageModel, model: "PreTrainedModel") -> None:
    """Raise where a copy's file could not be checked: only llama.cpp reads layers that differ.

    Raises
    ------
    PlanError
        If it is an architecture that transformers does not read, and llama.cpp is not here.
    """
    family = FAMILIES.get(language_model.architecture.family)
    if family is None or llama_cpp.is_installed():
        return
    if architecture_of(family, model) != family.name:
        raise PlanError(
            "A GGUF file whose layers differ, or with biases, is read by llama.cpp alone, which is "
            "not here to check it.",
            hint=f"Install it ({INSTALL}); or plan with the uniform allocation and without "
            "intercept.",
        )


def _log_probabilities(model: "PreTrainedModel", ids: Sequence[int]) -> Tensor:
    """Return the log-probabilities of every token after each of some, (tokens, vocabulary)."""
    device = next(model.parameters()).device
    read = torch.tensor([ids], dtype=torch.long, device=device)
    with torch.inference_mode():
        logits: Tensor = model(read, use_cache=False).logits[0]
    return logits.float().log_softmax(dim=-1).cpu()
