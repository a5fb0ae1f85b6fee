import shutil
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tiny
from toy_localizer import QUICK, forget_directions, toy

from fnprune_core.decomposition import group_ica
from fnprune_core.decomposition.group_ica import GroupICA
from fnprune_core.errors import NotConvergedWarning
from fnprune_core.localizers.run import localize, localizers_of, open_localizer
from fnprune_core.localizers.stimuli import Item, localizer_of
from fnprune_core.matching import dual_regression
from fnprune_core.progress import Cancelled, CancelToken
from fnprune_core.recording import record
from fnprune_core.recording.recording import RecordingSettings


@pytest.fixture
def atlas_id(workspace, llama) -> str:
    """An atlas of 4 networks of toy texts in windows of 32."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotConvergedWarning)
        recording = record.record_texts(
            workspace,
            llama,
            tiny.toy_documents(n_words=130),
            settings=RecordingSettings(window=32, n_dummy_tokens=2, max_tokens=None),
        )
        ica = GroupICA(n_components=4, n_runs=1, max_iter=60)
        return group_ica.decompose(workspace, recording, settings=ica)


def test_a_run_is_found_again_and_read_back_whole(workspace, llama, atlas_id) -> None:
    found = toy()
    seen = []
    id = localize(
        workspace, llama, atlas_id, found, settings=QUICK, progress=lambda e: seen.append(e.stage)
    )
    assert dict.fromkeys(seen).keys() == {"reading blocks", "permutations"}
    assert localize(workspace, llama, atlas_id, found, settings=QUICK) == id
    made = open_localizer(workspace, id)
    assert made.localizer == found
    assert made.strengths.shape == (4, len(made.tokens))
    assert made.unit_effects.shape == (16, 144)
    listed = localizers_of(workspace, atlas_id)
    assert [(each.id, each.contrast, each.p) for each in listed] == [
        (id, "up against down", made.decoding.p)
    ]
    assert not localizers_of(workspace, "other")
    # the probe reads a block alike
    probe = dual_regression.open_probe(workspace, atlas_id)
    texts = " ".join(found.items[i].text for i in made.blocks[3].items)
    reading = probe.read(llama, texts)
    np.testing.assert_allclose(
        made.strengths[:, made.tokens["block"] == 3], reading.relative(), atol=1e-4
    )
    table = made.network_table()
    assert sorted(table["network"]) == [0, 1, 2, 3]
    assert ((table["low"] <= table["difference"]) & (table["difference"] <= table["high"])).all()
    template = made.template_table(2)
    row = table[table["network"] == 2].iloc[0]
    assert template["difference"].mean() == pytest.approx(row["difference"])
    assert made.item_table()["tokens"].tolist() == [5] * 64
    assert made.layer_table()[["positive", "negative"]].to_numpy().sum() == made.n_responding()
    assert len(made.unit_table()) == made.n_responding()
    assert made.surprise_table()["tokens"].tolist() == [8 * 18] * 2
    assert made.design().shape == (16 * 18, 18)


def test_one_of_before_random_directions_is_run_again_under_its_id(workspace, llama, atlas_id):
    id = localize(workspace, llama, atlas_id, toy(), settings=QUICK)
    made = open_localizer(workspace, id)
    assert {each.shape for each in made.directions.values()} == {made.strengths.shape}
    forget_directions(workspace, id)
    before = open_localizer(workspace, id)
    assert not before.directions
    assert localize(workspace, llama, atlas_id, toy(), settings=QUICK) == id
    again = open_localizer(workspace, id)
    np.testing.assert_array_equal(again.networks.t, before.networks.t)
    for kind, strengths in made.directions.items():
        np.testing.assert_array_equal(again.directions[kind], strengths)


def test_texts_that_differ_in_every_word_are_told_apart(workspace, llama, atlas_id) -> None:
    items = [
        Item(condition=condition, template=f"{template}", text=f"{word} {word} {other} {word}")
        for condition, word in (("up", "aq"), ("down", "gy"))
        for template in range(8)
        for other in tiny.WORDS[10 + template : 50 : 8]
    ]
    found = localizer_of(items, name="words", has_templates=True)
    id = localize(workspace, llama, atlas_id, found, settings=QUICK)
    made = open_localizer(workspace, id)
    assert made.decoding.accuracy > 0.8
    assert made.decoding.p == pytest.approx(0.01)
    assert made.networks.q.min() < 0.01


def test_the_seed_alone_decides(workspace, llama, atlas_id, tmp_path) -> None:
    def run(root: Path, seed: int):
        own = type(workspace)(root)
        if not root.exists():
            shutil.copytree(workspace.root, root)
        settings = replace(QUICK, seed=seed)
        return open_localizer(own, localize(own, llama, atlas_id, toy(), settings=settings))

    first, again, other = run(tmp_path / "a", 0), run(tmp_path / "b", 0), run(tmp_path / "a", 1)
    np.testing.assert_array_equal(first.strengths, again.strengths)
    np.testing.assert_array_equal(first.unit_effects, again.unit_effects)
    np.testing.assert_array_equal(first.decoding.null, again.decoding.null)
    assert first.blocks != other.blocks


def test_a_stopped_run_leaves_nothing(workspace, llama, atlas_id) -> None:
    token = CancelToken()

    def stop(event) -> None:
        if event.stage == "reading blocks" and event.done == 2:
            token.cancel()

    with pytest.raises(Cancelled):
        localize(workspace, llama, atlas_id, toy(), progress=stop, cancel=token)
    assert not workspace.ids("localizers")
    assert tiny.is_idle(llama)
