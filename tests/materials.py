"""What the app is tested on: a tiny model, texts, a recording, an atlas; a fresh workspace."""

import json
import shutil
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import tiny

from fnprune_core.decomposition import group_ica
from fnprune_core.decomposition.group_ica import GroupICA
from fnprune_core.errors import NotConvergedWarning
from fnprune_core.models.loading import load_model
from fnprune_core.recording import record
from fnprune_core.recording.recording import RecordingSettings
from fnprune_core.storage.workspace import Workspace

SETTINGS = RecordingSettings(window=32, n_dummy_tokens=2, max_tokens=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Materials:
    """A model folder, texts, and what was made from them in a workspace."""

    root: Path
    model: str
    texts: Path
    held_out: Path
    recording: str = ""
    atlas: str = ""

    def view(self) -> dict[str, str]:
        """Return the URL's parameters that open all of it."""
        return {"model": self.model, "recording": self.recording, "atlas": self.atlas}


@pytest.fixture(scope="session")
def made(tmp_path_factory) -> Materials:
    """A tiny Llama in a folder, two files of toy texts, a recording, an atlas of 6 networks."""
    root = tmp_path_factory.mktemp("made")
    folder = root / "tiny-llama"
    tiny.tiny_model("Llama").save_pretrained(folder)
    tiny.toy_tokenizer().save_pretrained(folder)
    documents = tiny.toy_documents(n_per_domain=4, n_words=130)
    paths = []
    for name, part in (("texts", slice(0, 3)), ("held-out", slice(3, 4))):
        chosen = [*documents[:4][part], *documents[4:][part]]
        rows = [json.dumps({"text": d.text, "topic": d.domain, "id": d.name}) for d in chosen]
        paths.append(root / f"{name}.jsonl")
        paths[-1].write_text("\n".join(rows))
    workspace = Workspace(root / "workspace")
    recording = record.record_texts(
        workspace,
        load_model(str(folder)),
        [*documents[:3], *documents[4:7]],
        settings=SETTINGS,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotConvergedWarning)
        settings = GroupICA(n_components=6, n_runs=2, max_iter=60)
        atlas = group_ica.decompose(workspace, recording, settings=settings)
    return Materials(
        root=root,
        model=str(folder),
        texts=paths[0],
        held_out=paths[1],
        recording=recording,
        atlas=atlas,
    )


@pytest.fixture
def fresh(tmp_path, monkeypatch) -> Iterator[Path]:
    """Point the app to an empty workspace and forget what other tests cached.

    Networks of random toy texts need not converge; the pages say so, the tests are not about it.
    """
    import streamlit as st  # a second that tests of the core need not wait for

    from app.shell.caching import CACHES

    root = tmp_path / "workspace"
    monkeypatch.setenv("FNPRUNE_WORKSPACE", str(root))
    st.cache_resource.clear()
    CACHES.clear()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotConvergedWarning)
        yield root


@pytest.fixture
def materials(fresh, made) -> Materials:
    """The model and the texts; nothing recorded yet."""
    return replace(made, recording="", atlas="")


@pytest.fixture
def example(fresh, made) -> Materials:
    """The model and the texts, with the recording and the atlas in the workspace."""
    shutil.copytree(made.root / "workspace", fresh)
    return made


@pytest.fixture
def summarised(example) -> dict[str, str]:
    """The view of a summary for up to 6 networks and its atlas, in the workspace of the app."""
    from app.shell import resources

    workspace = resources.workspace()
    recording = record.record_texts(
        workspace,
        load_model(example.model),
        tiny.toy_documents(n_per_domain=4, n_words=130),
        settings=replace(SETTINGS, keep="summary", most_networks=6),
    )
    atlas = group_ica.decompose(
        workspace, recording, settings=GroupICA(n_components=6, n_runs=1, fun="logcosh")
    )
    return {"model": example.model, "recording": recording, "atlas": atlas}
