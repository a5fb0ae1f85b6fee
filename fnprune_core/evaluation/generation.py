"""Text that a model writes, token by token, and where two models disagree about a text."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fnprune_core.errors import NonFiniteError, SettingsError, TextError
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.models.outputs import cache_arguments
from fnprune_core.models.sources.finite import not_finite_hint
from fnprune_core.progress import NEVER, CancelToken
from fnprune_core.texts import chat

Condition = Callable[[], AbstractContextManager[Any]]
#: Why a text ends: not yet, the model said so, as long as was asked, as long as the model reads.
Stop = Literal["", "end", "length", "context"]
#: A token, its log-probability, and the most probable tokens at its place with theirs.
_Step = tuple[int, float, NDArray[np.int64], NDArray[np.float32]]

MAX_NEW_TOKENS = 1024
N_ALTERNATIVES = 10
_CHUNK = 64  # positions whose whole distributions are in memory at once
_MAX_CHARACTERS_PER_TOKEN = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """Text that a model is given to continue.

    Parameters
    ----------
    text : str
        The prompt, or in a chat what the user says.
    is_chat : bool
        Whether it is put into the tokenizer's chat template.
    system : str
        What a chat begins with; empty for the template's own.
    """

    text: str
    is_chat: bool = False
    system: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """Rule by which the next token is chosen.

    Parameters
    ----------
    max_new_tokens : int
        At most so many are written.
    temperature : float
        0 takes the most probable token; above, tokens are drawn from the distribution sharpened
        (below 1) or flattened (above 1) by it.
    top_p : float
        Tokens are drawn from the fewest that together are this probable.
    seed : int
        Of the draws; each text begins them anew.
    """

    max_new_tokens: int = 64
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.max_new_tokens <= MAX_NEW_TOKENS:
            raise SettingsError(
                f"From 1 to {MAX_NEW_TOKENS} tokens can be written, not {self.max_new_tokens}."
            )
        if not 0 <= self.temperature <= 10:
            raise SettingsError(
                f"The temperature is from 0 to 10, got {self.temperature}.",
                hint="0 always takes the most probable token, 1 draws from the model as it is.",
            )
        if not 0 < self.top_p <= 1:
            raise SettingsError(
                f"top_p is above 0 and at most 1, got {self.top_p}.", hint="1 leaves no token out."
            )
        if not 0 <= self.seed < 2**63:
            raise SettingsError(f"seed must be 0 or more, below 2^63; got {self.seed}.")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Generation:
    """A text so far, with the model's probabilities at each of its tokens.

    Parameters
    ----------
    token_ids : ndarray (n_tokens,)
        Without the prompt; the token that ends a text is its last.
    log_probability : ndarray (n_tokens,)
        Natural logarithm, of the model's own distribution whatever the temperature.
    top_ids, top_log_probability : ndarray (n_tokens, n_alternatives)
        The most probable tokens at each place, first the most probable.
    stop : str
        Why it ends, empty while it grows.
    """

    token_ids: NDArray[np.int64]
    log_probability: NDArray[np.float32]
    top_ids: NDArray[np.int64]
    top_log_probability: NDArray[np.float32]
    stop: Stop

    @property
    def n_tokens(self) -> int:
        """Number of tokens written."""
        return len(self.token_ids)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Disagreement:
    """Predictions of two models at each place of one text, each having read all before it.

    Parameters
    ----------
    divergence : ndarray (n_tokens,)
        Kullback–Leibler divergence of the pruned model's next-token distribution from the dense
        model's, Σ p (log p − log q), in nats.
    log_probability : ndarray (2, n_tokens)
        Of the text's tokens, by the dense and the pruned model.
    top_ids : ndarray (2, n_tokens, n_alternatives)
        The tokens that each model finds most probable.
    top_log_probability : ndarray (2, 2, n_tokens, n_alternatives)
        By the first model, of the tokens that the second finds most probable.
    """

    divergence: NDArray[np.float32]
    log_probability: NDArray[np.float32]
    top_ids: NDArray[np.int64]
    top_log_probability: NDArray[np.float32]

    def candidates(self, place: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return the tokens that either model finds most probable at a place, with both's log p.

        Returns
        -------
        ids : ndarray (n,)
            By the larger of the two probabilities.
        log_probability : ndarray (2, n)
            By the dense and the pruned model.
        """
        top_ids = self.top_ids[:, place].ravel()
        log_p = self.top_log_probability[:, :, place].reshape(2, -1)
        ids, index = np.unique(top_ids, return_index=True)
        order = np.argsort(-log_p[:, index].max(axis=0), kind="stable")
        return ids[order], log_p[:, index[order]]

    def most(self, n: int = 5) -> NDArray[np.int64]:
        """Return the places where the models disagree most, the strongest first."""
        return np.argsort(-self.divergence, kind="stable")[:n]


