"""A stock transformers model whose MLP and attention have a size of their own in each layer.

This file is copied into every per-layer export, and needs torch and transformers alone. The
config says which widths (`layer_widths`), where the MLPs are (`mlp_modules`) and, where heads are
gone, how many are left (`attention_modules`). Load it with
``AutoModelForCausalLM.from_pretrained(folder, trust_remote_code=True)``, or import this file and
call ``from_pretrained`` of the class that the config's `auto_map` names.

The base model has the widths by itself (`AutoModel`), for servers that put a head of their own on
it: vLLM asks this of custom models.
"""

import copy
from collections.abc import Sequence
from typing import Any

import transformers
from torch import nn
from transformers import PretrainedConfig
from transformers.pytorch_utils import Conv1D

PREFIX = "PerLayer"


def __getattr__(name: str) -> Any:
    """Make `PerLayerXForCausalLM`, `PerLayerXModel`, `PerLayerXConfig` from stock ones if asked."""
    stock = getattr(transformers, name.removeprefix(PREFIX), None)
    if not name.startswith(PREFIX) or not isinstance(stock, type):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    per_layer_class = (
        _config_class(stock) if issubclass(stock, PretrainedConfig) else _model_class(stock)
    )
    globals()[name] = per_layer_class
    return per_layer_class


def _config_class(stock: Any) -> Any:
    # A type of its own: without the code, loading says so instead of finding wrong shapes.
    members = {"model_type": f"fnprune_{stock.model_type}", "__module__": __name__}
    return type(PREFIX + stock.__name__, (stock,), members)


def _model_class(stock: Any) -> Any:
    def __init__(self: Any, config: Any, *args: Any, **options: Any) -> None:
        stock.__init__(self, config, *args, **options)
        if getattr(config, "parameter_shapes", None):
            _reshape(self, config.parameter_shapes)
        else:
            modules = config.mlp_modules
            layers = _own_path(self, modules["layers"])
            _resize(self, config.layer_widths, **{**modules, "layers": layers})
        if getattr(config, "attention_modules", None):
            _resize_attention(self, config.attention_modules)

    config_name = PREFIX + stock.config_class.__name__
    members = {
        "__init__": __init__,
        "__module__": __name__,
        "config_class": globals().get(config_name) or __getattr__(config_name),
    }
    return type(PREFIX + stock.__name__, (stock,), members)


def _own_path(model: Any, path: str) -> str:
    """Return a path that starts at the causal model as it is from `model`: it, or its base."""
    is_base = model.base_model is model
    return path.removeprefix(f"{model.base_model_prefix}.") if is_base else path


def _reshape(model: nn.Module, shapes: dict[str, list[int]]) -> None:
    """Replace parameters by some of other shapes, by name: those of experts."""
    for name, shape in shapes.items():
        path, _, own = _own_path(model, name).rpartition(".")
        module = model.get_submodule(path)
        old = module.get_parameter(own)
        setattr(module, own, nn.Parameter(old.new_zeros(shape), old.requires_grad))


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
            layer.set_submodule(path, _new_projection(module, inputs, n_fused * width, bias))
        module = layer.get_submodule(output)
        _, outputs = _sizes(module)
        layer.set_submodule(output, _new_projection(module, width, outputs, output_bias))


def _resize_attention(model: nn.Module, modules: dict[str, Any]) -> None:
    """Replace the modules of each layer's attention by some for its own number of KV groups.

    `modules` says how many `groups` each layer has; how many rows a group has in each module of
    `feeding` and columns in the `output`; and which attributes count heads (`counts`).
    """
    layers = model.get_submodule(_own_path(model, modules["layers"])).children()
    for layer, n in zip(layers, modules["groups"], strict=True):
        for path, rows in modules["feeding"].items():
            module = layer.get_submodule(path)
            bias = getattr(module, "bias", None) is not None
            layer.set_submodule(path, _new_projection(module, _sizes(module)[0], n * rows, bias))
        module = layer.get_submodule(modules["output"])
        projection = _new_projection(
            module, n * modules["columns"], _sizes(module)[1], modules["output_bias"]
        )
        layer.set_submodule(modules["output"], projection)
        set_head_counts(layer, modules["counts"], n)


def set_head_counts(layer: nn.Module, counts: Sequence[Sequence[Any]], n_groups: int) -> None:
    """Set the attributes of a layer that count heads: module, attribute, how many a group adds."""
    for path, attribute, per_group in counts:
        module: Any = layer.get_submodule(path)
        if attribute.startswith("config."):  # other layers have other numbers
            module.config = module = copy.copy(module.config)
        setattr(module, attribute.removeprefix("config."), per_group * n_groups)


def _sizes(module: Any) -> tuple[int, int]:
    if isinstance(module, Conv1D):  # its weight is stored the other way
        return module.nx, module.nf
    return module.in_features, module.out_features


def _new_projection(module: Any, inputs: int, outputs: int, bias: bool) -> nn.Module:
    """Return a new module of the same kind with other sizes."""
    if isinstance(module, Conv1D):
        return Conv1D(outputs, inputs)
    weight = module.weight
    return nn.Linear(inputs, outputs, bias=bias, device=weight.device, dtype=weight.dtype)
