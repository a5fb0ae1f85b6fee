"""Lesions and lesion studies on tiny models."""

import json
import shutil
import sys
from dataclasses import replace

import numpy as np
import pytest
import tiny
import torch
from torch.nn.functional import cross_entropy

from fnprune_core.atlas.network_atlas import open_atlas
from fnprune_core.cli import main
from fnprune_core.decomposition import group_ica
from fnprune_core.decomposition.group_ica import GroupICA
from fnprune_core.errors import OverlapError, SettingsError, TooFewTokensError
from fnprune_core.evaluation.generation import Prompt, Sampling, generate_stream
from fnprune_core.evaluation.results import DENSE
from fnprune_core.evaluation.side_by_side import PRUNED
from fnprune_core.lesions.on_localizers import ready_stimuli
from fnprune_core.lesions.patients import patients
from fnprune_core.lesions.run import (
    LesionOrder,
    each_network,
    estimate_lesions,
    graded,
    lesion_study,
    open_lesions,
)
from fnprune_core.lesions.sites import Lesion, LesionSettings, LesionSites, domain_stimuli
from fnprune_core.lesions.study import LesionStudy
from fnprune_core.lesions.writing import WritingOrder, open_lesion_text, write_under_lesion
from fnprune_core.models.architectures import output_projections
from fnprune_core.models.hooks import watch_inputs
from fnprune_core.models.silencing import silenced
from fnprune_core.progress import Cancelled, CancelToken

SETTINGS = LesionSettings(z=1.5, sink_units=1, n_random=2)


@pytest.fixture
def atlas(workspace, recording):
    ica = GroupICA(n_components=4, n_runs=1, tol=0.5)
    return open_atlas(workspace, group_ica.decompose(workspace, recording.id, settings=ica))


@pytest.fixture
def sites(atlas, recording, llama):
    return LesionSites(atlas, recording, llama, settings=SETTINGS)


@pytest.fixture
def stimuli():
    return domain_stimuli(tiny.toy_windows((16,) * 12, seed=5, n_dummy_tokens=0))


def order(atlas, lesions=None, **changes) -> LesionOrder:
    return LesionOrder(
        decomposition_id=atlas.id,
        lesions=each_network(atlas.n_networks) if lesions is None else lesions,
        settings=replace(SETTINGS, **changes),
    )


def logits_under(model, sites, lesion):
    with sites.silence(sites.members(lesion.networks), lesion):
        return tiny.logits_of(model.model, tiny.random_ids())


@pytest.mark.parametrize("networks", [(0,), (1, 3)])
def test_a_lesion_is_what_silencing_its_units_is(sites, llama, networks) -> None:
    units = sites.members(networks)
    expected_units = (np.abs(sites.atlas.maps[list(networks)]) > 1.5).any(axis=0) & ~sites.sinks
    np.testing.assert_array_equal(units, expected_units)
    assert (units & sites.sinks).sum() == 0 < sites.sinks.sum()
    with silenced(llama, llama.layout.removed_of(~units)):
        expected = tiny.logits_of(llama.model, tiny.random_ids())
    assert logits_under(llama, sites, Lesion(networks=networks)).equal(expected)
    assert not expected.equal(tiny.logits_of(llama.model, tiny.random_ids()))
    assert tiny.is_idle(llama)


@pytest.mark.parametrize("towards", ["zero", "mean"])
def test_strength_0_changes_nothing_and_1_silences(atlas, recording, llama, towards) -> None:
    sites = LesionSites(atlas, recording, llama, settings=replace(SETTINGS, towards=towards))
    healthy = tiny.logits_of(llama.model, tiny.random_ids())
    none = logits_under(llama, sites, Lesion(networks=(0,), strength=0))
    np.testing.assert_allclose(none.numpy(), healthy.numpy(), atol=1e-6)
    distance = [
        float((logits_under(llama, sites, Lesion(networks=(0,), strength=s)) - healthy).norm())
        for s in (0.25, 0.5, 1.0)
    ]
    assert 0 < distance[0] < distance[1] < distance[2]
    assert logits_under(llama, sites, Lesion(networks=(0,), strength=-1)).ne(healthy).any()


