"""Take a pruned model away: a folder that other tools load, checked before it is announced."""

import math
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import ModelCard, ModelCardData
from torch import Tensor
from transformers import PreTrainedModel

from fnprune_core import modeling_per_layer
from fnprune_core.errors import PlanError, SettingsError, StorageError
from fnprune_core.models import LanguageModel
from fnprune_core.plan_files import write_plan
from fnprune_core.plans import PruningPlan
from fnprune_core.progress import Progress, ProgressEvent, ignore
from fnprune_core.pruning import mask, slice_per_layer, slice_uniformly
from fnprune_core.reloading import reload_elsewhere
from fnprune_core.silencing import Refit, silenced
from fnprune_core.storage import check_free_space, new_folder

_CHECKED_TOKENS = 64
_CHECKED_TEXT = "The quick brown fox jumps over the lazy dog."
_MODELING_FILE = Path(modeling_per_layer.__file__)


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
    """

    build: Callable[..., PreTrainedModel]
    description: str
    is_alike: bool = False
    is_smaller: bool = True
    brings_code: bool = False


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
}


def form_named(name: str) -> ExportForm:
    """Return a row of the table, or say which there are."""
    if name not in FORMS:
        raise SettingsError(f"There is no export form {name!r}.", hint=f"Use {', '.join(FORMS)}.")
    return FORMS[name]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A measured figure for the model card: what, its value and the protocol."""

    label: str
    perplexity: float
    standard_error: float
    protocol: dict[str, Any]


def export_model(
    language_model: LanguageModel,
    plan: PruningPlan,
    target: Path,
    *,
    form: str = "masked",
    refits: Sequence[Refit] | None = None,
    figures: Sequence[Figure] = (),
    progress: Progress = ignore,
) -> Path:
    """Write a Hugging Face folder with weights, tokenizer, plan and model card; return it.

    The folder is written under a temporary name, loaded in a fresh process that cannot import
    fnprune, and compared with the silenced model's logits; it appears only when they agree.

    Raises
    ------
    StorageError
        If `target` exists and is not empty, or there is no room.
    PlanError
        If the form does not take the plan (no home for its bias, different widths), or the
        reloaded model disagrees.
    """
    row = form_named(form)
    target = Path(target).expanduser().resolve()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise StorageError(
            f"{target} exists already; nothing was written.", hint="Choose a new folder."
        )
    check_free_space(target, language_model.anatomy().parameter_bytes)
    progress(ProgressEvent(stage="export", done=0, total=3, unit="steps"))
    model = row.build(language_model, plan, refits=refits)
    if target.is_dir():
        target.rmdir()
    with new_folder(target) as folder:
        model.save_pretrained(folder)
        if row.brings_code:
            shutil.copyfile(_MODELING_FILE, folder / _MODELING_FILE.name)
        language_model.tokenizer.save_pretrained(folder)
        write_plan(folder, plan, refits or [Refit()] * plan.layout.n_layers)
        for path in folder.glob("*.safetensors"):
            path.chmod(0o644)  # safetensors writes for the owner alone
        card = model_card(language_model, plan, form=form, figures=figures)
        ModelCard(card).save(folder / "README.md")
        progress(ProgressEvent(stage="export", done=1, total=3, unit="steps"))
        del model
        _check_reload(language_model, plan, refits, folder)
        progress(ProgressEvent(stage="export", done=2, total=3, unit="steps"))
    progress(ProgressEvent(stage="export", done=3, total=3, unit="steps"))
    return target


def _check_reload(
    language_model: LanguageModel,
    plan: PruningPlan,
    refits: Sequence[Refit] | None,
    folder: Path,
) -> None:
    device = language_model.device
    generator = torch.Generator().manual_seed(0)
    vocabulary = int(language_model.model.config.vocab_size)
    ids = torch.randint(vocabulary, (1, _CHECKED_TOKENS), generator=generator)
    actual, token_ids = reload_elsewhere(
        folder,
        ids,
        _CHECKED_TEXT,
        dtype=str(language_model.dtype).removeprefix("torch."),
        device=str(device),
    )
    if token_ids != language_model.tokenizer(_CHECKED_TEXT)["input_ids"]:
        raise PlanError(
            "The exported tokenizer reads a text differently; nothing was written.",
            hint="Does the model's tokenizer need code of its own? Report it.",
        )
    with torch.inference_mode(), silenced(language_model, plan.removed, refits=refits):
        expected = language_model.model(ids.to(device), use_cache=False).logits.cpu()
    difference = relative_difference(actual, expected)
    allowed = max(1e-4, 8 * torch.finfo(language_model.dtype).eps)
    if not difference < allowed:
        raise PlanError(
            f"The exported model's logits differ from the silenced model's by {difference:.2g} "
            f"of their size (allowed {allowed:.2g}); nothing was written.",
            hint="Export in float32 (--dtype float32); if it persists, report it.",
        )


