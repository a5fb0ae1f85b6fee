"""Tiny models whose tokenizers and rotations GGUF files can hold."""

import numpy as np
import tiny
from transformers import LlamaConfig, Qwen2Config, Qwen3Config

from fnprune_core.models.language_model import wrap_model

SIZES = {
    **tiny._GROUPED,
    "vocab_size": 328,  # eight more than the tokenizer knows
    "intermediate_size": 48,
    "max_position_embeddings": 256,
}
CONFIGS = {
    "Llama": lambda **more: LlamaConfig(**SIZES, rms_norm_eps=1e-4, **more),
    "Qwen2": lambda **more: Qwen2Config(**SIZES, rms_norm_eps=1e-4, **more),
    # heads of another size than hidden / heads, as the real ones have
    "Qwen3": lambda **more: Qwen3Config(**{**SIZES, "rms_norm_eps": 1e-4, "head_dim": 128, **more}),
}


def bpe_model(family="Llama", *, rule=None, **config):
    """A tiny model with a byte-level BPE, and rotations that differ from the default's."""
    rope = {"rope_type": "default", "rope_theta": 500.0}
    made = CONFIGS[family](**{"rope_parameters": rope, **config})
    return wrap_model(tiny.tiny_model(family, config=made), tiny.bpe_tokenizer(rule), name="tiny")


def alike_plan(language_model, n_removed=16):
    return tiny.toy_plan(
        language_model,
        [
            np.sort(np.random.default_rng(layer).choice(width, size=n_removed, replace=False))
            for layer, width in enumerate(language_model.layout.widths)
        ],
    )
