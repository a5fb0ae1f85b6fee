"""A stock transformers model whose MLP has a width of its own in each layer.

This file is copied into every per-layer export, and needs torch and transformers alone. The
config says which widths (`layer_widths`) and where the MLPs are (`mlp_modules`). Load it with
``AutoModelForCausalLM.from_pretrained(folder, trust_remote_code=True)``, or import this file and
call ``from_pretrained`` of the class that the config's `auto_map` names.
"""

from typing import Any

import transformers
from torch import nn
from transformers import PretrainedConfig
from transformers.pytorch_utils import Conv1D

PREFIX = "PerLayer"


def __getattr__(name: str) -> Any:
    """Make `PerLayerXForCausalLM` and `PerLayerXConfig` from the stock class X when asked."""
    stock = getattr(transformers, name.removeprefix(PREFIX), None)
    if not name.startswith(PREFIX) or not isinstance(stock, type):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    made = _config_class(stock) if issubclass(stock, PretrainedConfig) else _model_class(stock)
    globals()[name] = made
    return made


def _config_class(stock: Any) -> Any:
    # A type of its own: without the code, loading says so instead of finding wrong shapes.
    members = {"model_type": f"fnprune_{stock.model_type}", "__module__": __name__}
    return type(PREFIX + stock.__name__, (stock,), members)


def _model_class(stock: Any) -> Any:
    def __init__(self: Any, config: Any, *args: Any, **options: Any) -> None:
        stock.__init__(self, config, *args, **options)
        _resize(self, config.layer_widths, **config.mlp_modules)

    config_name = PREFIX + stock.config_class.__name__
    members = {
        "__init__": __init__,
        "__module__": __name__,
        "config_class": globals().get(config_name) or __getattr__(config_name),
    }
    return type(PREFIX + stock.__name__, (stock,), members)


def _resize(
    model: nn.Module,
    widths: list[int],
    *,
    layers: str,
    feeding: list[str],
    n_fused: int,
    output: str,
    output_bias: bool,
) -> None:
    """Replace the modules that feed each layer's units, and the one that reads them.

    The paths lead from the model to its layers, and from a layer to its modules.
    """
    for layer, width in zip(model.get_submodule(layers).children(), widths, strict=True):
        for path in feeding:
            module = layer.get_submodule(path)
            inputs, _ = _sizes(module)
            bias = getattr(module, "bias", None) is not None
            layer.set_submodule(path, _like(module, inputs, n_fused * width, bias))
        module = layer.get_submodule(output)
        _, outputs = _sizes(module)
        layer.set_submodule(output, _like(module, width, outputs, output_bias))


def _sizes(module: Any) -> tuple[int, int]:
    if isinstance(module, Conv1D):  # its weight is stored the other way
        return module.nx, module.nf
    return module.in_features, module.out_features


def _like(module: Any, inputs: int, outputs: int, bias: bool) -> nn.Module:
    if isinstance(module, Conv1D):
        return Conv1D(outputs, inputs)
    weight = module.weight
    return nn.Linear(inputs, outputs, bias=bias, device=weight.device, dtype=weight.dtype)
