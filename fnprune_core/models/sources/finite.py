"""Models that compute NaN or infinity: found as they are loaded, and what can be done."""

from typing import TYPE_CHECKING

import torch

from fnprune_core.errors import NonFiniteError

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_N_TOKENS = 6
_WIDER = {
    torch.float16: "Load the model in bfloat16 or float32 (--dtype): float16 ends at 65,504.",
    torch.bfloat16: "Load the model in float32 (--dtype float32).",
    torch.float32: "It is in float32 already: its weights are damaged, or belong to another "
    "config. Fetch the model again.",
}


def not_finite_hint(dtype: torch.dtype | None) -> str:
    """Return what to do about NaN from a model in a dtype; None if it is not known."""
    if dtype is None:
        return "Load the model in float32 (--dtype float32)."
    return _WIDER.get(dtype, "Load the model in float32 (--dtype float32).")


def check_finite_model(source: str, model: "PreTrainedModel") -> None:
    """Raise `NonFiniteError` if a model predicts NaN or infinity on a few tokens, with what to do.

    Where they do, each weight is looked at, to tell a damaged file from a dtype that is too narrow.
    """
    embedding = model.get_input_embeddings().get_parameter("weight")
    ids = torch.arange(_N_TOKENS, dtype=torch.int64, device=embedding.device) % len(embedding)
    with torch.inference_mode():
        logits: torch.Tensor = model.eval()(ids[None], use_cache=False).logits
    if bool(torch.isfinite(logits).all()):
        return
    broken = [
        name
        for name, parameter in model.named_parameters()
        if parameter.is_floating_point() and not bool(torch.isfinite(parameter).all())
    ]
    if broken:
        raise NonFiniteError(
            f"Weights of {source!r} are NaN or infinite, in {len(broken)} tensors, {broken[0]} "
            "among them.",
            hint="Its files are damaged, or its training failed. Fetch the model again.",
        )
    raise NonFiniteError(
        f"The model {source!r} predicts NaN or infinity on a few tokens in {logits.dtype}, though "
        "its weights are numbers.",
        hint=not_finite_hint(logits.dtype),
    )
