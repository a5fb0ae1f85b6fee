"""The text that no choice saw: of no built-in kind, read with each plan, and apart from others."""

import re

import pytest

from fnprune_core.evaluation import elsewhere, rivals
from fnprune_core.evaluation.history import history
from fnprune_core.export import from_workspace
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.pruning.planner import plan
from fnprune_core.texts.builtin import builtin_texts

SETTINGS = PlanSettings(score="flap", ratio=0.3, sink_units=0)


@pytest.fixture
def planned(workspace, llama, recording):
    return plan(workspace, llama, recording_id=recording.id, settings=SETTINGS)


def test_no_built_in_text_has_ten_words_of_it() -> None:
    known = {
        run
        for split in builtin_texts().values()
        for texts in split.values()
        for text in texts.values()
        for run in runs(text)
    }
    documents = elsewhere.documents()
    assert len(documents) >= 5  # else there is no interval
    for document in documents:
        assert not runs(document.text) & known, document.name
        assert len(document.text.split()) * 1.1 > elsewhere.WINDOW


def runs(text: str, length: int = 10) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", text.lower())
    return set(zip(*(words[i:] for i in range(length)), strict=False))


def test_a_plan_is_read_beside_the_dense_model_once(workspace, llama, planned) -> None:
    assert elsewhere.stored(workspace, planned) is None
    n_left = elsewhere.n_tokens_left(workspace, llama, planned)
    assert n_left == elsewhere.n_tokens_left(workspace, llama, None) > 0
    found = elsewhere.measure(workspace, llama, planned)
    assert found.plan.sample.n == len(elsewhere.documents())
    assert found.above_dense.difference == pytest.approx(found.plan.mean_nll - found.dense.mean_nll)
    again = elsewhere.stored(workspace, planned)
    assert again.sentence() == found.sentence()
    assert elsewhere.n_tokens_left(workspace, llama, planned) == 0


def test_it_is_none_of_the_texts_that_plans_are_compared_on(workspace, llama, planned) -> None:
    elsewhere.measure(workspace, llama, planned)
    assert rivals.evaluations_of(workspace, planned) == {}
    assert rivals.measured_together(workspace, planned, label="mine") == {}
    assert history(workspace).texts() == []
    assert len(rivals.evaluations_of(workspace, planned, elsewhere=True)) == 2


def test_the_card_of_an_export_says_it(workspace, llama, planned, tmp_path) -> None:
    folder = from_workspace.export(workspace, llama, planned, tmp_path / "out", form="per-layer")
    card = (folder / "README.md").read_text()
    assert elsewhere.stored(workspace, planned).sentence() in card
    assert elsewhere.WARNING in card
