"""Table of the forms in which a pruned model is exported."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fnprune_core.inputs.tables import row_named
from fnprune_core.pruning.slicing import mask, prune, slice_per_layer, slice_uniformly

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportForm:
    """One row of the table of forms.

    Parameters
    ----------
    build : callable
        ``build(language_model, plan, refits=…)`` returns the model to save.
    description : str
        For people, in the model card and the command's help.
    is_alike : bool
        Whether every layer must keep the same number of units.
    is_smaller : bool
        Whether widths change, and can be rounded to a multiple.
    brings_code : bool
        Whether the folder holds our modelling file, and loading it asks for trust.
    is_gguf : bool
        Whether the folder holds one GGUF file for llama.cpp instead of a checkpoint.
    """

    build: "Callable[..., PreTrainedModel]"
    description: str
    is_alike: bool = False
    is_smaller: bool = True
    brings_code: bool = False
    is_gguf: bool = False


FORMS: dict[str, ExportForm] = {
    "masked": ExportForm(
        build=mask,
        description="same shapes, removed units' weights are zero; loads anywhere, not smaller",
        is_smaller=False,
    ),
    "uniform": ExportForm(
        build=slice_uniformly,
        description="the same smaller width in every layer; loads anywhere",
        is_alike=True,
    ),
    "per-layer": ExportForm(
        build=slice_per_layer,
        description="each layer as wide as the plan says; loads with its own code",
        brings_code=True,
    ),
    "gguf": ExportForm(
        build=prune,
        description="one file for llama.cpp; for Llama as the plan says, for Qwen with layers "
        "that are alike",
        is_gguf=True,
    ),
}


def form_named(name: str) -> ExportForm:
    """Return the form with this name; the error lists those there are."""
    return row_named(FORMS, name, "export form")