def has_chat_template(language_model: LanguageModel) -> bool:
    """Whether the tokenizer has a chat template."""
    return chat.has_chat_template(language_model.tokenizer)


def encode(language_model: LanguageModel, prompt: Prompt) -> tuple[int, ...]:
    """Return a prompt's token ids.

    Raises
    ------
    TextError
        If there is nothing to continue, or the model cannot read so much.
    SettingsError
        If a chat is asked of a tokenizer without a template.
    """
    limit = language_model.context_size
    n_characters = len(prompt.text) + len(prompt.system)
    if limit is not None and n_characters > _MAX_CHARACTERS_PER_TOKEN * limit:
        raise TextError(
            f"The prompt has {n_characters:,} characters, too many: {language_model.name} reads at "
            f"most {limit:,} tokens at once.",
            hint="Shorten it.",
        )
    ids = _chat_ids(language_model, prompt) if prompt.is_chat else _raw_ids(language_model, prompt)
    if not ids:
        raise TextError("The prompt is empty.", hint="Write a few words to be continued.")
    if limit is not None and len(ids) >= limit:
        raise TextError(
            f"The prompt has {len(ids):,} tokens; {language_model.name} reads at most {limit:,} at "
            "once, and must have room to write.",
            hint="Shorten it.",
        )
    return ids


def _raw_ids(language_model: LanguageModel, prompt: Prompt) -> tuple[int, ...]:
    text = prompt.text.encode("utf-8", "replace").decode("utf-8")  # a lone half of a pair
    return tuple(language_model.tokenizer(text)["input_ids"]) if text else ()


def _chat_ids(language_model: LanguageModel, prompt: Prompt) -> tuple[int, ...]:
    if not has_chat_template(language_model):
        raise SettingsError(
            f"The tokenizer of {language_model.name} has no chat template.",
            hint="Give the prompt as it is, without the template.",
        )
    if not prompt.text.strip():
        raise TextError("The prompt is empty.", hint="Write what the user says.")
    turns = [{"role": "system", "content": prompt.system}] if prompt.system.strip() else []
    turns.append({"role": "user", "content": prompt.text.encode("utf-8", "replace").decode()})
    try:
        text = language_model.tokenizer.apply_chat_template(
            turns, add_generation_prompt=True, tokenize=False
        )
    except Exception as error:  # a template is a program of the checkpoint's own
        raise SettingsError(
            f"The chat template of {language_model.name} refused this chat: {error}.",
            hint="Leave the system's turn out, or give the prompt without the template.",
        ) from error
    return tuple(language_model.tokenizer(text, add_special_tokens=False)["input_ids"])


def end_tokens(language_model: LanguageModel) -> frozenset[int]:
    """Return the ids with which the model ends a text."""
    configured = getattr(language_model.model.generation_config, "eos_token_id", None)
    ids = configured if isinstance(configured, list | tuple) else [configured]
    ids = [*ids, language_model.tokenizer.eos_token_id]
    return frozenset(int(i) for i in ids if i is not None)


def generate_stream(
    language_model: LanguageModel,
    prompt_ids: Sequence[int],
    *,
    sampling: Sampling = Sampling(),
    condition: Condition | None = None,
    cancel: CancelToken = NEVER,
) -> Iterator[Generation]:
    """Yield the text so far after each token; the last one is whole.

    The model's lock is held, and the condition's hooks are on, for one forward pass at a time:
    between tokens others use the shared model as it is. Keys and values of what was read are kept
    (they belong to the condition), so a token costs one pass over one token.

    Parameters
    ----------
    prompt_ids : sequence of int
        As `encode` returns them.
    condition : callable, optional
        Returns the context of a forward pass that holds the model's lock, such as `silenced`; the
        dense model by default.

    Raises
    ------
    NonFiniteError
        If the model's logits are not finite.
    """
    streams = _generate_rows(
        language_model, [prompt_ids], sampling=sampling, condition=condition, cancel=cancel
    )
    return (written for (written,) in streams)


