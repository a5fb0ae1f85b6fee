"""What a flipped byte or an edited value of a workspace does: told, harmless, or silently wrong.

Each run changes one byte of one file, or one value of one JSON file, opens the artifact as the
app and the commands do, reads all of it, and puts the file back. Prints JSON. The goal is no
silent change and no traceback::

    python benchmarks/faults.py --runs 3000 --seed 0

Then one item of each kind, and the folder of each kind, is made odd in every way of
`odd_items.py`: it must be told, and all lists must hold what they held.

Without ``--workspace`` one of each kind of artifact is made from the embedded model first, which
takes minutes.
"""

import argparse
import hashlib
import json
import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import torch
from odd_items import ODD_ITEMS, ODD_KINDS, without_rights_of_root

from fnprune_core.atlas import annotations
from fnprune_core.atlas.annotation_files import Annotation
from fnprune_core.atlas.cortex import Cortex, lay_out
from fnprune_core.atlas.embedding import open_embedding
from fnprune_core.atlas.network_atlas import open_atlas
from fnprune_core.decomposition.decomposition import Decomposition
from fnprune_core.errors import FnpruneError
from fnprune_core.evaluation.history import history
from fnprune_core.evaluation.results import open_evaluation
from fnprune_core.evaluation.side_by_side import open_generation
from fnprune_core.export.speed import open_speed
from fnprune_core.lesions.stored import lesion_studies, open_lesions
from fnprune_core.lesions.writing import open_lesion_text
from fnprune_core.localizers.run import localizers_of, open_localizer
from fnprune_core.plans import decision_log
from fnprune_core.plans.files import stored_plan
from fnprune_core.pruning.preview_files import open_preview
from fnprune_core.recording.recording import open_recording
from fnprune_core.reliability.assess import PARTS
from fnprune_core.storage.manifests import KINDS, read_manifest
from fnprune_core.storage.workspace import Workspace

#: What lies beside the artifacts, and where.
NOTES = MappingProxyType({"names": annotations.FOLDER, "plan_notes": decision_log.FOLDER})
ODD = "odd"
OUTCOMES = ("same", "told", "silent", "traceback")
_SKIPPED = (".lock",)


def _recording(workspace: Workspace, id: str) -> list[object]:
    recording = open_recording(workspace, id)
    sessions = [recording.session(session) for session in range(recording.n_sessions)]
    moments = [recording.session_moments(session) for session in range(recording.n_sessions)]
    return [recording.tokens, recording.mean, recording.std, recording.dummy_max, sessions, moments]


def _assessment(workspace: Workspace, id: str) -> object:
    folder = workspace.existing("assessments", id)
    return PARTS[read_manifest(folder)["inputs"]["part"]].result.load(folder)


def _plan(workspace: Workspace, id: str) -> list[object]:
    stored = stored_plan(workspace, id)
    return [stored.plan.to_json(), stored.cut_key, stored.refits()]


#: How the content of each kind is read, all of it.
READERS: Mapping[str, Callable[[Workspace, str], object]] = MappingProxyType(
    {
        "recordings": _recording,
        "decompositions": lambda w, id: Decomposition.load(w.existing("decompositions", id)),
        "layouts": lambda w, id: Cortex.load(w.existing("layouts", id)),
        "assessments": _assessment,
        "embeddings": open_embedding,
        "previews": lambda w, id: open_preview(
            w, read_manifest(w.existing("previews", id))["inputs"]["decomposition_id"]
        ),
        "plans": _plan,
        "evaluations": open_evaluation,
        "generations": open_generation,
        "speeds": open_speed,
        "lesions": open_lesions,
        "lesion_texts": open_lesion_text,
        "localizers": open_localizer,
        "names": annotations.read_annotations,
        "plan_notes": decision_log.read_notes,
    }
)


def digest(value: object) -> str:
    """Return a hash of a value and of all that it holds."""
    sha = hashlib.sha256()
    for part in _parts(value):
        sha.update(part)
        sha.update(b"\0")
    return sha.hexdigest()


def _parts(value: object) -> Iterator[bytes]:
    if isinstance(value, np.ndarray | torch.Tensor | pd.DataFrame | Path):
        yield from _content(value)
        return
    if is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in fields(value)}
    elif hasattr(value, "__dict__"):
        value = vars(value)
    if isinstance(value, Mapping):
        for key in sorted(value, key=repr):
            yield repr(key).encode()
            yield from _parts(value[key])
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _parts(item)
    else:
        yield repr(value).encode()


