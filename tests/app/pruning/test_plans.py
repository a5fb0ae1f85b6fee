"""The page of plans: listed, compared, named, opened, deleted; sweeps; and the live comparison."""

import json
import shutil
import threading
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qsl, urlparse

import numpy as np
import pytest
from driving import SESSION, finish, press, said, view
from materials import Materials
from open_reach import open_reach

from app import pages
from app.pruning import comparison
from app.pruning.plans import data as cache
from app.pruning.prune_tasks import PLAN, Partial, Planned, PruneOrder, prune
from app.shell import resources
from app.shell.jobs.tasks import ModelShelf
from app.shell.text_choice import TextChoice
from fnprune_core.evaluation.compare import compare, evaluation_windows
from fnprune_core.models.loading import load_model
from fnprune_core.plans import decision_log
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.progress import NEVER, ProgressEvent
from fnprune_core.pruning import planner
from fnprune_core.storage.workspace import Workspace

MINE = PlanSettings(ratio=0.3, sink_units=2, preserved=(0, 2, 3), pinned_keep=(5,))
FLAP = PlanSettings(score="flap", ratio=0.3, sink_units=2)
CHART = "plotly_chart"


@pytest.fixture(scope="module")
def measured(made, tmp_path_factory) -> tuple[Path, list[str]]:
    """A workspace with two plans, measured on the held-out texts beside the dense model."""
    root = tmp_path_factory.mktemp("plans") / "workspace"
    shutil.copytree(made.root / "workspace", root)
    workspace, model = Workspace(root), load_model(made.model)
    plans = planner.plans(
        workspace, model, recording_id=made.recording, decomposition_id=made.atlas,
        settings=[MINE, FLAP],
    )  # fmt: skip
    choice = TextChoice(sources=(str(made.held_out),), domain_column="topic")
    documents = choice.documents(open_reach(workspace))
    windows = evaluation_windows(model, documents, window=32)
    ids = dict(zip(("mine", "flap"), plans, strict=True))
    compare(workspace, model, windows, plan_ids={"dense": None, **ids})
    return root, plans


@pytest.fixture
def workspace_run(fresh):
    """Run a task in the fresh workspace and return its events."""

    def run(task) -> list:
        events: list = []
        workspace = Workspace(fresh)
        work = task.job(workspace, ModelShelf(reach=open_reach(workspace)))
        work(events.append, NEVER)
        return events

    return run


@pytest.fixture
def lab(fresh, made, measured) -> tuple[Materials, list[str]]:
    """The materials with the two plans, in the workspace of the app."""
    shutil.copytree(measured[0], fresh)
    return made, measured[1]


def tables(at) -> list:
    return [element.value for element in at.dataframe]


def test_plans_are_listed_with_what_was_measured_of_them(open_page, lab) -> None:
    materials, _ = lab
    at = open_page("plans", **materials.view())
    assert not at.exception
    table = tables(at)[0]
    assert len(table) == 2
    assert set(table["score"]) == {"Network energy", "FLAP"}
    assert (table["perplexity"] > 1).all()
    assert table["above dense"].notna().all()
    assert table["± above dense"].isna().all()  # 2 documents
    assert set(table["protected"]) == {"3 of 6", "–"}
    mine = table[table["score"] == "Network energy"].iloc[0]
    assert mine["plan"].startswith("30 %, ")
    assert "least squares, 1 pinned" in mine["plan"]
    assert len(at.get(CHART)) == 1  # the plans as points
    at.text_input(key="plans-words").set_value("flap").run()
    assert list(tables(at)[0]["score"]) == ["FLAP"]
    at.multiselect(key="plans-columns").set_value(["kept"]).run()
    assert not at.exception


def test_every_plan_is_compared_on_the_same_texts_beside_the_dense_model(lab) -> None:
    """A plan's figure of the texts that it keeps stood beside another's of all texts."""
    history = cache.history("")
    (text,) = history.texts()
    dense = resources.evaluation(history.dense[text].evaluation_id)
    for name, of_domain in dense.by_domain().items():
        found = cache.measured_on(history, text, (name,))
        assert cache.dense_on(history, text, (name,)).kept == of_domain.perplexity
        for plan in history.plans:
            own = resources.evaluation(plan.on(text).evaluation_id).by_domain()[name]
            assert found[plan.id].kept == own.perplexity
            above = np.log(own.perplexity / of_domain.perplexity)
            assert found[plan.id].above_dense == pytest.approx(above)


def test_the_choice_of_texts_is_of_those_that_plans_keep(open_page, lab, monkeypatch) -> None:
    materials, plans = lab
    history = cache.history("")
    names = list(resources.evaluation(history.plans[0].measured[0].evaluation_id).by_domain())
    monkeypatch.setattr(
        "app.pruning.data.given_up", lambda id: (names[0],) if id == plans[0] else ()
    )
    at = open_page("plans", **materials.view(), plan=plans[0])
    assert not at.exception
    assert at.selectbox(key="plans-compared").value == tuple(names[1:])
    kept = tables(at)[0].set_index("plan")["kept"]
    at.selectbox(key="plans-compared").set_value(()).run()
    table = tables(at)[0].set_index("plan")
    assert (table["kept"] == table["perplexity"]).all()
    assert not (table["kept"] == kept).any()