def generate_together(
    language_model: LanguageModel,
    prompts: Sequence[Sequence[int]],
    *,
    max_new_tokens: int,
    condition: Condition | None = None,
    cancel: CancelToken = NEVER,
) -> tuple[Generation, ...]:
    """Return what the model writes after prompts of equal length, each its most probable tokens.

    A pass reads one token of every text: on a CPU four texts take little longer than one.

    Parameters
    ----------
    prompts : sequence of sequences of int
        Token ids as `encode` returns them; all have the same number of tokens, so that none needs
        padding.

    Raises
    ------
    NonFiniteError
        If the model's logits are not finite.
    """
    *_, written = _generate_rows(
        language_model, prompts, sampling=Sampling(max_new_tokens=max_new_tokens),
        condition=condition, cancel=cancel,
    )  # fmt: skip
    return written


def _generate_rows(
    language_model: LanguageModel,
    prompts: Sequence[Sequence[int]],
    *,
    sampling: Sampling,
    condition: Condition | None,
    cancel: CancelToken,
) -> Iterator[tuple[Generation, ...]]:
    """Yield the texts so far after each token, until all have ended."""
    ends = end_tokens(language_model)
    generator = torch.Generator().manual_seed(sampling.seed)
    limit = MAX_NEW_TOKENS if language_model.context_size is None else language_model.context_size
    n_most = min(sampling.max_new_tokens, limit - len(prompts[0]))
    rows: list[list[_Step]] = [[] for _ in prompts]
    stops: list[Stop] = [""] * len(prompts)
    cache: dict[str, Any] = {}
    unread_ids = [list(prompt) for prompt in prompts]
    while not all(stops):
        cancel.raise_if_cancelled()
        next_log_p, cache = _next_log_p(language_model, unread_ids, cache, condition)
        unread_ids = []
        for row, log_p in enumerate(next_log_p):
            token = _choose_token(log_p, sampling, generator)
            unread_ids.append([token])
            if stops[row]:
                continue
            top = log_p.topk(min(N_ALTERNATIVES, len(log_p)))
            step = token, float(log_p[token]), top.indices.numpy(), top.values.numpy()
            rows[row].append(step)
            if token in ends:
                stops[row] = "end"
            elif len(rows[row]) == n_most:
                stops[row] = "length" if n_most == sampling.max_new_tokens else "context"
        yield tuple(map(_generation, rows, stops))


def _generation(steps: Sequence[_Step], stop: Stop) -> Generation:
    ids, log_p, top_ids, top_log_p = zip(*steps, strict=True)
    return Generation(
        token_ids=np.asarray(ids, dtype=np.int64),
        log_probability=np.asarray(log_p, dtype=np.float32),
        top_ids=np.asarray(top_ids, dtype=np.int64),
        top_log_probability=np.asarray(top_log_p, dtype=np.float32),
        stop=stop,
    )


def _next_log_p(
    language_model: LanguageModel,
    unread_ids: Sequence[Sequence[int]],
    cache: Mapping[str, Any],
    condition: Condition | None,
) -> tuple[Tensor, dict[str, Any]]:
    """Return log-probabilities of each text's next token (texts, vocabulary), and the cache."""
    ids = torch.tensor(unread_ids, dtype=torch.long, device=language_model.device)
    context = language_model.lock if condition is None else condition()
    with context, torch.inference_mode():
        output = language_model.model(ids, use_cache=True, logits_to_keep=1, **cache)
    return _log_probabilities(output.logits[:, -1]).cpu(), cache_arguments(output)


def _log_probabilities(logits: Tensor) -> Tensor:
    """Return log-probabilities (positions, vocabulary) in float32."""
    if not torch.isfinite(logits).all():
        raise NonFiniteError(
            "The model's next-token scores are not finite.",
            hint=f"{not_finite_hint(logits.dtype)} A plan that ruins the model may do this too.",
        )
    return torch.log_softmax(logits.float(), dim=-1)


