"""Export of a pruned model: a folder that other tools load, checked before it is announced."""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import ModelCard
from torch import Tensor, nn
from transformers import PreTrainedModel

from fnprune_core.errors import CorruptArtifactError, PlanError, StorageError
from fnprune_core.export.forms import form_named
from fnprune_core.export.gguf.checks import check_by_llama_cpp, check_can_be_run
from fnprune_core.export.gguf.files import (
    FAMILIES,
    architecture_of,
    read_weights,
    reading_back,
    write_gguf,
)
from fnprune_core.export.gguf.llama_cpp import is_installed
from fnprune_core.export.gguf.tokenizer import PROBE
from fnprune_core.export.gguf.weights import gguf_name, weight_type
from fnprune_core.export.model_card import CardFacts, model_card
from fnprune_core.export.reload_check import reload_elsewhere
from fnprune_core.export.size import bytes_each
from fnprune_core.inputs.files import path_of
from fnprune_core.models import modeling_per_layer
from fnprune_core.models.footprint import Dimensions
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.models.silencing import Refit, silenced, without_refit
from fnprune_core.plans.files import named_tensors, write_plan
from fnprune_core.plans.plan import PruningPlan
from fnprune_core.progress import Progress, ProgressEvent, ignore
from fnprune_core.storage.checksums import damages, sums_below
from fnprune_core.storage.folders import check_free_space, new_folder
from fnprune_core.storage.json_files import read_checked_json, write_checked_json, write_json
from fnprune_core.storage.workspace import EXPORT_RECORD

DECISIONS_FILE = "decisions.json"

_CHECKED_TOKENS = 64
_CHECKED_TEXT = "The quick brown fox jumps over the lazy dog."
_MODELING_FILE = Path(modeling_per_layer.__file__)


def export_model(
    language_model: LanguageModel,
    plan: PruningPlan,
    target: Path,
    *,
    form: str = "masked",
    refits: Sequence[Refit] | None = None,
    facts: CardFacts | None = None,
    progress: Progress = ignore,
) -> Path:
    """Write a Hugging Face folder with weights, tokenizer, plan and model card; return it.

    The folder is written under a temporary name, loaded in a fresh process that cannot import
    fnprune, and compared with the silenced model's logits; it appears only when they agree.

    Parameters
    ----------
    facts : CardFacts, optional
        Measurements for the model card, how the form gguf stores weights, and whether the plan's
        refits are written too.

    Raises
    ------
    StorageError
        If `target` exists and is not empty, or there is no room.
    PlanError
        If the form does not take the plan (no home for its bias, different widths), or the
        reloaded model disagrees.
    """
    export_form, facts = form_named(form), facts or CardFacts()
    gguf = facts.weights if export_form.is_gguf else ""
    refits = refits or without_refit(plan.layout.n_layers, plan.removed_groups)
    refit_bytes = 0
    if facts.with_refits:
        n_values = sum(tensor.numel() for _, tensor in named_tensors(refits))
        refit_bytes = n_values * language_model.dtype.itemsize
    record = {
        "form": form,
        "plan": plan.to_json(),
        "facts_sha256": _hash_of(replace(facts, difference=0.0)),
    }
    target = path_of(target).resolve()
    if _is_exported(target, record):
        return target
    target = check_target(
        target, bytes_of(language_model, plan, form=form, weights=gguf) + refit_bytes
    )
    progress(ProgressEvent(stage="export", done=0, total=3, unit="steps"))
    with new_folder(target, keeps_existing=False) as folder:
        model = export_form.build(language_model, plan, refits=refits)
        if export_form.is_gguf:
            check_can_be_run(language_model, model)
            write_gguf(language_model, model, folder / gguf_name(gguf), weights=gguf)
        else:
            model.save_pretrained(folder)
            language_model.tokenizer.save_pretrained(folder)
        if export_form.brings_code:
            shutil.copyfile(_MODELING_FILE, folder / _MODELING_FILE.name)
        # In the dtype of the exported weights: float32 would outweigh what pruning saves.
        stored_refits = refits if facts.with_refits else None
        write_plan(folder, plan, stored_refits, dtype=language_model.dtype)
        for path in folder.glob("*.safetensors"):
            path.chmod(0o644)  # safetensors writes for the owner alone
        progress(ProgressEvent(stage="export", done=1, total=3, unit="steps"))
        if export_form.is_gguf:
            facts = _check_gguf(language_model, plan, refits, folder, model, facts)
        else:
            del model
            difference = _check_reload(language_model, plan, refits, folder)
            facts = replace(facts, difference=difference)
        card = model_card(language_model, plan, form=form, facts=facts)
        ModelCard(card).save(folder / "README.md")
        if facts.decisions is not None:
            write_json(folder / DECISIONS_FILE, facts.decisions)
        write_checked_json(folder / EXPORT_RECORD, {**record, "files": sums_below(folder)})
        progress(ProgressEvent(stage="export", done=2, total=3, unit="steps"))
    progress(ProgressEvent(stage="export", done=3, total=3, unit="steps"))
    return target


def _is_exported(target: Path, record: Mapping[str, Any]) -> bool:
    """Whether a folder holds this very export, whole: a command was repeated after it was done."""
    try:
        stored = read_checked_json(target / EXPORT_RECORD)
        is_same = all(stored[name] == value for name, value in record.items())
        return is_same and not damages(target, stored)
    except (CorruptArtifactError, LookupError, OSError, TypeError):
        return False


