from dataclasses import replace

import numpy as np
import pytest
import tiny
from driving import drawn, finish, press, said, view

from app.shell import recipes, resources
from app.shell.jobs import generation_tasks
from app.shell.jobs.generation_tasks import Written
from fnprune_core.evaluation import side_by_side
from fnprune_core.evaluation.generation import Prompt, Sampling
from fnprune_core.evaluation.results import DENSE
from fnprune_core.evaluation.side_by_side import PRUNED
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.progress import NEVER
from fnprune_core.pruning import planner
from fnprune_core.storage.workspace import Workspace

PROMPT = "aq ar as at"
HARD = PlanSettings(ratio=0.5, sink_units=0, allocation="uniform", compensation="none")


@pytest.fixture
def planned(example, fresh):
    """The example, its model in memory, with two plans; the materials and their ids."""
    model = resources.shelf().get(example.model, progress=lambda event: None)
    plans = planner.plans(
        Workspace(fresh), model, recording_id=example.recording,
        decomposition_id=example.atlas, settings=[HARD, HARD.with_(score="magnitude")],
    )  # fmt: skip
    return example, plans


def written(at):
    """Press Write, wait, and return what was written."""
    press(at, "Write")
    job = finish(at)
    assert job.state == "done", job.failure
    return side_by_side.open_generation(resources.workspace(), view(at).generation)


def test_write_loads_the_model_where_it_is_not_in_memory(open_page, planned, monkeypatch) -> None:
    example, plans = planned
    monkeypatch.setattr(resources.shelf(), "_held", None)
    at = open_page("generations", **example.view(), plan=plans[0], prompt=PROMPT)
    assert not at.exception
    assert at.text_area(key="generation-prompt").value == PROMPT
    assert "is loaded first" in " ".join(each.value for each in at.caption)
    press(at, "Write")
    assert finish(at).state == "done"
    assert resources.language_model(example.model) is not None
    assert view(at).generation


def test_both_texts_stand_beside_each_other(open_page, planned) -> None:
    example, plans = planned
    at = open_page("generations", **example.view(), plan=plans[0])
    at.text_area(key="generation-prompt").set_value(PROMPT).run()
    found = written(at)
    assert not at.exception
    assert at.query_params["prompt"] == PROMPT
    assert at.query_params["generation"] == view(at).generation
    for whose in (DENSE, PRUNED):
        shown = drawn(at, f"generation-text-{whose}")
        assert "".join(shown["pieces"]) == found.text(whose)
        assert shown["marks"] == [found.first_difference]
        assert shown["values"] == pytest.approx((-found.written[whose].log_probability), abs=1e-3)
    assert f"first difference is at token {found.first_difference}" in said(at)
    at.segmented_control(key="generation-colouring").set_value("disagreement").run()
    values = drawn(at, "generation-text-pruned")["values"]
    assert values == pytest.approx(found.expected[PRUNED].divergence, abs=1e-3)
    worst = int(found.expected[DENSE].most(1)[0])
    at.button(key=f"generation-most-{worst}").click().run()
    assert (view(at).token, view(at).show) == (worst, DENSE)
    assert not at.exception
    code = recipes.code(
        "generation", atlas=example.atlas, generation=view(at).generation, whose=DENSE, token=worst
    )
    names: dict[str, object] = {}
    exec(compile(code, "generation", "exec"), names)
    assert np.array_equal(names["divergence"], found.expected[DENSE].divergence)


def test_a_link_opens_texts_without_the_model(open_page, planned, monkeypatch) -> None:
    example, plans = planned
    at = open_page("generations", **example.view(), plan=plans[0], prompt=PROMPT)
    found = written(at)
    link = {**example.view(), "generation": view(at).generation, "token": "1", "show": PRUNED}
    monkeypatch.setattr(resources.shelf(), "_held", None)
    again = open_page("generations", **link)
    assert not again.exception
    assert "".join(drawn(again, "generation-text-pruned")["pieces"]) == found.text(PRUNED)
    assert drawn(again, "generation-text-pruned")["selected"] == 1
    assert again.text_area(key="generation-prompt").value == PROMPT


def test_another_plan_is_chosen_from_the_history(open_page, planned) -> None:
    example, plans = planned
    at = open_page("generations", **example.view(), plan=plans[0], prompt=PROMPT)
    first = written(at)
    box = next(box for box in at.selectbox if box.label == "Plan")
    box.set_value(plans[1]).run()
    assert view(at).plan == plans[1]
    assert any("another plan" in caption.value for caption in at.caption)
    second = written(at)
    assert (first.plan_id, second.plan_id) == tuple(plans)
    assert second.text(DENSE) == first.text(DENSE)


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ("", "prompt is empty"),
        ("aq " * 200, "200 tokens"),
        ("a" * 20_000, "characters, too many"),
    ],
)
def test_prompts_that_cannot_be_continued(open_page, planned, prompt, message) -> None:
    example, plans = planned
    at = open_page("generations", **example.view(), plan=plans[0])
    at.text_area(key="generation-prompt").set_value(prompt).run()
    press(at, "Write")
    assert message in said(at)
    assert not at.exception
    assert at.text_area(key="generation-prompt").value == prompt


def test_a_plan_of_another_model_is_refused(open_page, planned, tmp_path) -> None:
    example, plans = planned
    folder = tmp_path / "other"
    tiny.tiny_model("Llama", seed=1).save_pretrained(folder)
    tiny.toy_tokenizer().save_pretrained(folder)
    resources.shelf().get(str(folder), progress=lambda event: None)
    parameters = example.view() | {"model": str(folder), "plan": plans[0], "prompt": PROMPT}
    at = open_page("generations", **parameters)
    press(at, "Write")
    assert "fingerprint" in said(at)
    assert not at.exception


def test_what_the_job_tells_grows_to_what_it_keeps(planned) -> None:
    example, plans = planned
    order = generation_tasks.GenerationOrder(
        model=example.model, plan=plans[0], prompt=Prompt(text=PROMPT),
        sampling=Sampling(max_new_tokens=6),
    )  # fmt: skip
    told: list[object] = []
    task = generation_tasks.generate(order)
    found = side_by_side.open_generation(
        resources.workspace(),
        str(task.job(resources.workspace(), resources.shelf())(told.append, NEVER)),
    )
    for whose in (DENSE, PRUNED):
        events = [e for e in told if isinstance(e, Written) and e.whose == whose]
        assert [len(event.pieces) for event in events] == [1, 2, 3, 4, 5, 6]
        assert events[-1].pieces == found.pieces[whose]
    other = replace(order, sampling=Sampling(max_new_tokens=7))
    assert task.inputs != generation_tasks.generate(other).inputs