def _choose_token(log_p: Tensor, sampling: Sampling, generator: torch.Generator) -> int:
    if sampling.temperature == 0:
        return int(log_p.argmax())
    nucleus = most_probable(torch.softmax(log_p / sampling.temperature, dim=-1), sampling.top_p)
    return int(torch.multinomial(nucleus, 1, generator=generator))


def most_probable(probabilities: Tensor, top_p: float) -> Tensor:
    """Return probabilities with all 0 but the fewest tokens that together have `top_p`."""
    if top_p >= 1:
        return probabilities
    ordered, order = probabilities.sort(descending=True)
    before = ordered.cumsum(dim=-1) - ordered  # what is more probable; 0 for the first
    return probabilities.clone().index_fill_(-1, order[before >= top_p], 0.0)


def disagreement(
    language_model: LanguageModel,
    prompt_ids: Sequence[int],
    token_ids: Sequence[int] | NDArray[np.int64],
    *,
    pruned: Condition,
) -> Disagreement:
    """Return both models' predictions at each token of a text after a prompt.

    Both read the same text, whoever wrote it, in one pass each. Memory: the text's tokens ×
    vocabulary, twice in the model's dtype.
    """
    text = [int(i) for i in token_ids]
    ids = torch.tensor([[*prompt_ids, *text]], dtype=torch.long, device=language_model.device)
    dense_logits, pruned_logits = (
        _logits(language_model, ids, len(text), condition) for condition in (None, pruned)
    )
    chunks = [
        _compare_logits(
            dense_logits[start : start + _CHUNK],
            pruned_logits[start : start + _CHUNK],
            text[start:],
        )
        for start in range(0, len(text), _CHUNK)
    ]
    return Disagreement(
        divergence=np.concatenate([chunk.divergence for chunk in chunks]),
        log_probability=np.concatenate([chunk.log_probability for chunk in chunks], axis=1),
        top_ids=np.concatenate([chunk.top_ids for chunk in chunks], axis=1),
        top_log_probability=np.concatenate([chunk.top_log_probability for chunk in chunks], axis=2),
    )


def _logits(
    language_model: LanguageModel, ids: Tensor, n_tokens: int, condition: Condition | None
) -> Tensor:
    """Return the logits that predict the last `n_tokens` of ids: (n_tokens, vocabulary)."""
    context = language_model.lock if condition is None else condition()
    with context, torch.inference_mode():
        output = language_model.model(ids, use_cache=False, logits_to_keep=n_tokens + 1)
    logits: Tensor = output.logits[0, -n_tokens - 1 : -1]
    return logits


def _compare_logits(dense: Tensor, pruned: Tensor, text: Sequence[int]) -> Disagreement:
    """Return a comparison of two models' logits (positions, vocabulary); `text` may be longer."""
    log_p = torch.stack([_log_probabilities(dense), _log_probabilities(pruned)])
    tokens = torch.tensor(text[: len(dense)], dtype=torch.long, device=dense.device)
    p, q = log_p
    divergence = (p.exp() * (p - q)).sum(dim=-1, dtype=torch.float64).clamp(min=0)
    tops = log_p.topk(min(N_ALTERNATIVES, log_p.shape[-1])).indices
    top_log_p = torch.stack(
        [torch.stack([model_log_p.gather(-1, top) for top in tops]) for model_log_p in log_p]
    )
    text_log_p = log_p.gather(-1, tokens.expand(2, -1)[..., None])[..., 0]
    return Disagreement(
        divergence=divergence.float().cpu().numpy(),
        log_probability=text_log_p.cpu().numpy(),
        top_ids=tops.cpu().numpy(),
        top_log_probability=top_log_p.cpu().numpy(),
    )


def first_difference(a: Generation, b: Generation) -> int | None:
    """Return the first place at which two texts differ, or at which one has ended; None if none."""
    n = min(a.n_tokens, b.n_tokens)
    differ = np.flatnonzero(a.token_ids[:n] != b.token_ids[:n])
    if len(differ):
        return int(differ[0])
    return None if a.n_tokens == b.n_tokens else n


def repeated_share(token_ids: Sequence[int] | NDArray[np.int64], *, run: int = 4) -> float:
    """Return the share of a text's runs of tokens that repeat an earlier one; 0 if too short."""
    runs = [tuple(token_ids[i : i + run]) for i in range(len(token_ids) - run + 1)]
    return 1 - len(set(runs)) / len(runs) if runs else 0.0