def test_towards_the_mean_leaves_what_the_units_give_on_average(atlas, recording, llama) -> None:
    """Silenced units that are held at their mean are as a bias of their mean output."""
    sites = LesionSites(atlas, recording, llama, settings=replace(SETTINGS, towards="mean"))
    seen = {}
    units = sites.members((0,))
    projections = output_projections(llama.model, llama.architecture)
    with (
        sites.silence(units, Lesion(networks=(0,))),
        watch_inputs(projections, lambda layer, x: seen.setdefault(layer, x.clone())),
    ):
        tiny.logits_of(llama.model, tiny.random_ids())
    for layer, here in enumerate(llama.layout.split(units)):
        mean = llama.layout.split(recording.mean)[layer][here]
        np.testing.assert_allclose(
            seen[layer][..., here].numpy(), np.broadcast_to(mean, seen[layer][..., here].shape),
            atol=1e-6,
        )  # fmt: skip


def test_random_lesions_match_in_size_layer_and_magnitude(sites) -> None:
    units = sites.members((0,))
    draws = [sites.random((0,), draw) for draw in range(6)]
    for other in draws:
        assert not (other & (units | sites.sinks)).any()
        sizes = [int(part.sum()) for part in sites.layout.split(other)]
        assert sizes == [int(part.sum()) for part in sites.layout.split(units)]
    wanted = sites.magnitudes[units].sum()
    matched = np.mean([sites.magnitudes[other].sum() for other in draws])
    free = ~units & ~sites.sinks
    rng = np.random.default_rng(0)
    blind = np.mean(
        [sites.magnitudes[rng.choice(np.flatnonzero(free), units.sum())].sum() for _ in range(50)]
    )
    assert abs(np.log(matched / wanted)) <= abs(np.log(blind / wanted)) + 0.1
    assert len({other.tobytes() for other in draws}) == len(draws)
    np.testing.assert_array_equal(sites.random((0,), 3), draws[3])


def test_lesions_that_cannot_be_made_say_why(sites, atlas) -> None:
    with pytest.raises(SettingsError, match="none was chosen"):
        Lesion(networks=())
    with pytest.raises(SettingsError, match="No network was chosen"):
        LesionOrder(decomposition_id=atlas.id, lesions=())
    with pytest.raises(SettingsError, match="no network 9"):
        sites.members((9,))
    for lesion in (2.0, -1.5):
        with pytest.raises(SettingsError, match="from −1 to 1"):
            Lesion(networks=(0,), strength=lesion)

    def at(z):
        return LesionSites(atlas, sites._recording, sites._model, settings=replace(SETTINGS, z=z))

    with pytest.raises(SettingsError, match="takes no unit"):
        at(100.0).members((0,))
    with pytest.raises(SettingsError, match="covers every unit"):
        at(1e-9).members(range(4))
    with pytest.raises(SettingsError, match="finds only"):
        at(0.4).random(range(2), 0)


def test_a_domain_with_too_few_windows_is_named() -> None:
    windows = tiny.toy_windows((16,) * 12, seed=5).select([0, 1, 2, 3, 4, 11])
    with pytest.raises(TooFewTokensError, match="domain code has 1 window"):
        domain_stimuli(windows)


def test_the_matrix_is_the_loss_change_of_plain_passes(
    workspace, llama, atlas, sites, stimuli
) -> None:
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


def _copy(workspace, other) -> None:
    for kind in ("recordings", "decompositions"):
        shutil.copytree(workspace.root / kind, other.root / kind)


