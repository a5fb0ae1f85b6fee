"""A language model in memory: its fingerprint, its anatomy and its lock."""

import hashlib
import json
import math
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from fnprune_core.errors import FingerprintMismatchError, SettingsError
from fnprune_core.models.architectures import (
    Architecture,
    BiasHome,
    feeding_of,
    known_architecture,
    layers_of,
    output_of,
    output_projections,
    text_config,
    unit_layout,
    value_of,
)
from fnprune_core.models.attention import AttentionLayout, attention_layout
from fnprune_core.models.layout import UnitLayout
from fnprune_core.models.pace import Pace, Work
from fnprune_core.models.projections import n_parameters, sample_of, shape_of, weight_of
from fnprune_core.models.sources.quantised import PACKED, PLAIN, is_quantised
from fnprune_core.models.structure.proof import proven_architecture

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

_FINGERPRINT_SAMPLES = 1024
_TIMED_TOKENS = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Anatomy:
    """The numbers that describe a loaded model."""

    name: str
    family: str
    n_layers: int
    hidden_size: int
    widths: tuple[int, ...]
    n_units: int
    n_heads: int
    n_kv_heads: int
    head_size: int
    vocabulary_size: int
    n_parameters: int
    n_mlp_parameters: int
    parameter_bytes: int
    dtype: str
    device: str
    has_gate: bool
    bias_home: BiasHome
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LanguageModel:
    """A causal language model with its tokenizer, ready to be recorded.

    The model is shared: never change it in place. Hold `lock` for one forward pass, or for one
    block in which hooks are on.
    """

    model: "PreTrainedModel"
    tokenizer: "PreTrainedTokenizerBase"
    name: str
    source: str
    architecture: Architecture
    layout: UnitLayout
    fingerprint: str
    lock: Any = field(default_factory=threading.RLock)
    pace: Pace = field(default_factory=Pace)

    @property
    def config(self) -> "PretrainedConfig":
        """The config of the decoder of text: sizes, heads, vocabulary."""
        return text_config(self.model)

    @property
    def device(self) -> torch.device:
        """Device of the input embedding, to which token ids go."""
        return weight_of(self.model.get_input_embeddings()).device

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of the weights; of quantised ones, that of what is computed."""
        if self.is_quantised:
            return weight_of(self.model.get_input_embeddings()).dtype
        return sample_of(output_projections(self.model, self.architecture)[0]).dtype

    @property
    def is_quantised(self) -> bool:
        """Whether units can be recorded and silenced, but not cut: see `sources.quantised`."""
        return is_quantised(output_projections(self.model, self.architecture)[0])

    @property
    def attention(self) -> AttentionLayout:
        """The KV groups; raises `UnsupportedArchitectureError` if the modules do not fit."""
        return attention_layout(self.model, self.architecture)

    @property
    def context_size(self) -> int | None:
        """Most tokens that the model reads at once, if its config says so."""
        size = getattr(self.config, "max_position_embeddings", None)
        return None if size is None else int(size)

    def seconds_per_token(self, work: Work = "pass") -> float:
        """Return how long some work will take for a token, as measured while the model worked.

        Of a model that has done nothing yet, one pass is timed.
        """
        if self.pace.expected(work) is None:
            size = min(_TIMED_TOKENS, self.context_size or _TIMED_TOKENS)
            ids = torch.zeros((1, size), dtype=torch.int64, device=self.device)
            for n_tokens in (min(16, size), size):  # the first pass warms up
                with self.lock, torch.inference_mode():
                    start = time.perf_counter()
                    logits = self.model(ids[:, :n_tokens], use_cache=False).logits
                    float(logits[0, -1, 0])  # waits for the device
                    seconds = time.perf_counter() - start
            self.pace.note("pass", size, seconds)
        expected = self.pace.expected(work)
        assert expected is not None  # a pass was just timed
        return expected

    def check_window(self, window: int) -> None:
        """Raise `SettingsError` if a window is longer than the model reads at once."""
        if self.context_size is not None and window > self.context_size:
            raise SettingsError(
                f"A window of {window} tokens is too long: {self.name} reads at most "
                f"{self.context_size} at once.",
                hint=f"Choose a window of at most {self.context_size}.",
            )

    def check_fingerprint(self, fingerprint: str, what: str) -> None:
        """Raise `FingerprintMismatchError` if `what` was made for another model."""
        if fingerprint != self.fingerprint:
            raise FingerprintMismatchError(
                f"This {what} was made for a model with fingerprint {fingerprint}, the loaded "
                f"model {self.name} has {self.fingerprint}.",
                hint=f"Load the model that the {what} belongs to, or make a new {what}.",
            )

    def anatomy(self) -> Anatomy:
        """Return the model's anatomy."""
        config = self.config
        n_heads = int(config.num_attention_heads)
        parameters = {id(p): p for p in self.model.parameters()}.values()
        n_mlp_parameters = sum(
            n_parameters(module)
            for layer in layers_of(self.model, self.architecture)
            for module in (
                *feeding_of(layer, self.architecture),
                output_of(layer, self.architecture),
            )
        )
        return Anatomy(
            name=self.name,
            family=self.architecture.family,
            n_layers=self.layout.n_layers,
            hidden_size=int(config.hidden_size),
            widths=self.layout.widths,
            n_units=self.layout.n_units,
            n_heads=n_heads,
            n_kv_heads=int(value_of(config, "num_key_value_heads") or n_heads),
            head_size=int(value_of(config, "head_dim") or config.hidden_size // n_heads),
            vocabulary_size=int(config.vocab_size),
            n_parameters=sum(p.numel() for p in parameters) + _packed(self.model.modules()),
            n_mlp_parameters=n_mlp_parameters,
            parameter_bytes=sum(p.numel() * p.element_size() for p in parameters),
            dtype=str(self.dtype).removeprefix("torch."),
            device=str(self.device),
            has_gate=len(self.architecture.feeding) * self.architecture.n_fused > 1,
            bias_home=self.architecture.bias_home,
            fingerprint=self.fingerprint,
        )


def _packed(modules: Iterable[nn.Module]) -> int:
    """Return how many more weights quantised projections stand for than they have parameters."""
    return sum(
        math.prod(shape_of(module)) - sum(p.numel() for p in module.parameters() if p.ndim > 1)
        for module in modules
        if hasattr(module, "in_features") and is_quantised(module)
    )


def fingerprint(model: "PreTrainedModel", architecture: Architecture) -> str:
    """Return 16 hex digits that name the weights, alike on every device and in every dtype.

    The shape of each parameter and the signs of a sample of it are hashed. A sign is all that
    no rounding changes, so a plan made in float32 fits the same model in float16 or bfloat16.
    Of quantised weights the sample itself is hashed.
    """
    digest = hashlib.sha256(architecture.family.encode())
    packed = [each for each in model.named_buffers() if each[0].endswith(PACKED)]
    for name, parameter in (*model.named_parameters(), *packed):
        step = parameter.numel() // _FINGERPRINT_SAMPLES | 1  # odd: not always the same column
        sample = parameter.detach().reshape(-1)[::step].cpu()
        digest.update(json.dumps([name, *parameter.shape]).encode())
        if parameter.dtype in PLAIN:
            digest.update(np.packbits(torch.signbit(sample).numpy()).tobytes())
        else:
            digest.update(sample.contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]


def wrap_model(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    *,
    name: str = "model",
    source: str = "",
) -> LanguageModel:
    """Return a `LanguageModel` around a model that is already in memory, in evaluation mode.

    Parameters
    ----------
    source : str, optional
        Where it came from, for exports; the name if not given.

    Raises
    ------
    UnsupportedArchitectureError
        If no units are found that can be cut, or the modules are not where the table says.
    """
    architecture = known_architecture(model.config) or proven_architecture(model)
    return LanguageModel(
        model=model.eval(),
        tokenizer=tokenizer,
        name=name,
        source=source or name,
        architecture=architecture,
        layout=unit_layout(model, architecture),
        fingerprint=fingerprint(model, architecture),
    )
