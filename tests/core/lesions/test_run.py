"""Lesion studies on tiny models: what they read, when they stop, what is taken over."""

import json
import shutil
import sys

import numpy as np
import pytest
import tiny
import torch
from lesioned import order
from torch.nn.functional import cross_entropy

from fnprune_core.cli import main
from fnprune_core.errors import OverlapError, StorageError
from fnprune_core.lesions import stored
from fnprune_core.lesions.order import estimate_lesions, graded
from fnprune_core.lesions.run import lesion_study
from fnprune_core.lesions.sites import Lesion, domain_stimuli
from fnprune_core.lesions.stored import open_lesions
from fnprune_core.lesions.study import LesionStudy
from fnprune_core.models.silencing import silenced
from fnprune_core.progress import Cancelled, CancelToken


def test_the_matrix_is_the_loss_change_of_plain_passes(workspace, llama, atlas, sites, stimuli):
    found = open_lesions(workspace, lesion_study(workspace, llama, stimuli, order=order(atlas)))
    assert found.is_complete
    assert found.nll.shape == (4, 3, 12)
    for row, draw in ((1, None), (2, 1)):
        units = sites.units((row,), draw)
        with silenced(llama, llama.layout.removed_of(~units)):
            logits = tiny.logits_of(llama.model, _ids(stimuli))
        expected = _losses(logits, _ids(stimuli))
        column = 0 if draw is None else 1 + draw
        np.testing.assert_allclose(found.nll[row, column], expected, rtol=1e-5)
    change = (found.nll[1, 0] - found.healthy)[:6].sum() / (6 * 15)
    assert found.change[1, 0, 0] == pytest.approx(change)
    mean = (found.nll[1, 0] - found.nll[1, 1:].mean(axis=0))[:6].sum() / (6 * 15)
    assert found.effects.excess[1, 0] == pytest.approx(mean)
    assert len(found.table()) == 8


def _ids(stimuli):
    return torch.from_numpy(stimuli.windows.token_ids.reshape(12, 16).astype(np.int64))


def _losses(logits, ids):
    return [
        float(cross_entropy(a[:-1], b[1:], reduction="sum"))
        for a, b in zip(logits, ids, strict=True)
    ]


def test_a_stopped_study_goes_on_and_ends_the_same(
    workspace, llama, atlas, stimuli, tmp_path, monkeypatch
) -> None:
    whole = open_lesions(workspace, lesion_study(workspace, llama, stimuli, order=order(atlas)))
    again = type(workspace)(tmp_path / "again")
    _copy(workspace, again)
    cancel, seen = CancelToken(), []

    def stop(study) -> None:
        seen.append(study)
        if study.n_done == 6:
            cancel.cancel()

    with pytest.raises(Cancelled):
        lesion_study(again, llama, stimuli, order=order(atlas), on_partial=stop, cancel=cancel)
    assert seen[-1].is_done[:, 0].all()
    assert seen[-1].is_done[:, 1].sum() == 2
    assert np.isfinite(seen[-1].change[:, 0]).all()
    assert tiny.is_idle(llama)
    n_read = []
    forward = llama.model.forward
    monkeypatch.setattr(
        llama.model, "forward", lambda *a, **o: n_read.append(len(a[0])) or forward(*a, **o)
    )
    id = lesion_study(again, llama, stimuli, order=order(atlas))
    assert sum(n_read) == 6 * 12
    found = open_lesions(again, id)
    np.testing.assert_array_equal(found.nll, whole.nll)
    np.testing.assert_array_equal(found.effects.p, whole.effects.p)
    assert not again.resumable_folder("lesions", id).exists()


def test_two_of_one_study_at_once(workspace, llama, atlas, stimuli) -> None:
    """Once the second ended in a FileNotFoundError, and the first lost what it had read."""
    told = []

    def another(study) -> None:
        with pytest.raises(StorageError, match="This study is being made by another process"):
            lesion_study(workspace, llama, stimuli, order=order(atlas))
        told.append(study.n_done)

    id = lesion_study(workspace, llama, stimuli, order=order(atlas), on_partial=another)
    assert max(told) == open_lesions(workspace, id).n_done


