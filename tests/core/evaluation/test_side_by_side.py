import shutil
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import tiny
from study import Study, begin

from fnprune_core.errors import CorruptArtifactError, FingerprintMismatchError, TextError
from fnprune_core.evaluation import side_by_side
from fnprune_core.evaluation.generation import Prompt, Sampling, disagreement, generate_stream
from fnprune_core.evaluation.results import DENSE
from fnprune_core.evaluation.side_by_side import PRUNED, generate, generate_samples, open_generation
from fnprune_core.models.silencing import silenced
from fnprune_core.plans import files
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.progress import Cancelled, CancelToken
from fnprune_core.storage.json_files import write_checked_json
from fnprune_core.storage.manifests import read_manifest
from fnprune_core.storage.workspace import Workspace

PROMPT = Prompt(text="aq ar as at")
SHORT = Sampling(max_new_tokens=12)
PLAN = PlanSettings(ratio=0.5, sink_units=0, allocation="uniform")


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Study:
    workspace = Workspace(tmp_path_factory.mktemp("made"))
    study = begin(workspace, tiny.tiny_language_model("Llama"))
    study.plan(PLAN)
    study.plan(PLAN.with_(score="random"))
    return study


@pytest.fixture
def study(made, tmp_path) -> Study:
    root = tmp_path / "workspace"
    shutil.copytree(made.workspace.root, root)
    return replace(made, workspace=Workspace(root))


def test_both_texts_and_what_each_model_makes_of_them(study) -> None:
    plan = study.plan(PLAN)
    told: list[tuple[str, int]] = []
    id = generate(
        study.workspace, study.model, plan, PROMPT, sampling=SHORT,
        on_token=lambda whose, written: told.append((whose, written.n_tokens)),
    )  # fmt: skip
    assert told[:4] == [(DENSE, 1), (PRUNED, 1), (DENSE, 2), (PRUNED, 2)]
    found = open_generation(study.workspace, id)
    cut = files.open_plan(study.workspace, plan)
    condition = partial(
        silenced, study.model, cut.removed, refits=files.stored_plan(study.workspace, plan).refits()
    )
    for whose, each in ((DENSE, None), (PRUNED, condition)):
        stream = generate_stream(study.model, found.prompt_ids, sampling=SHORT, condition=each)
        expected = list(stream)[-1]
        np.testing.assert_array_equal(found.written[whose].token_ids, expected.token_ids)
        assert found.written[whose].stop == "length"
        read = disagreement(study.model, found.prompt_ids, expected.token_ids, pruned=condition)
        np.testing.assert_array_equal(found.expected[whose].divergence, read.divergence)
        said = [tiny.WORDS[i] if i < 64 else "" for i in expected.token_ids]
        assert found.text(whose).split() == [word for word in said if word]
    assert found.first_difference is not None
    assert {int(i) for i in found.expected[DENSE].top_ids.ravel()} <= set(found.words)
    assert (found.prompt, found.sampling, found.plan_id) == (PROMPT, SHORT, plan)
    assert tiny.is_idle(study.model)


def test_what_was_written_is_found(study, monkeypatch) -> None:
    """Again nothing is read; for another plan the dense text is there; draws play no part."""
    plan, other = study.plan(PLAN), study.plan(PLAN.with_(score="random"))
    id = generate(study.workspace, study.model, plan, PROMPT, sampling=SHORT)
    told: list[tuple[str, int]] = []
    second = generate(
        study.workspace, study.model, other, PROMPT, sampling=SHORT,
        on_token=lambda whose, written: told.append((whose, written.n_tokens)),
    )  # fmt: skip
    assert told[:2] == [(DENSE, 12), (PRUNED, 1)]
    assert second != id
    monkeypatch.setattr(side_by_side, "encode", None)
    again = replace(SHORT, seed=7, top_p=0.3)  # greedy: nothing is drawn
    assert generate(study.workspace, study.model, plan, PROMPT, sampling=again) == id


def test_stopped_nothing_is_left(study) -> None:
    token = CancelToken()
    with pytest.raises(Cancelled):
        generate(
            study.workspace, study.model, study.plan(PLAN), PROMPT, sampling=SHORT, cancel=token,
            on_token=lambda whose, written: token.cancel(),
        )  # fmt: skip
    assert tiny.is_idle(study.model)
    assert study.workspace.ids("generations") == []
    assert study.workspace.unfinished() == []


def test_mistakes(study) -> None:
    plan = study.plan(PLAN)
    with pytest.raises(TextError, match="empty"):
        generate(study.workspace, study.model, plan, Prompt(text=""))
    with pytest.raises(FingerprintMismatchError):
        generate(study.workspace, tiny.tiny_language_model("Llama", seed=1), plan, PROMPT)
    id = generate(study.workspace, study.model, plan, Prompt(text="\ud83d aq"), sampling=SHORT)
    assert open_generation(study.workspace, id).prompt.text == "? aq"
    folder = study.workspace.folder("generations", id)
    (folder / "arrays.safetensors").write_bytes(b"nothing")
    with pytest.raises(CorruptArtifactError, match="damaged"):
        open_generation(study.workspace, id)
    manifest = read_manifest(folder)
    write_checked_json(folder / "manifest.json", manifest | {"schema_version": 99})
    with pytest.raises(CorruptArtifactError, match="version 99"):
        open_generation(study.workspace, id)


def test_samples_written_together_are_those_written_one_by_one(study) -> None:
    plan = study.plan(PLAN)
    prompts = [Prompt(text=text) for text in ("aq br cs", "br cs aq", "cs aq br")]
    kept = generate(study.workspace, study.model, plan, prompts[0], sampling=SHORT)
    generate_samples(
        study.workspace, study.model, plan, prompts,
        max_new_tokens=SHORT.max_new_tokens, sample_of="text",
    )  # fmt: skip
    samples = {
        texts.prompt: texts
        for id in study.workspace.ids("generations")
        if id != kept and (texts := open_generation(study.workspace, id))
    }
    assert set(samples) == set(prompts)
    for prompt, together in samples.items():
        alone = open_generation(
            study.workspace, generate(study.workspace, study.model, plan, prompt, sampling=SHORT)
        )
        for whose in (DENSE, PRUNED):
            a, b = alone.written[whose], together.written[whose]
            assert (a.token_ids.tolist(), a.stop) == (b.token_ids.tolist(), b.stop)
            np.testing.assert_allclose(a.log_probability, b.log_probability, atol=1e-4)