def _content(value: np.ndarray | torch.Tensor | pd.DataFrame | Path) -> Iterator[bytes]:
    if isinstance(value, np.ndarray):
        yield f"{value.dtype}{value.shape}".encode()
        yield repr(value.tolist()).encode() if value.dtype == object else value.tobytes()
    elif isinstance(value, torch.Tensor):
        yield str(value.dtype).encode()
        yield value.contiguous().view(torch.uint8).numpy().tobytes()
    elif isinstance(value, pd.DataFrame):
        yield value.to_csv().encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A file of an artifact that can be changed."""

    kind: str
    id: str
    path: Path

    def read(self, workspace: Workspace) -> str:
        """Return a digest of the artifact's content: what people see of it."""
        manifest: object = None
        folder = workspace.root / self.kind / self.id
        if folder.is_dir():
            stored = read_manifest(folder)
            manifest = {k: v for k, v in stored.items() if k not in ("files", "checksum")}
        return digest([manifest, READERS[self.kind](workspace, self.id)])


def places(workspace: Workspace) -> list[Place]:
    """Return all files of all artifacts, and the notes beside them."""
    found = [
        Place(kind=entry.kind, id=entry.id, path=path)
        for entry in workspace.entries()
        if entry.kind in READERS
        for path in sorted(entry.path.rglob("*"))
        if path.is_file() and path.name not in _SKIPPED and path.stat().st_size
    ]
    for kind, folder in NOTES.items():
        found += [
            Place(kind=kind, id=path.stem, path=path)
            for path in sorted((workspace.root / folder).glob("*.json"))
        ]
    return found


def flip(content: bytes, rng: random.Random) -> bytes:
    """Return the content with one byte changed."""
    position = rng.randrange(len(content))
    changed = content[position] ^ rng.randrange(1, 256)
    return content[:position] + bytes([changed]) + content[position + 1 :]


def edit(content: bytes, rng: random.Random) -> bytes:
    """Return a JSON file with one value changed: another number, text, type, or none."""
    value = json.loads(content)
    holders = list(_holders(value))
    holder, key = rng.choice(holders)
    old = holder[key]
    choices: list[Any] = [None, 0, -1, 10**30, 0.5, "", "x", [], {}, True]
    if isinstance(old, bool):
        choices.append(not old)
    elif isinstance(old, int | float):
        choices += [old + 1, old * 2, -old, str(old)]
    elif isinstance(old, str):
        choices += [old + "x", old[:-1], old.upper()]
    elif isinstance(old, list):
        choices += [old[:-1], [*old, *old[:1]], old[::-1]]
    holder[key] = rng.choice([choice for choice in choices if choice != old])
    return json.dumps(value).encode()


def _holders(value: Any) -> Iterator[tuple[Any, Any]]:
    keys = value.keys() if isinstance(value, dict) else range(len(value))
    for key in list(keys):
        yield value, key
        if isinstance(value[key], dict | list):
            yield from _holders(value[key])


def outcome(place: Place, workspace: Workspace, *, changed: bytes, sound: str) -> tuple[str, str]:
    """Return what a changed file did, and what was raised; the file is put back."""
    content = place.path.read_bytes()
    place.path.write_bytes(changed)
    try:
        return ("same" if place.read(workspace) == sound else "silent"), ""
    except FnpruneError as error:
        return "told", type(error).__name__
    except Exception as error:  # noqa: BLE001 - what is counted here
        return "traceback", f"{type(error).__name__}: {error}"
    finally:
        place.path.write_bytes(content)


def run(workspace: Workspace, *, runs: int, seed: int) -> dict[str, Any]:
    """Change `runs` files one after another; return the counts, and what went wrong."""
    rng = random.Random(seed)
    all_places = places(workspace)
    by_kind: dict[str, list[Place]] = {}
    for place in all_places:
        by_kind.setdefault(place.kind, []).append(place)
    sound = {(place.kind, place.id): place.read(workspace) for place in all_places}
    counts: Counter[tuple[str, str]] = Counter()
    wrong = []
    for number in range(runs):
        place = rng.choice(by_kind[list(by_kind)[number % len(by_kind)]])
        is_edit = place.path.suffix == ".json" and rng.random() < 0.5
        how = "edited value" if is_edit else "flipped byte"
        changed = (edit if is_edit else flip)(place.path.read_bytes(), rng)
        what, raised = outcome(place, workspace, changed=changed, sound=sound[place.kind, place.id])
        counts[how, what] += 1
        if what in ("silent", "traceback"):
            wrong.append({"file": f"{place.kind}/{place.path.name}", "how": how, "is": what}
                         | ({"raised": raised} if raised else {}))  # fmt: skip
    return {
        "runs": runs,
        "seed": seed,
        "kinds": sorted(by_kind),
        "counts": {
            how: {what: counts[how, what] for what in OUTCOMES}
            for how in ("flipped byte", "edited value")
        },
        "wrong": wrong[:40],
    }


