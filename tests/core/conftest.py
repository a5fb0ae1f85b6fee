"""What tests of several packages of the core share."""

import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import tiny
import torch
from command_line import Program
from planted import Planted, planted
from study import Study, begin
from transformers import LlamaConfig

from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.decomposition.group_ica import GroupICA
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.pruning.sweep import SweepOrder, sweep
from fnprune_core.storage.workspace import Workspace


@pytest.fixture
def program(monkeypatch, capsys, tmp_path) -> Program:
    """The command line, in a workspace of its own."""
    workspace = tmp_path / "workspace"
    for name, value in {
        "FNPRUNE_WORKSPACE": str(workspace),
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "TRANSFORMERS_VERBOSITY": "error",
        "TOKENIZERS_PARALLELISM": "false",
        "COLUMNS": "200",
    }.items():
        monkeypatch.setenv(name, value)
    return Program(monkeypatch, capsys, workspace)


@pytest.fixture
def short_passes(monkeypatch) -> None:
    """Two windows of 32 tokens a pass, and one pass at a time: work of several batches."""
    monkeypatch.setattr("fnprune_core.machine.batches.PASS_TOKENS", 64)
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)


@pytest.fixture(scope="session")
def model(tmp_path_factory) -> str:
    """The folder of a tiny Llama with room for windows of 512 tokens."""
    folder = tmp_path_factory.mktemp("model") / "tiny-llama"
    config = LlamaConfig(
        vocab_size=tiny.VOCABULARY,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        initializer_range=0.25,
        bos_token_id=None,
        eos_token_id=None,
    )
    tiny.tiny_model("Llama", config=config).save_pretrained(folder)
    tiny.toy_tokenizer().save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="session")
def texts(tmp_path_factory) -> Path:
    """Folders ``calibration`` and ``held-out``, with a folder of texts for each domain."""
    root = tmp_path_factory.mktemp("texts")
    documents = tiny.toy_documents(n_per_domain=3, n_words=1100)
    for i, document in enumerate(documents):
        part = "held-out" if i % 3 == 2 else "calibration"
        folder = root / part / document.domain
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{document.name}.txt").write_text(document.text)
    return root


@pytest.fixture
def atlas(recording) -> NetworkAtlas:
    """Four networks of the tiny recording."""
    found = GroupICA(n_components=4, n_runs=1, fun="logcosh").fit(recording).result_
    return NetworkAtlas(found, recording.tokens)


@pytest.fixture(scope="session")
def sources() -> Planted:
    """Signals with five planted networks."""
    return planted()


@pytest.fixture
def lab(workspace, llama, recording):
    """A tiny model with its recording, windows to measure on, and a small sweep."""
    windows = tiny.toy_windows(seed=5)
    base = PlanSettings(sink_units=2, allocation="uniform")
    order = SweepOrder(
        recording_id=recording.id, base=base, scores=("flap", "random"), ratios=(0.4, 0.2),
        n_seeds=2,
    )  # fmt: skip

    def run(order=order, **options):
        return sweep(workspace, llama, windows, order=order, **options)

    return SimpleNamespace(
        workspace=workspace, model=llama, windows=windows, order=order, run=run,
        recording=recording,
    )  # fmt: skip


@pytest.fixture(scope="session")
def begun(tmp_path_factory) -> Study:
    """A recording and an atlas of four networks; `study` is a copy to add to."""
    workspace = Workspace(tmp_path_factory.mktemp("begun"))
    return begin(workspace, tiny.tiny_language_model("Llama"))


@pytest.fixture
def study(begun, tmp_path) -> Study:
    """A study that a test may add to: a copy."""
    root = tmp_path / "workspace"
    shutil.copytree(begun.workspace.root, root)
    return replace(begun, workspace=Workspace(root))
