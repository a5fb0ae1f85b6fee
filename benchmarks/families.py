"""Which kinds of models go the whole path: a tiny one of each that transformers knows.

``python benchmarks/families.py`` makes a tiny random checkpoint of every kind of causal model in
the installed transformers, from its config class, and takes it from its folder through recording,
decomposition and a plan to an export of each form and back. ``--only llama,bloom`` takes some.
The table is Markdown. A kind is *whole* where silencing equals pruning and each form that it allows
gives the same logits after it was saved and loaded.
"""

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from tokenizers import Tokenizer
from tokenizers.models import BPE, WordLevel
from tokenizers.pre_tokenizers import ByteLevel, Whitespace
from transformers import CONFIG_MAPPING, AutoModelForCausalLM, PreTrainedTokenizerFast
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from fnprune_core.decomposition.group_ica import GroupICA, decompose
from fnprune_core.errors import FnpruneError
from fnprune_core.export.forms import FORMS
from fnprune_core.models import modeling_per_layer
from fnprune_core.models.attention_modules import UNPROVEN
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.models.loading import load_model
from fnprune_core.models.silencing import silenced
from fnprune_core.plans.files import open_plan
from fnprune_core.plans.plan import PlanSettings, PruningPlan
from fnprune_core.pruning import planner
from fnprune_core.pruning.slicing import prune
from fnprune_core.recording.record import record_texts
from fnprune_core.recording.recording import RecordingSettings
from fnprune_core.storage.workspace import Workspace
from fnprune_core.texts.documents import Document

