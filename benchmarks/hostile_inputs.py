"""Inputs that no honest tool writes, made by hypothesis from honest ones, and what they are of."""

import copy
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from tokenizers.trainers import BpeTrainer
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from fnprune_core.decomposition import group_ica
from fnprune_core.decomposition.group_ica import GroupICA
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.models.loading import load_model
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.pruning import planner
from fnprune_core.recording import record
from fnprune_core.recording.recording import RecordingSettings
from fnprune_core.storage.workspace import Workspace
from fnprune_core.texts.documents import Document

VOCABULARY = 320
N_LAYERS = 3
_SENTENCE = "the quick brown fox jumps over a lazy dog while rivers run down to some blue sea"
WORDS = tuple(_SENTENCE.split(" "))


def nested(depth: int) -> Any:
    """Return lists in lists."""
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


#: Values that a person's file may hold where another was meant.
HOSTILE: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 7, 1.5, -0.0, 0.999, 1e308, 2**31, -(2**31), 2**53 + 1, 2**63,
    2**64, 10**30, 20000, float("nan"), float("inf"), "", "x", "0", "1", "\ud800", "a\x00b",
    "é\u202e", "9" * 5000, "../../etc", "=1+1", [], {}, [[]], [0] * 40, {"a": 1}, {"0": {}}, [None],
    nested(90), nested(400), "network", "latest",
)  # fmt: skip
NUMBERS = (0, 1, 127, 128, 255, 2**16 - 1, 2**31 - 1, 2**32 - 1, 2**63 - 1, 2**64 - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Materials:
    """A tiny model in a folder, and a workspace with what was made of it."""

    root: Path
    folder: Path
    model: LanguageModel
    workspace: Workspace
    recording: str
    atlas: str
    plan: str

    def write(self, name: str, content: bytes) -> Path:
        """Return the path of a file with this content."""
        path = self.root / "tried" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        return path


def make_materials(root: Path) -> Materials:
    """Make a tiny model, a recording, an atlas and a plan below `root`."""
    folder = root / "tiny-llama"
    config = LlamaConfig(
        vocab_size=VOCABULARY, hidden_size=32, intermediate_size=48, num_hidden_layers=N_LAYERS,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=128,
        initializer_range=0.25, bos_token_id=None, eos_token_id=None, tie_word_embeddings=False,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        LlamaForCausalLM(config).save_pretrained(folder)
    _tokenizer().save_pretrained(folder)
    rng = np.random.default_rng(0)
    documents = [
        Document(" ".join(rng.choice(WORDS, 150)), domain, f"{domain}-{i}")
        for domain in ("prose", "code")
        for i in range(3)
    ]
    model = load_model(str(folder), device="cpu", dtype="float32")
    workspace = Workspace(root / "workspace")
    recording = record.record_texts(
        workspace, model, documents, settings=RecordingSettings(window=32, n_dummy_tokens=2)
    )
    atlas = group_ica.decompose(
        workspace, recording, settings=GroupICA(n_components=5, n_runs=1, tol=10.0)
    )
    settings = PlanSettings(ratio=0.3, sink_units=1, multiple=2)
    plan = planner.plan(
        workspace, model, recording_id=recording, decomposition_id=atlas, settings=settings
    )
    return Materials(
        root=root, folder=folder, model=model, workspace=workspace, recording=recording,
        atlas=atlas, plan=plan,
    )  # fmt: skip


def _tokenizer() -> PreTrainedTokenizerFast:
    core = Tokenizer(BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    trainer = BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=["<|start|>", "<|end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator([" ".join(WORDS)] * 3, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=core, bos_token="<|start|>", eos_token="<|end|>", pad_token="<|end|>"
    )


# Strategies


@st.composite
def damaged(draw: st.DrawFn, contents: Sequence[bytes], *, within: int | None = None) -> bytes:
    """Draw an honest file with up to six edits: bits, cuts, numbers, repeated stretches.

    Parameters
    ----------
    within : int, optional
        Edit only so many bytes from the beginning.
    """
    content = bytearray(draw(st.sampled_from(list(contents))))
    for _ in range(draw(st.sampled_from((0, 1, 1, 1, 2, 2, 4, 6)))):
        place = draw(st.integers(0, max(min(len(content), within or len(content)) - 1, 0)))
        length = draw(st.sampled_from((1, 2, 4, 8, 40)))
        kind = draw(st.sampled_from(("flip", "cut", "text", "number", "repeat", "end")))
        if kind == "flip" and content:
            content[place] ^= 1 << draw(st.integers(0, 7))
        elif kind == "cut":
            del content[place : place + length]
        elif kind == "text":
            content[place:place] = draw(st.binary(max_size=12))
        elif kind == "number":
            number = draw(st.sampled_from(NUMBERS))
            size = next(n for n in (1, 2, 4, 8) if number < 256**n)
            order = draw(st.sampled_from(("little", "big")))
            content[place : place + size] = number.to_bytes(size, order)
        elif kind == "repeat":
            content[place:place] = content[place : place + length] * draw(st.integers(1, 9))
        else:
            del content[place:]
    return bytes(content)


@st.composite
def edited(draw: st.DrawFn, values: Sequence[Any]) -> Any:
    """Draw an honest JSON value with one to three of its values replaced, taken away or added."""
    value = copy.deepcopy(draw(st.sampled_from(list(values))))
    for _ in range(draw(st.integers(1, 3))):
        value = _edit(draw, value)
    return value


def _edit(draw: st.DrawFn, value: Any) -> Any:
    here = value
    while True:
        keys = list(here) if isinstance(here, dict) else list(range(len(here)))
        if not keys:
            return copy.deepcopy(draw(st.sampled_from(HOSTILE))) if here is value else value
        key = draw(st.sampled_from(keys))
        inner = here[key]
        if isinstance(inner, dict | list) and inner and draw(st.integers(0, 3)):
            here = inner
            continue
        kind = draw(st.sampled_from(("replace", "replace", "delete", "add", "near")))
        if kind == "delete":
            del here[key]
        elif kind == "add" and isinstance(here, dict):
            here[draw(st.sampled_from(("x", "0", "name", "é")))] = copy.deepcopy(
                draw(st.sampled_from(HOSTILE))
            )
        elif kind == "add" and isinstance(here, list):
            here.insert(key, copy.deepcopy(draw(st.sampled_from(HOSTILE))))
        elif kind == "near" and type(inner) in (int, float):
            here[key] = inner + draw(st.sampled_from((-1, 1, 0.5, 10**6)))
        else:
            here[key] = copy.deepcopy(draw(st.sampled_from(HOSTILE)))
        return value


def as_bytes(value: Any) -> bytes:
    """Return a JSON value as bytes; what is not finite is written as Python does."""
    return json.dumps(value).encode()


def json_files(values: Sequence[Any]) -> st.SearchStrategy[bytes]:
    """Return edited values as files, some of them with damaged bytes on top."""
    written = edited(values).map(as_bytes)
    honest = [as_bytes(value) for value in values]
    return st.one_of(written, written, damaged(honest), st.binary(max_size=60))


@st.composite
def tensor_files(draw: st.DrawFn, honest: bytes) -> bytes:
    """Draw a safetensors file with an edited header, or with damaged bytes."""
    n_header = int.from_bytes(honest[:8], "little")
    if draw(st.booleans()):
        return draw(damaged([honest], within=8 + n_header + 64))
    header = draw(edited([json.loads(honest[8 : 8 + n_header])]))
    text = as_bytes(header)
    length = draw(st.sampled_from((len(text), len(text), len(text) + 1, 2**40, 0)))
    return length.to_bytes(8, "little") + text + honest[8 + n_header :]
