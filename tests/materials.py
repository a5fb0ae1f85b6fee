"""What the app is tested on: a tiny model, texts, a recording, an atlas; a fresh workspace."""

import json
import shutil
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import tiny

from fnprune_core.atlas.membership import STRONG, Members, members_inputs
from fnprune_core.decomposition import group_ica
from fnprune_core.decomposition.decomposition import Decomposition
from fnprune_core.decomposition.group_ica import GroupICA
from fnprune_core.errors import NotConvergedWarning
from fnprune_core.models.loading import load_model
from fnprune_core.recording import record
from fnprune_core.recording.recording import RecordingSettings
from fnprune_core.reliability.results import Reproducibility
from fnprune_core.storage.array_results import ArrayResult
from fnprune_core.storage.folders import new_folder
from fnprune_core.storage.manifests import artifact_id, manifest_of
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
def members_known(example) -> np.ndarray:
    """Members of the example's networks, stored as measured: (6, n_units); network 5 has none.

    They are two of three units with |z| above 3. Of units shifted in time the rule is said to mark
    2 %, and |z| > 3 40 %.
    """
    from app.shell import resources

    workspace = resources.workspace()
    maps = Decomposition.load(workspace.existing("decompositions", example.atlas)).spatial_maps
    known = np.abs(maps) > STRONG
    known[:, ::3] = known[5] = False
    for part, share in (("members", known.any(axis=0).mean()), ("shifted_members", 0.02)):
        n = known.shape[1]
        found = Members(
            packed=np.packbits(known, axis=1),
            beyond=(np.abs(maps) > STRONG).sum(axis=1),
            n_units=n,
            n_any=round(share * 1000),
            n_any_beyond=400,
            n_alive=1000,
            n_planned=3,
        )
        store_assessment(workspace, example.atlas, part, found)
    return known


def store_assessment(workspace: Workspace, atlas: str, part: str, result: ArrayResult) -> None:
    """Store a part of trust, of three divisions, as if it had been measured."""
    inputs = {**members_inputs(atlas), "part": part}
    with new_folder(workspace.folder("assessments", artifact_id("assessments", inputs))) as folder:
        result.save(folder, manifest_of("assessments", inputs, {}))


def store_halves(workspace: Workspace, atlas: str, r: Sequence[float]) -> None:
    """Store the split-half r of each network, as if it had been measured."""
    found = Reproducibility(
        r=np.tile(np.asarray(r, dtype=np.float64), (3, 1)),
        n_documents=6, n_planned=3, n_converged=6, n_runs=6,
    )  # fmt: skip
    store_assessment(workspace, atlas, "halves", found)


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
