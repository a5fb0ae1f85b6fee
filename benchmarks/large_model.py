"""The whole path of a recording that keeps a summary, with a model of random weights, by stage.

Run: ``python benchmarks/large.py --model [--layers 32 --width 11008 --sessions 200]``. The model is
a Llama made from its config, with a hidden size in the proportion of Llama 7B; a tokenizer is made
from the built-in texts, which are read. Nothing is fetched. Such a model has no networks to be
found, and its perplexity is that of chance: what counts is what each step takes.
"""

import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from stages import Stages
from tokenizers import Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from tokenizers.trainers import BpeTrainer
from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedTokenizerFast

from fnprune_core.decomposition import group_ica
from fnprune_core.decomposition.group_ica import GroupICA
from fnprune_core.errors import NotConvergedWarning
from fnprune_core.evaluation.compare import compare, evaluation_windows
from fnprune_core.models.language_model import LanguageModel, wrap_model
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.pruning import planner
from fnprune_core.recording.record import record_texts
from fnprune_core.recording.recording import RecordingSettings
from fnprune_core.storage.folders import folder_size
from fnprune_core.storage.workspace import Workspace
from fnprune_core.texts.documents import builtin_documents

if TYPE_CHECKING:
    from fnprune_core.evaluation.results import Perplexity

N_TOKEN_TYPES = 4096
N_EVALUATED = 4  # windows
_HEAD = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Sizes of what is recorded and found."""

    n_layers: int
    width: int
    n_sessions: int
    n_tokens: int
    n_networks: int


def hidden_size(width: int) -> int:
    """Return the hidden size that goes with a width as 4,096 goes with 11,008."""
    return _HEAD * max(1, round(width * 4096 / 11008 / _HEAD))


def made_model(shape: Shape, *, seed: int = 0) -> LanguageModel:
    """Return a Llama of random weights in float32, with a tokenizer of the built-in texts."""
    core = Tokenizer(BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    core.train_from_iterator(
        (document.text for document in builtin_documents()),
        BpeTrainer(vocab_size=N_TOKEN_TYPES, initial_alphabet=alphabet, show_progress=False),
    )
    hidden = hidden_size(shape.width)
    config = LlamaConfig(
        vocab_size=N_TOKEN_TYPES,
        hidden_size=hidden,
        intermediate_size=shape.width,
        num_hidden_layers=shape.n_layers,
        num_attention_heads=hidden // _HEAD,
        num_key_value_heads=hidden // _HEAD,
        max_position_embeddings=shape.n_tokens,
        bos_token_id=None,
        eos_token_id=None,
    )
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core)
    return wrap_model(model, tokenizer, name="Llama of random weights")


def measure(shape: Shape) -> dict[str, Any]:
    """Return seconds and memory of each step from a model to the perplexity of a plan."""
    stages = Stages()
    language_model = stages.run("model", lambda: made_model(shape))
    results: dict[str, Perplexity] = {}
    with tempfile.TemporaryDirectory() as name, warnings.catch_warnings():
        warnings.simplefilter("ignore", NotConvergedWarning)
        workspace = Workspace(Path(name))
        settings = RecordingSettings(
            window=shape.n_tokens,
            max_tokens=shape.n_tokens * shape.n_sessions,
            batch_size=1,
            pack=True,
            keep="summary",
            most_networks=shape.n_networks,
        )
        recording = stages.run(
            "record",
            lambda: record_texts(workspace, language_model, builtin_documents(), settings=settings),
        )
        ica = GroupICA(n_components=shape.n_networks, n_runs=1)
        atlas = stages.run(
            "decompose", lambda: group_ica.decompose(workspace, recording, settings=ica)
        )
        scores = planner.KeptScores()
        plans = {
            compensation: stages.run(
                what,
                lambda compensation=compensation: planner.plans(
                    workspace,
                    language_model,
                    recording_id=recording,
                    decomposition_id=atlas,
                    settings=[PlanSettings(compensation=compensation)],
                    kept=scores,
                ),
            )[0]
            for compensation, what in (("none", "plan"), ("least-squares", "refit"))
        }
        held_out = evaluation_windows(
            language_model,
            builtin_documents(split="held-out"),
            window=shape.n_tokens,
            max_windows=N_EVALUATED,
            pack=True,
        )
        stages.run(
            "evaluate",
            lambda: compare(
                workspace,
                language_model,
                held_out,
                plan_ids={"dense": None, **plans},
                on_partial=results.__setitem__,
            ),
        )
        disk = folder_size(workspace.folder("recordings", recording))
    return {
        "shape": {name: getattr(shape, name) for name in Shape.__slots__},
        "parameters": sum(p.numel() for p in language_model.model.parameters()),
        "stages": stages.rows,
        "disk_gb": {"recording": disk / 1e9},
        "perplexity": {label: result.perplexity for label, result in results.items()},
    }
