"""Quantised checkpoints: whether their kernels run here, and what their weights forbid.

A model whose weights stay quantised can be recorded and decomposed, and units can be silenced in
it; its units cannot be cut, refitted or exported, for that takes plain weights.
"""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from fnprune_core.errors import UnsupportedArchitectureError

if TYPE_CHECKING:
    from transformers import PretrainedConfig

#: Names of packed weights in modules of GPTQ and AWQ, which have no parameter "weight".
PACKED = ("qweight", "weight_packed")
_INSTALL = re.compile(r"`(pip install [^`]+)`")
PLAIN = (torch.float32, torch.bfloat16, torch.float16, torch.float64)
INSTEAD = "Give the checkpoint it was made from, or a GGUF file, which is dequantised."
CANNOT = "pruning, refits, exports and scores that read weights need plain weights"


def method_of(config: "PretrainedConfig") -> str:
    """Return how a checkpoint is quantised (``"awq"``, ``"bitsandbytes"``), or ``""``."""
    settings = getattr(config, "quantization_config", None)
    if not settings:
        return ""
    values: Mapping[str, Any] = settings if isinstance(settings, Mapping) else vars(settings)
    method = values.get("quant_method", "unknown")
    return str(getattr(method, "value", method))


def check_kernels(source: str, config: "PretrainedConfig", device: torch.device) -> None:
    """Refuse a quantised checkpoint whose kernels are missing, with what to install.

    Raises
    ------
    UnsupportedArchitectureError
        If transformers does not know the method, or lacks a package or a device for it.
    """
    from transformers.quantizers.auto import AutoHfQuantizer

    method = method_of(config)
    try:
        quantiser = AutoHfQuantizer.from_config(config.quantization_config, pre_quantized=True)
        quantiser.validate_environment(device_map={"": str(device)}, weights_only=True)
    except Exception as error:  # each method refuses in its own way
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(" .:")
        command = _INSTALL.search(str(error))
        first = f"Install what it needs, `{command[1]}`, and try again. " if command else ""
        raise UnsupportedArchitectureError(
            f"The model {source!r} is quantised ({method}), and that cannot run here: {reason}.",
            hint=f"{first}{INSTEAD}",
        ) from error


def is_quantised(module: nn.Module) -> bool:
    """Whether the weight of a projection is packed or of integers."""
    weight = getattr(module, "weight", None)
    if not isinstance(weight, torch.Tensor):
        return any(hasattr(module, name) for name in PACKED)
    return weight.dtype not in PLAIN


def refusal(module: nn.Module) -> UnsupportedArchitectureError:
    """Return the error of whoever needs the plain weights of a quantised projection."""
    return UnsupportedArchitectureError(
        f"The weights of this model are quantised ({type(module).__name__}): it can be recorded, "
        f"decomposed and silenced, but {CANNOT}.",
        hint=INSTEAD,
    )