#: Small values for what configs name in many ways; a config takes those that it has.
_SMALL: dict[str, Any] = {
    **dict.fromkeys(("num_hidden_layers", "n_layer", "n_layers", "num_layers"), 3),
    **dict.fromkeys(("hidden_size", "n_embd", "d_model"), 64),
    **dict.fromkeys(("intermediate_size", "n_inner", "ffn_dim", "ffn_hidden_size"), 96),
    **dict.fromkeys(("num_attention_heads", "n_head", "n_heads", "num_heads"), 4),
    **dict.fromkeys(("num_key_value_heads", "num_kv_heads"), 2),
    **dict.fromkeys(("max_position_embeddings", "n_positions"), 64),
    **dict.fromkeys(("num_local_experts", "num_experts", "n_routed_experts"), 4),
    **dict.fromkeys(("moe_intermediate_size", "shared_expert_intermediate_size"), 32),
    **dict.fromkeys(("num_experts_per_tok", "num_experts_per_token", "moe_topk", "top_k"), 2),
    **dict.fromkeys(("n_group", "topk_group", "n_shared_experts", "num_shared_experts"), 1),
    "head_dim": 16,
    "rotary_dim": 8,
    **dict.fromkeys(("q_lora_rank", "kv_lora_rank", "v_head_dim", "qk_head_dim"), 16),
    **dict.fromkeys(("qk_nope_head_dim", "qk_rope_head_dim"), 8),
    **dict.fromkeys(("decoder_attention_heads", "encoder_attention_heads"), 4),
    "num_kv_shared_layers": 0,
    "first_k_dense_replace": 1,
    "attention_types": [[["global", "local", "global"], 1]],
    "vocab_size": 99,
    "vocab_size_per_layer_input": 99,
    "hidden_size_per_layer_input": 8,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
#: Values that some kinds insist on.
_OWN: dict[str, dict[str, Any]] = {"zaya": {"num_experts_per_tok": 1}}
_INNER = ("text_config", "vision_config", "audio_config")
_MOST_VALUES = 60_000_000
_WORDS = 98
#: Kinds whose tokenizer's class reads bytes, whatever the file says.
_BYTE_LEVEL = ("qwen2", "qwen3_5_moe", "qwen3_5_moe_text")
_TOLERANCE = 1e-3  # of the largest logit, in float32


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What became of one kind of model."""

    kind: str
    found: str = ""
    heads: bool = False
    forms: tuple[str, ...] = ()
    reason: str = ""
    seconds: float = 0.0

    def __str__(self) -> str:
        """Return the line of a Markdown table."""
        cells = (
            self.kind,
            f"`{self.found}`" if self.found else "",
            ("yes" if self.heads else "no") if self.found else "",
            ", ".join(self.forms) or "–",
            self.reason.replace("|", "/").replace("\n", " ")[:240],
        )
        return f"| {' | '.join(cells)} |"


def small_config(kind: str) -> Any:
    """Return the config of a tiny model of this kind; raises what the config raises."""
    config_class = CONFIG_MAPPING[kind]
    values = config_class().to_dict()
    small = _SMALL | _OWN.get(kind, {})
    chosen = {name: value for name, value in small.items() if name in values}
    for name in _INNER:
        if isinstance(values.get(name), dict):
            inner = {key: value for key, value in _SMALL.items() if key in values[name]}
            chosen[name] = {**({"model_type": values[name].get("model_type")}), **inner}
    if "qk_rope_head_dim" in values:  # of latent attention, which has a size for each part
        chosen.pop("head_dim", None)
    if "layer_types" in values:
        chosen["layer_types"] = None
    return config_class(**chosen)


def write_checkpoint(kind: str, folder: Path) -> None:
    """Write a tiny random model of this kind, and a tokenizer of words."""
    config = small_config(kind)
    with torch.device("meta"):
        blank = AutoModelForCausalLM.from_config(small_config(kind))
    if sum(parameter.numel() for parameter in blank.parameters()) > _MOST_VALUES:
        raise ValueError("its config cannot be made small by common names")
    generator = torch.Generator().manual_seed(0)
    model = AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = 0.2 * torch.randn(parameter.shape, generator=generator)
            parameter.copy_(noise if parameter.ndim > 1 else parameter + noise)
    model.save_pretrained(folder)
    words = {word: number for number, word in enumerate(_words())}
    core = Tokenizer(WordLevel(words, unk_token="w0"))
    core.pre_tokenizer = Whitespace()
    if kind in _BYTE_LEVEL:
        letters = {letter: number for number, letter in enumerate("w0123456789ĠĊ")}
        core = Tokenizer(BPE(letters, []))
        core.pre_tokenizer = ByteLevel(add_prefix_space=False)
    PreTrainedTokenizerFast(tokenizer_object=core, unk_token="w0").save_pretrained(folder)


def _words() -> list[str]:
    return [f"w{number}" for number in range(_WORDS)]


def _documents() -> list[Document]:
    rng = np.random.default_rng(0)
    return [
        Document(
            text=" ".join(rng.choice(_words(), size=60)), domain=domain, name=f"{domain}-{number}"
        )
        for domain in ("prose", "code")
        for number in range(2)
    ]


def whole_path(kind: str, folder: Path) -> Line:
    """Take one kind of model from a checkpoint to its exports and back."""
    start = time.perf_counter()
    try:
        write_checkpoint(kind, folder / "model")
    except Exception as error:  # noqa: BLE001 -- configs and models refuse in their own ways
        return Line(kind=kind, reason=f"no tiny model: {type(error).__name__}: {error}")
    try:
        model = load_model(str(folder / "model"), device="cpu", dtype="float32")
    except FnpruneError as error:
        return Line(kind=kind, reason=f"refused: {error}")
    except Exception as error:  # noqa: BLE001 -- a fault is a line of the table
        return Line(kind=kind, reason=f"FAULT: {type(error).__name__}: {error}")
    found = model.architecture.output_projection
    heads = model.architecture.attention is not UNPROVEN
    try:
        plan = _plan(Workspace(folder / "workspace"), model)
        forms = tuple(_held_forms(model, plan, folder))
        reason = ""
    except Exception as error:  # noqa: BLE001 -- a fault is a line of the table
        forms, reason = (), f"FAULT: {type(error).__name__}: {error}"
    return Line(
        kind=kind,
        found=found,
        heads=heads,
        forms=forms,
        reason=reason,
        seconds=time.perf_counter() - start,
    )


def _plan(workspace: Workspace, model: LanguageModel) -> PruningPlan:
    """Record, decompose, and plan so that each layer keeps as many units."""
    recording = record_texts(
        workspace, model, _documents(), settings=RecordingSettings(window=32, max_tokens=240)
    )
    atlas = decompose(workspace, recording, settings=GroupICA(n_components=3, n_runs=2))
    plan_id = planner.plan(
        workspace,
        model,
        recording_id=recording,
        decomposition_id=atlas,
        settings=PlanSettings(
            ratio=0.3, score="flap", allocation="uniform", compensation="none", multiple=8
        ),
    )
    return open_plan(workspace, plan_id)


def _held_forms(model: LanguageModel, plan: PruningPlan, folder: Path) -> Iterator[str]:
    """Yield the forms that give the silenced model's logits after they were saved and loaded."""
    ids = torch.arange(16)[None] % _WORDS
    with torch.inference_mode(), silenced(model, plan.removed):
        expected = model.model(ids, use_cache=False).logits
    _compare(prune(model, plan), ids, expected, "pruned")
    for name, form in FORMS.items():
        if form.is_gguf:
            continue
        try:
            built = form.build(model, plan)
        except FnpruneError:
            continue
        target = folder / name
        built.save_pretrained(target)
        if form.brings_code:
            source = Path(str(modeling_per_layer.__file__))
            shutil.copyfile(source, target / source.name)
        loaded = AutoModelForCausalLM.from_pretrained(
            target, trust_remote_code=form.brings_code, dtype=torch.float32
        )
        _compare(loaded.eval(), ids, expected, name)
        yield name


def _compare(model: Any, ids: torch.Tensor, expected: torch.Tensor, what: str) -> None:
    with torch.inference_mode():
        logits = model(ids, use_cache=False).logits
    difference = float((logits - expected).abs().max() / expected.abs().max())
    if difference > _TOLERANCE:
        raise AssertionError(f"{what} differs from silenced by {difference:.1e}")


def main() -> None:
    """Print the table, and how many kinds go the whole path."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="kinds, with commas (default: all)")
    kinds = parser.parse_args().only.split(",")
    kinds = kinds if kinds != [""] else list(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    print("| kind | units | heads | forms | why not |\n|---|---|---|---|---|", flush=True)
    lines = []
    for kind in kinds:
        with tempfile.TemporaryDirectory() as folder:
            lines.append(whole_path(kind, Path(folder)))
        print(lines[-1], flush=True)
    whole = [line for line in lines if line.forms]
    print(f"\n{len(whole)} of {len(lines)} kinds go the whole path.", file=sys.stderr)


if __name__ == "__main__":
    main()