def test_a_kill_between_two_steps_of_a_study_loses_nothing(
    workspace, llama, atlas, stimuli, monkeypatch
) -> None:
    def killed(path, **options):
        raise KeyboardInterrupt  # after the new partial study is there, before the old is gone

    def after_three(study) -> None:
        if study.n_done == 3:
            monkeypatch.setattr(stored.shutil, "rmtree", killed)

    with pytest.raises(KeyboardInterrupt):
        lesion_study(workspace, llama, stimuli, order=order(atlas), on_partial=after_three)
    monkeypatch.undo()
    [partial] = (workspace.root / "lesions").glob(".unfinished-*-resumable")
    older, newer = sorted(path for path in partial.iterdir() if path.name.isdecimal())
    assert (LesionStudy.load(older).n_done, LesionStudy.load(newer).n_done) == (3, 4)
    (newer / "study.json").write_text("{")  # and a disk that lost the newest
    seen = []
    id = lesion_study(workspace, llama, stimuli, order=order(atlas), on_partial=seen.append)
    assert seen[0].n_done == 3
    assert workspace.ids("lesions") == [id]
    assert not partial.exists()


def _copy(workspace, other) -> None:
    for kind in ("recordings", "decompositions"):
        shutil.copytree(workspace.root / kind, other.root / kind)


def test_what_another_study_read_is_taken_over(workspace, llama, atlas, stimuli, monkeypatch):
    lesion_study(workspace, llama, stimuli, order=order(atlas))
    n_read = []
    forward = llama.model.forward
    monkeypatch.setattr(
        llama.model, "forward", lambda *a, **o: n_read.append(len(a[0])) or forward(*a, **o)
    )
    curve = order(atlas, graded((2,), (0.0, 0.5, 1.0, -1.0)))
    found = open_lesions(workspace, lesion_study(workspace, llama, stimuli, order=curve))
    assert sum(n_read) == 2 * 3 * 12  # at 0 nothing is read, at 1 it is known
    row = found.lesions.index(Lesion(networks=(2,), strength=0.0))
    assert (found.change[row] == 0).all()
    assert estimate_lesions(llama, stimuli, curve).n_readings == 13


def test_the_seed_decides_the_random_lesions(workspace, llama, atlas, stimuli) -> None:
    one, other = (
        open_lesions(
            workspace,
            lesion_study(workspace, llama, stimuli, order=order(atlas, seed=seed)),
        )
        for seed in (0, 1)
    )
    np.testing.assert_array_equal(one.nll[:, 0], other.nll[:, 0])
    assert (one.nll[:, 1:] != other.nll[:, 1:]).any()


def test_texts_of_the_atlas_are_refused(workspace, llama, atlas, recording) -> None:
    with pytest.raises(OverlapError):
        lesion_study(workspace, llama, domain_stimuli(recording.windows), order=order(atlas))


def test_the_command_measures_writes_and_refuses(
    workspace, llama, atlas, tmp_path, monkeypatch, capsys
) -> None:
    folder = tmp_path / "tiny"
    llama.model.save_pretrained(folder)
    llama.tokenizer.save_pretrained(folder)
    rows = [{"text": d.text, "topic": d.domain} for d in tiny.toy_documents(n_words=130)]
    (tmp_path / "texts.jsonl").write_text("\n".join(map(json.dumps, rows)))

    def run(*words: str):
        common = ["--model", str(folder), "-w", str(workspace.root), "--json", "-z", "1.5"]
        monkeypatch.setattr(sys, "argv", ["fnprune", "lesion", atlas.id, *words, *common])
        with pytest.raises(SystemExit) as stopped:
            main()
        return stopped.value.code, json.loads(capsys.readouterr().out)

    texts = [str(tmp_path / "texts.jsonl"), "--domain-column", "topic", "--window", "16"]
    code, found = run(*texts, "--networks", "0-1", "--together", "2,3", "--random", "2")
    assert code == 0
    assert [row["networks"] for row in found["effects"]] == ["0", "0", "1", "1", "2 3", "2 3"]
    study = open_lesions(workspace, found["id"])
    assert found["effects"][1]["excess"] == pytest.approx(study.effects.excess[0, 1])
    code, written = run("--networks", "0", "--prompt", "aq ar as")
    assert code == 0
    assert written["healthy"]
    code, refused = run("--patient", "nobody")
    assert code == 2
    assert "most-selective" in refused["error"]["hint"]
    assert run("--together", "")[1]["error"]["message"].startswith("A lesion needs a network")
