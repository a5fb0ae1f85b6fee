"""Take a pruned model away: a folder that other tools load, checked before it is announced."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import ModelCardData
from torch import Tensor
from transformers import AutoModelForCausalLM, PreTrainedModel

from fnprune_core.errors import PlanError, SettingsError, StorageError
from fnprune_core.models import LanguageModel
from fnprune_core.plans import PLAN_FILE, PruningPlan
from fnprune_core.progress import Progress, ProgressEvent, ignore
from fnprune_core.pruning import mask
from fnprune_core.silencing import Refit, silenced
from fnprune_core.storage import check_free_space, new_folder, write_json

_CHECKED_TOKENS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportForm:
    """One row of the table of forms."""

    build: Callable[..., PreTrainedModel]
    description: str


FORMS: dict[str, ExportForm] = {
    "masked": ExportForm(
        build=mask,
        description="same shapes, removed units' weights are zero; loads anywhere, not smaller",
    ),
}


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

    The folder is written under a temporary name, loaded again and compared with the silenced
    model's logits, and appears only when they agree.

    Raises
    ------
    StorageError
        If `target` exists and is not empty, or there is no room.
    PlanError
        If the family has no home for the plan's bias, or the reloaded model disagrees.
    """
    if form not in FORMS:
        raise SettingsError(f"There is no export form {form!r}.", hint=f"Use {', '.join(FORMS)}.")
    target = Path(target).expanduser().resolve()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise StorageError(
            f"{target} exists already; nothing was written.", hint="Choose a new folder."
        )
    check_free_space(target, language_model.anatomy().parameter_bytes)
    progress(ProgressEvent(stage="export", done=0, total=3, unit="steps"))
    model = FORMS[form].build(language_model, plan, refits=refits)
    if target.is_dir():
        target.rmdir()
    with new_folder(target) as folder:
        model.save_pretrained(folder)
        for path in folder.glob("*.safetensors"):
            path.chmod(0o644)  # safetensors writes for the owner alone
        language_model.tokenizer.save_pretrained(folder)
        write_json(folder / PLAN_FILE, plan.to_json())
        (folder / "README.md").write_text(
            model_card(language_model, plan, form=form, figures=figures), encoding="utf-8"
        )
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
    loaded = AutoModelForCausalLM.from_pretrained(folder, dtype=language_model.dtype)
    torch.nn.Module.to(loaded, device).eval()
    generator = torch.Generator().manual_seed(0)
    vocabulary = int(language_model.model.config.vocab_size)
    ids = torch.randint(vocabulary, (1, _CHECKED_TOKENS), generator=generator).to(device)
    with torch.inference_mode():
        with silenced(language_model, plan.removed, refits=refits):
            expected = language_model.model(ids, use_cache=False).logits
        actual = loaded(ids, use_cache=False).logits
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
    settings = plan.settings
    lines = [
        f"---\n{data.to_yaml()}\n---",
        f"# {language_model.name}, pruned by functional networks",
        f"{plan.n_removed} of {plan.layout.n_units} MLP units are removed "
        f"({plan.achieved_ratio:.1%}; {plan.share_of_parameters:.1%} of all parameters). "
        f"Form: {form} ({FORMS[form].description}).",
        "| choice | value |\n|---|---|\n"
        f"| score | {settings.score} |\n| allocation | {settings.allocation} |\n"
        f"| compensation | {settings.compensation} |\n"
        f"| sink units kept per layer | {settings.sink_units} |\n"
        f"| networks preserved | {len(plan.preserved)} of {plan.n_networks} |\n"
        f"| recording | {plan.recording_id} |\n| decomposition | {plan.decomposition_id} |\n"
        f"| model fingerprint | {plan.fingerprint} |",
    ]
    if figures:
        rows = [
            f"| {f.label} | {f.perplexity:.2f} ± {_error_text(f.standard_error)} | "
            f"{f.protocol['n_tokens']} | {f.protocol['window']} | {f.protocol['dtype']} | "
            f"`{f.protocol['text_sha256'][:12]}` |"
            for f in figures
        ]
        lines.append(
            "## Measured\n\n| model | perplexity ± standard error | tokens | window | dtype | "
            "text |\n|---|---|---|---|---|---|\n" + "\n".join(rows)
        )
    else:
        lines.append("## Measured\n\nThis plan was not evaluated before it was exported.")
    lines.append(
        f"Made with fnprune {metadata.version('fnprune')}; `plan.json` says which units, and can "
        "be applied again. Method: arXiv 2508.05239 and the sources named in fnprune's README."
    )
    return "\n\n".join(lines) + "\n"