def relative_difference(a: Tensor, b: Tensor) -> float:
    """Return ‖a − b‖ / ‖b‖."""
    return float((a.float() - b.float()).norm() / b.float().norm())


def _error_text(standard_error: float) -> str:
    """Return the error, or say that a single block of windows gives none."""
    return f"{standard_error:.2f}" if math.isfinite(standard_error) else "unknown"


def model_card(
    language_model: LanguageModel,
    plan: PruningPlan,
    *,
    form: str,
    figures: Sequence[Figure] = (),
) -> str:
    """Return the README of an export: what was removed, by what rule, and measured figures."""
    source = language_model.source
    is_hub_id = source.count("/") == 1 and not Path(source).expanduser().exists()
    data = ModelCardData(
        base_model=source if is_hub_id else None,
        library_name="transformers",
        pipeline_tag="text-generation",
        tags=["pruned", "fnprune"],
    )
    row = form_named(form)
    lines = [
        f"---\n{data.to_yaml()}\n---",
        f"# {language_model.name}, pruned by functional networks",
        f"{plan.n_removed} of {plan.layout.n_units} MLP units are removed "
        f"({plan.achieved_ratio:.1%}; {plan.share_of_parameters:.1%} of all parameters). "
        f"Form: {form} ({row.description})." + (f" {_widths(plan)}" if row.is_smaller else ""),
        _how_to_load(row),
        _choices(plan),
        _measured(figures),
        f"Made with fnprune {metadata.version('fnprune')}; `plan.json` says which units, and can "
        "be applied again. Method: arXiv 2508.05239 and the sources named in fnprune's README.",
    ]
    return "\n\n".join(lines) + "\n"


def _widths(plan: PruningPlan) -> str:
    dense, kept = plan.layout.widths, plan.kept_widths
    text = (
        f"Units a layer: {kept[0]} of {dense[0]}."
        if len(set(kept)) == len(set(dense)) == 1
        else f"Units a layer: {', '.join(map(str, kept))}."
    )
    if plan.settings.multiple is not None:
        text += (
            f" Widths are rounded up to a multiple of {plan.settings.multiple}; "
            f"{plan.settings.ratio:.1%} were to go."
        )
    return text


def _how_to_load(row: ExportForm) -> str:
    trust = ", trust_remote_code=True" if row.brings_code else ""
    arguments = "pretrained=FOLDER,trust_remote_code=True" if trust else "pretrained=FOLDER"
    code = (
        "```python\nfrom transformers import AutoModelForCausalLM, AutoTokenizer\n\n"
        f"model = AutoModelForCausalLM.from_pretrained(FOLDER{trust})\n"
        f"tokenizer = AutoTokenizer.from_pretrained(FOLDER{trust})\n```"
    )
    own = (
        f" `{_MODELING_FILE.name}` is the code that is trusted: it gives a stock model its widths."
        if row.brings_code
        else ""
    )
    return f"{code}\n\nZero-shot tasks: `lm_eval --model hf --model_args {arguments}`.{own}"


def _choices(plan: PruningPlan) -> str:
    settings = plan.settings
    return (
        "| choice | value |\n|---|---|\n"
        f"| score | {settings.score} |\n| allocation | {settings.allocation} |\n"
        f"| compensation | {settings.compensation} |\n"
        f"| sink units kept per layer | {settings.sink_units} |\n"
        f"| networks preserved | {len(plan.preserved)} of {plan.n_networks} |\n"
        f"| recording | {plan.recording_id} |\n| decomposition | {plan.decomposition_id} |\n"
        f"| model fingerprint | {plan.fingerprint} |"
    )


def _measured(figures: Sequence[Figure]) -> str:
    if not figures:
        return "## Measured\n\nThis plan was not evaluated before it was exported."
    rows = [
        f"| {f.label} | {f.perplexity:.2f} ± {_error_text(f.standard_error)} | "
        f"{f.protocol['n_tokens']} | {f.protocol['window']} | {f.protocol['dtype']} | "
        f"`{f.protocol['text_sha256'][:12]}` |"
        for f in figures
    ]
    return (
        "## Measured\n\n| model | perplexity ± standard error | tokens | window | dtype | "
        "text |\n|---|---|---|---|---|---|\n" + "\n".join(rows)
    )