def _hash_of(facts: CardFacts) -> str:
    text = json.dumps(asdict(facts), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def bytes_of(
    language_model: LanguageModel, plan: PruningPlan, *, form: str, weights: str = "F16"
) -> int:
    """Return the expected bytes of an export's weights on disk."""
    share = 1 - plan.share_of_parameters if form_named(form).is_smaller else 1.0
    dimensions = Dimensions.of(language_model)
    each = bytes_each(dimensions, form=form, weights=weights)
    return int(share * dimensions.n_parameters * each)


def is_free(target: Path) -> bool:
    """Whether nothing is at a path, or an empty folder."""
    target = path_of(target).resolve()
    return not target.exists() or (target.is_dir() and not any(target.iterdir()))


def check_target(target: Path, needed_bytes: int) -> Path:
    """Return a target's full path if an export can be written there.

    Raises
    ------
    StorageError
        If it exists and is not empty, its place cannot be written, or has no room.
    """
    target = path_of(target).resolve()
    if not is_free(target):
        raise StorageError(
            f"{target} exists already; nothing was written.", hint="Choose a new folder."
        )
    parent = next(path for path in target.parents if path.exists())
    if not parent.is_dir():
        raise StorageError(
            f"{target} cannot be made: {parent} is a file.", hint="Choose another folder."
        )
    if not os.access(parent, os.W_OK | os.X_OK):
        raise StorageError(
            f"There is no permission to write in {parent}.", hint="Choose another folder."
        )
    check_free_space(target, needed_bytes)
    return target


def _check_reload(
    language_model: LanguageModel,
    plan: PruningPlan,
    refits: Sequence[Refit],
    folder: Path,
    *,
    gguf: str = "",
) -> float:
    """Return the relative difference of a fresh process's logits from the silenced model's."""
    device, tokenizer = language_model.device, language_model.tokenizer
    ids, text = _checked_ids(language_model), PROBE if gguf else _CHECKED_TEXT
    reloaded, token_ids = reload_elsewhere(
        folder,
        ids,
        text,
        dtype=str(language_model.dtype).removeprefix("torch."),
        device=str(device),
        **(reading_back(language_model, weights=gguf) if gguf else {}),
    )
    if token_ids != tokenizer(text)["input_ids"]:
        raise PlanError(
            "The exported tokenizer reads a text differently; nothing was written.",
            hint="Does the model's tokenizer need code of its own? Report it.",
        )
    return _check_logits(language_model, plan, refits, reloaded, gguf=gguf)


def _check_gguf(
    language_model: LanguageModel,
    plan: PruningPlan,
    refits: Sequence[Refit],
    folder: Path,
    model: PreTrainedModel,
    facts: CardFacts,
) -> CardFacts:
    """Check a GGUF file by all who read it; return the facts with how far they are from the plan.

    Its weights, read back, are compared with the silenced model; transformers reads the plain
    architectures, and llama.cpp, where it is installed, all of them.
    """
    weights, path = facts.weights, folder / gguf_name(facts.weights)
    family = FAMILIES[language_model.architecture.family]
    is_plain = architecture_of(family, model) == family.name
    # As llama.cpp computes; it is a copy. transformers' own `float` refuses what came from a GGUF.
    nn.Module.float(model)
    read_weights(path, model, family)
    ids = _checked_ids(language_model).to(language_model.device)
    with torch.inference_mode():
        logits = model(ids, use_cache=False).logits.cpu()
    difference = _check_logits(language_model, plan, refits, logits, gguf=weights)
    if is_plain:
        difference = _check_reload(language_model, plan, refits, folder, gguf=weights)
    run_by = ""
    if is_installed():
        run_by = check_by_llama_cpp(language_model, model, path, weights=weights).sentence()
    return replace(facts, difference=difference, is_plain_gguf=is_plain, run_by=run_by)


def _checked_ids(language_model: LanguageModel) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    vocabulary = int(language_model.config.vocab_size)
    return torch.randint(vocabulary, (1, _CHECKED_TOKENS), generator=generator)


def _check_logits(
    language_model: LanguageModel,
    plan: PruningPlan,
    refits: Sequence[Refit],
    reloaded: Tensor,
    *,
    gguf: str,
) -> float:
    """Return the relative difference of logits from the silenced model's, if it is allowed."""
    ids = _checked_ids(language_model).to(language_model.device)
    with torch.inference_mode(), silenced(language_model, plan.removed, refits=refits):
        expected = language_model.model(ids, use_cache=False).logits.cpu()
    difference = relative_difference(reloaded, expected)
    allowed = max(1e-4, 8 * torch.finfo(language_model.dtype).eps)
    if gguf:
        allowed = max(allowed, weight_type(gguf).tolerance)
    if not difference < allowed:
        raise PlanError(
            f"The exported model's logits differ from the silenced model's by {difference:.2g} "
            f"of their size (allowed {allowed:.2g}); nothing was written.",
            hint="Export in float32 (--dtype float32); if it persists, report it.",
        )
    return difference


def relative_difference(a: Tensor, b: Tensor) -> float:
    """Return ‖a − b‖ / ‖b‖."""
    return float((a.float() - b.float()).norm() / b.float().norm())
