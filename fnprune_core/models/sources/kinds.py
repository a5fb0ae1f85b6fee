"""Kinds of models that have no units to be cut, told by their config alone, with the reason."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from fnprune_core.errors import UnsupportedArchitectureError
from fnprune_core.models.architectures import value_of

if TYPE_CHECKING:
    from transformers import PretrainedConfig

#: What configs of models with a recurrent state have, and no others: Mamba, RWKV, xLSTM.
_OF_STATES = ("state_size", "attention_hidden_size", "qk_dim_factor")


def refuse_kind(source: str, config: "PretrainedConfig") -> None:
    """Raise `UnsupportedArchitectureError` if a model is no decoder with attention.

    What a decoder lacks beside that is found by its structure, later.
    """
    text = config.get_text_config(decoder=True)
    reason = reason_against(
        str(config.model_type), partial(value_of, config), of_text=partial(value_of, text)
    )
    if reason:
        raise UnsupportedArchitectureError(
            f"The model {source!r} {reason}.",
            hint="fnprune works on models that only decode: Llama, Qwen, Mistral, GPT and alike.",
        )


def reason_against(
    kind: str, value: Callable[[str], Any], *, of_text: Callable[[str], Any] | None = None
) -> str:
    """Return why a model of a type is no decoder with attention, as a predicate; empty if it is.

    Parameters
    ----------
    kind : str
        The config's ``model_type``.
    value, of_text : callable
        Returns a value of the config by name, or None; that of the decoder of text, where a
        multimodal model wraps one.
    """
    from transformers.models.auto import modeling_auto

    text = of_text or value
    if value("is_encoder_decoder"):
        return f"reads with an encoder and writes with a decoder ({kind})"
    if kind in modeling_auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES and not value("is_decoder"):
        return (
            f"is an encoder ({kind}): it reads a text in both directions and predicts no next token"
        )
    if kind not in modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        return f"is of type {kind!r}, of which transformers has none that predicts the next token"
    has_state = any(text(name) is not None for name in _OF_STATES)
    if has_state and text("num_attention_heads") is None:
        return (
            f"is a state-space or recurrent model ({kind}): its layers carry a state from token to "
            "token and have no MLP whose units could be cut"
        )
    return ""