def test_what_is_chosen_by_name_is_chosen_in_the_table_and_the_picture(open_page, lab) -> None:
    materials, plans = lab
    at = open_page("plans", **materials.view())
    at.multiselect(key="plans-chosen").set_value([plans[1]]).run()
    assert not at.exception
    assert view(at).plans == (plans[1],)
    table = tables(at)[0]
    drawn = next(each for each in at.dataframe if "kept" in each.value).proto
    [row] = json.loads(drawn.selection_default)["selection"]["rows"]
    assert table.iloc[row].name == plans[1]
    points = json.loads(at.get(CHART)[0].proto.spec)["data"]
    [name] = next(trace for trace in points if trace["name"] == "chosen")["text"]
    assert name.startswith("FLAP, 30 %")
    again = open_page("plans", **materials.view(), plans=f"../x.{'0' * 16}.{'.'.join(plans)}")
    assert not again.exception
    assert set(again.multiselect(key="plans-chosen").value) == set(plans)
    assert set(plans) <= set(view(again).plans)


def test_several_plans_of_a_link_are_compared(open_page, lab) -> None:
    materials, plans = lab
    at = open_page("plans", **materials.view(), plans=".".join(plans))
    assert not at.exception
    assert len(at.get(CHART)) == 3  # as points, perplexity by domain, and what each removes
    named = next(t for t in tables(at) if t.index.name == "setting")
    assert {"score", "networks preserved", "pinned keep"} <= set(named.index)
    assert any("by chance" in caption.value for caption in at.caption)
    labels = next(t for t in tables(at) if "model" in t)["model"]
    assert len(labels) == 3  # dense and the two
    at.segmented_control(key="plans-quantity").set_value("Above the first").run()
    assert not at.exception


def test_a_plan_is_named_and_hostile_names_are_refused(open_page, lab, fresh) -> None:
    materials, plans = lab
    at = open_page("plans", **materials.view(), plans=plans[0])
    at.text_input(key=f"plan-name-{plans[0]}").set_value("  <b>my   *plan*").run()
    assert not at.exception
    assert decision_log.read_notes(Workspace(fresh), plans[0]).name == "<b>my *plan*"
    assert any(r"\<b\>my \*plan\*" in heading.value for heading in at.subheader)
    at.text_input(key=f"plan-name-{plans[0]}").set_value("a\u202eb").run()
    assert "control character" in said(at)
    assert decision_log.read_notes(Workspace(fresh), plans[0]).name == "<b>my *plan*"


def test_opening_a_plan_brings_its_networks_pins_and_settings_and_undo_leads_back(open_page, lab):
    materials, plans = lab
    at = open_page("plans", **materials.view(), plans=plans[0], drop="5")
    address = next(code.value for code in at.code if "plan=" in code.value)
    there = open_page("prune", **dict(parse_qsl(urlparse(address).query)))
    assert (view(there).plan, view(there).dropped) == (plans[0], (1, 4, 5))
    at = open_page("plans", **materials.view(), plans=plans[0], drop="5")
    at.button(key=f"open-{plans[0]}").click().run()
    assert (view(at).plan, view(at).dropped, view(at).stay) == (plans[0], (1, 4, 5), (5,))
    at.switch_page(pages.path("prune")).run()
    assert not at.exception
    assert at.slider(key="prune-ratio").value == 30
    assert at.number_input(key="prune-sinks").value == 2
    assert view(at).dropped == (1, 4, 5)


def test_a_plan_is_deleted_only_when_that_is_confirmed(open_page, lab, fresh) -> None:
    materials, plans = lab
    at = open_page("plans", **materials.view(), plans=".".join(plans), plan=plans[0])
    at.button(key=f"delete-{plans[0]}").click().run()
    assert Workspace(fresh).has("plans", plans[0])
    at.button(key="confirm-delete").click().run()
    assert not Workspace(fresh).has("plans", plans[0])
    assert (view(at).plan, view(at).plans) == ("", (plans[1],))
    at.run()
    assert not at.exception


def test_a_page_without_plans_says_what_to_do(open_page, example) -> None:
    at = open_page("plans", **example.view())
    assert any("No plans yet" in heading.value for heading in at.subheader)