def test_what_another_study_read_is_taken_over(
    workspace, llama, atlas, stimuli, monkeypatch
) -> None:
    lesion_study(workspace, llama, stimuli, order=order(atlas))
    n_read = []
    forward = llama.model.forward
    monkeypatch.setattr(
        llama.model, "forward", lambda *a, **o: n_read.append(len(a[0])) or forward(*a, **o)
    )
    curve = order(atlas, graded((2,), (0.0, 0.5, 1.0, -1.0)))
    found = open_lesions(workspace, lesion_study(workspace, llama, stimuli, order=curve))
    assert sum(n_read) == 2 * 3 * 12  # at 0 nothing is read, at 1 it is known
    row = found.row_of((2,), strength=0.0)
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


def test_a_study_is_read_as_it_was_saved(workspace, llama, atlas, stimuli) -> None:
    id = lesion_study(workspace, llama, stimuli, order=order(atlas))
    found = LesionStudy.load(workspace.folder("lesions", id))
    assert found.facts.settings == SETTINGS
    assert found.columns == ("prose", "code")
    assert found.lesions == each_network(4)


def test_texts_under_a_lesion_are_those_of_the_silenced_model(
    workspace, llama, atlas, sites
) -> None:
    lesion, prompt = Lesion(networks=(0, 1)), Prompt(text="aq ar as at")
    asked = WritingOrder(
        decomposition_id=atlas.id, lesion=lesion, prompt=prompt, settings=SETTINGS,
        sampling=Sampling(max_new_tokens=12),
    )  # fmt: skip
    told = []
    id = write_under_lesion(
        workspace, llama, asked, on_token=lambda whose, written: told.append(whose)
    )
    found_lesion, found = open_lesion_text(workspace, id)
    assert found_lesion == lesion
    assert set(told) == {DENSE, PRUNED}
    ids = llama.tokenizer(prompt.text)["input_ids"]

    def condition():
        return silenced(llama, llama.layout.removed_of(~sites.members((0, 1))))

    *_, expected = generate_stream(llama, ids, sampling=asked.sampling, condition=condition)
    np.testing.assert_array_equal(found.written[PRUNED].token_ids, expected.token_ids)
    assert (
        write_under_lesion(workspace, llama, replace(asked, settings=replace(SETTINGS, seed=3)))
        == id
    )


def test_localizers_are_columns_by_condition_resampled_over_templates(llama) -> None:
    found = ready_stimuli(["negation", "questions"], llama.tokenizer)
    assert found.columns == (
        "Negation: negated", "Negation: affirmed", "Questions: questions", "Questions: statements",
    )  # fmt: skip
    assert found.pairs == ((0, 1), (2, 3))
    assert found.unit == "templates"
    assert found.windows.domain_names == found.columns
    np.testing.assert_array_equal(
        found.texts.column, found.windows.domain_index[found.windows.starts[:-1]]
    )
    alone = ready_stimuli(["questions"], llama.tokenizer)
    n = alone.windows.n_windows
    for i in range(n):
        np.testing.assert_array_equal(
            found.windows.window_ids(found.windows.n_windows - n + i), alone.windows.window_ids(i)
        )
    np.testing.assert_array_equal(found.texts.unit[-n:], alone.texts.unit)
    assert found.texts.n_units().min() >= 4
    with pytest.raises(SettingsError, match="No localizer"):
        ready_stimuli([], llama.tokenizer)


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


def test_patients_are_found_by_their_rules(workspace, llama, atlas, stimuli) -> None:
    before = {each.key: each for each in patients(atlas)}
    found = open_lesions(workspace, lesion_study(workspace, llama, stimuli, order=order(atlas)))
    people = {each.key: each for each in patients(atlas, found)}
    assert set(before) < set(people)
    share = atlas.domain_share()
    for key, patient in people.items():
        if key.startswith("without-"):
            assert patient.lesion.networks == atlas.networks_of_domain(patient.domain)
    assert share[people["most-selective"].lesion.networks[0]].max() == share.max()
    hub = found.row_of(people["needed-everywhere"].lesion.networks)
    assert found.change[hub, 0].mean() == found.change[:, 0].mean(axis=1).max()
    assert all(patient.prompt.text for patient in people.values())
    if "doubled" in people:
        assert people["doubled"].lesion.factor == 2