def lists(workspace: Workspace) -> dict[str, list[str]]:
    """Return what the lists of a workspace hold, by the name of the list; `ODD` is left out."""
    atlases = [entry for entry in workspace.entries("decompositions") if entry.id != ODD]
    plans = [
        plan.id
        for entry in atlases
        for plan in history(workspace, fingerprint=entry.manifest["fingerprint"]).plans
    ]
    found = {
        "items": [f"{entry.kind}/{entry.id}" for entry in workspace.entries()],
        "history": plans,
        "lesions": [id for atlas in atlases for id in lesion_studies(workspace, atlas.id)],
        "localizers": [run.id for atlas in atlases for run in localizers_of(workspace, atlas.id)],
        "unfinished": [str(path) for path in workspace.unfinished()],
    }
    return {name: [id for id in ids if ODD not in id] for name, ids in found.items()}


def run_odd(workspace: Workspace) -> dict[str, Any]:
    """Make an item of each kind, and each kind's folder, odd in every way; return the counts."""
    counts: Counter[str] = Counter()
    wrong = []

    def count(kind: str, how: str, expected: Mapping[str, list[str]]) -> None:
        what = _outcome_of_odd(workspace, kind, expected)
        counts[what] += 1
        wrong.extend([] if what == "told" else [{"kind": kind, "how": how, "is": what}])

    for kind in [kind for kind in KINDS if workspace.ids(kind)]:
        expected = lists(workspace)
        folder = workspace.folder(kind, workspace.ids(kind)[0])
        for how, change in ODD_ITEMS.items():
            shutil.copytree(folder, folder.with_name(ODD))
            change(folder.with_name(ODD))
            count(kind, how, expected)
            workspace.delete(kind, ODD)
        parent = folder.parent
        aside = parent.rename(parent.with_name(f"{kind} aside"))
        expected = lists(workspace)
        for how, change in ODD_KINDS.items():
            shutil.copytree(aside / folder.name, parent / ODD)
            change(parent)
            count(kind, how, expected)
            parent.unlink() if parent.is_symlink() or not parent.is_dir() else shutil.rmtree(parent)
        aside.rename(parent)
    return {"counts": dict(counts), "wrong": wrong[:40]}


def _outcome_of_odd(workspace: Workspace, kind: str, expected: Mapping[str, list[str]]) -> str:
    """Return whether the odd item of a kind is told, and all lists are as they were."""
    try:
        with without_rights_of_root():
            if lists(workspace) != expected:
                return "others changed"
            damaged = [item for item in workspace.verify() if item.standing == "damaged"]
    except Exception as error:  # noqa: BLE001 - what is counted here
        return f"{type(error).__name__}: {error}"
    return (
        "told"
        if {(item.kind, item.id in ("", ODD)) for item in damaged} == {(kind, True)}
        else "hidden"
    )


_COMMANDS = (
    "record builtin --max-tokens 2560",
    "decompose latest --k 8 --runs 2",
    "trust latest --parts seeds,halves",
    "localize latest language --permutations 20",
    "plan latest --decomposition latest --ratio 0.2",
    "evaluate --plan latest --max-windows 2",
    "generate latest Hello --tokens 4",
    "speed latest --prefill 16 --decode 2 --rounds 2",
    "lesion latest --networks 0 --random 1 --max-windows 4",
)


def build(root: Path) -> None:
    """Make one artifact of nearly every kind from the embedded model."""
    for command in _COMMANDS:
        program = [sys.executable, "-m", "fnprune_core", *command.split()]
        subprocess.run([*program, "--workspace", str(root)], check=True, stdout=sys.stderr)
    workspace = Workspace(root)
    atlas = open_atlas(workspace, "latest")
    annotations.annotate(workspace, atlas, 0, Annotation(name="Zero", note="a note"))
    lay_out(workspace, atlas.id)
    decision_log.name_plan(workspace, workspace.existing("plans", "latest").name, "mine")


def main() -> None:
    """Count outcomes, and print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workspace", type=Path, help="a workspace that may be changed")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        root = arguments.workspace or Path(scratch)
        if arguments.workspace is None:
            build(root)
        result = run(Workspace(root), runs=arguments.runs, seed=arguments.seed)
        result["odd"] = run_odd(Workspace(root))
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