def test_a_sweep_is_estimated_run_and_drawn(open_page, lab) -> None:
    materials, _ = lab
    resources.shelf().get(materials.model, progress=lambda event: None)
    at = open_page("plans", **materials.view(), show="sweep")
    assert not at.exception
    assert len(at.get(CHART)) == 1  # of the plans that exist
    at.pills(key="sweep-scores").set_value(["flap", "random"]).run()
    at.number_input(key="sweep-seeds").set_value(2).run()
    at.segmented_control(key="evaluate-kind").set_value("Path or data set").run()
    at.text_input(key="evaluate-source").set_value(str(materials.held_out)).run()
    assert any("At most 6 plans" in caption.value for caption in at.caption)
    press(at, "Sweep")
    job = finish(at)
    assert job.state == "done", job.failure
    at.run()
    assert not at.exception
    assert len(job.result.points) == 6
    fingerprint = resources.shelf().loaded(materials.model).fingerprint
    assert len(cache.history(fingerprint).plans) >= 7


# The live comparison


def order(materials: Materials) -> PruneOrder:
    return PruneOrder(
        model=materials.model, recording=materials.recording, atlas=materials.atlas,
        settings=MINE, baselines=("flap", "random"),
        texts=TextChoice(sources=(str(materials.held_out),), domain_column="topic"),
        window=32, max_windows=None, n_seeds=2,
    )  # fmt: skip


def test_baselines_share_everything_but_the_score_and_what_was_published_with_it(example) -> None:
    asked = order(example)
    wanted = asked.wanted()
    assert list(wanted) == ["your plan", "flap", "random, seed 0", "random, seed 1"]
    for label, settings in wanted.items():
        assert settings.with_(score="x", seed=0) == MINE.with_(score="x", seed=0), label
    settings = replace(asked, baselines=("wanda-published",)).wanted()["wanda-published"]
    fixed = (settings.allocation, settings.compensation, settings.sink_units)
    assert fixed == ("uniform", "none", 0)
    assert settings.pinned_keep == MINE.pinned_keep


def test_a_running_comparison_is_drawn_live_and_a_stopped_one_goes_on(
    open_page, example, monkeypatch
) -> None:
    half, go_on = threading.Event(), threading.Event()
    told = []

    def paused(*args, on_partial=lambda *_: None, cancel, **options):
        def partial_(label, result):
            on_partial(label, result)
            told.append((label, len(result.window_nll)))
            if len(told) == 3:
                half.set()
                assert go_on.wait(60)

        return compare(*args, on_partial=partial_, cancel=cancel, batch_size=2, **options)

    monkeypatch.setattr("fnprune_core.evaluation.compare.compare", paused)
    task = prune(order(example))
    jobs = resources.jobs()
    work = task.job(resources.workspace(), resources.shelf())
    id = jobs.submit(task.kind, work, inputs=task.inputs, owner=SESSION)
    assert half.wait(60)
    at = open_page("prune", **example.view(), job=id)
    assert not at.exception
    assert len(at.get(CHART)) >= 1
    live = next(t for t in tables(at) if "model" in t)
    assert list(live["model"])[:2] == ["dense", "your plan"]
    jobs.leave(id, SESSION)
    go_on.set()
    stopped = jobs.wait(id, timeout=60)
    assert stopped.state == "cancelled"
    before = comparison.results_of(stopped)
    assert sum(len(result.window_nll) for result in before.values()) == 6
    told.clear()
    jobs.submit(task.kind, work, inputs=task.inputs, owner=SESSION)
    done = jobs.wait(id, timeout=60)
    assert done.state == "done"
    assert set(done.result.evaluation_ids) == set(order(example).wanted()) | {"dense"}
    for label, result in before.items():
        whole = comparison.results_of(done)[label]
        assert (whole.window_nll[result.windows] == result.window_nll).all()
    assert told[:2] == [("dense", 4), ("your plan", 2)]  # what was read is told at once


def test_the_plan_is_read_on_all_domains_before_its_rivals_are_made(fresh, made, workspace_run):
    """The first perplexity of a plan once came after those of five plans were made."""
    shutil.copytree(made.root / "workspace", fresh)
    events = workspace_run(prune(order(made)))
    planned = [i for i, event in enumerate(events) if isinstance(event, Planned)]
    assert [len(events[i].plan_ids) for i in planned] == [2, 5]
    between = [e for e in events[planned[0] : planned[1]] if isinstance(e, Partial)]
    assert {e.label for e in between} == {"dense", PLAN}
    assert list(between[-1].result.by_domain()) == list(between[-1].result.domain_names)
    shares = [e.overall for e in events if isinstance(e, ProgressEvent) and e.overall is not None]
    assert shares == sorted(shares)  # one bar over all phases, which never falls
    assert shares[-1] == pytest.approx(1.0)

    found = comparison.stored_results(events[planned[-1]].plan_ids[PLAN])
    assert list(found) == ["dense", *order(made).wanted()]

    again = workspace_run(prune(order(made)))
    first = next(i for i, event in enumerate(again) if isinstance(event, Planned))
    told = [event for event in again[:first] if isinstance(event, Partial)]
    assert {event.label for event in told} == {"dense", *order(made).wanted()}
    assert all(event.result.is_complete for event in told)
    assert not [e for e in again if isinstance(e, ProgressEvent) and e.stage == "compensation"]
