"""The pure parts of the benchmarks: texts, stored losses, tables, tasks."""

import json
from dataclasses import replace
from pathlib import Path

import calibration
import large_model
import mutants
import numpy as np
import pytest
import rates
import tiny
import torch
from alternating import Contest, Goal, table
from held_out_texts import articles, dealt, drawn, modules, spread_over, without_shared
from large import Shape, measure
from purpose import Outcome, outcome, with_directions, with_labels
from purpose_weights import removed_share, weights_by_domain
from quality import markdown, table_lines, table_of_rows
from result_files import Measurer, ResultFiles, row_named
from weightings import WEIGHTINGS
from zero_shot import TASKS, answers, check_harness, items, paired, task_config

from fnprune_core.atlas import network_atlas
from fnprune_core.decomposition import group_ica
from fnprune_core.decomposition.group_ica import GroupICA
from fnprune_core.evaluation import compare, results
from fnprune_core.evaluation.perplexity import perplexity
from fnprune_core.models.layout import UnitLayout
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.pruning import planner
from fnprune_core.scores.inputs import RecordedInputs
from fnprune_core.texts.cutting import shared_run
from fnprune_core.texts.documents import Document

# Texts


def test_articles_are_the_file_cut_at_its_titles(tmp_path) -> None:
    file = tmp_path / "wiki.raw"
    text = " \n = One = \n \n Text . \n \n = = Part = = \n 5 \n = not one = \n \n = Two = \n \n x\n"
    file.write_text(text)
    found = articles(file)
    assert "".join(document.text for document in found) == text
    assert [document.text.strip()[:9] for document in found] == ["", "= One = \n", "= Two = \n"]


def test_modules_begin_at_their_own_docstring_only(tmp_path) -> None:
    file = tmp_path / "modules.txt"
    file.write_text(
        '"""\nOne\n"""\n\ndef f():\n    """Not one."""\n\n"""Two."""\nx = 1\n"""\nThree"""\n'
    )
    starts = [document.text.split("\n")[:2] for document in modules(file)]
    assert starts == [['"""', "One"], ['"""Two."""', "x = 1"], ['"""', 'Three"""']]


def test_parts_are_disjoint_whole_and_of_their_shares() -> None:
    lengths = np.random.default_rng(0).integers(10, 1000, 200)
    documents = [Document("x" * n, "d", str(i)) for i, n in enumerate(lengths)]
    parts = dealt(documents, {"a": 0.5, "b": 0.3, "c": 0.2})
    names = [document.name for part in parts.values() for document in part]
    assert sorted(names) == sorted(document.name for document in documents)
    sizes = [sum(len(document.text) for document in part) for part in parts.values()]
    assert np.allclose(np.array(sizes) / lengths.sum(), [0.5, 0.3, 0.2], atol=0.01)


def test_seeds_share_no_window_and_ask_for_no_more_than_there_is() -> None:
    windows = tiny.toy_windows((8,) * 9)
    ids = [set(map(tuple, np.split(drawn(windows, 3, seed=s).token_ids, 3))) for s in range(3)]
    assert len(ids[0] | ids[1] | ids[2]) == 9
    with pytest.raises(ValueError, match="Seed 3 would need windows 9 to 12 of 9"):
        drawn(windows, 3, seed=3)


def test_each_domain_gives_as_many_windows() -> None:
    windows = tiny.toy_windows((8,) * 10)
    chosen = spread_over(windows, 2)
    assert np.bincount(chosen.domain_index[chosen.starts[:-1]]).tolist() == [2, 2]
    assert chosen.window_ids(1).tolist() == windows.window_ids(2).tolist()


def test_windows_that_share_a_run_are_left_out_also_over_an_edge() -> None:
    windows = tiny.toy_windows((8,) * 10)
    other = replace(windows.select([4]), token_ids=windows.token_ids[28:36])  # of windows 3 and 4
    apart = without_shared(windows, other, length=6)
    expected = windows.select([0, 1, 2, 5, 6, 7, 8, 9])
    assert np.array_equal(apart.token_ids, expected.token_ids)
    assert shared_run(other, apart, length=6) is None
    assert np.array_equal(without_shared(windows, other, length=9).token_ids, windows.token_ids)


# Stored losses


def test_a_rerun_reads_only_the_windows_that_are_missing(
    tmp_path, workspace, recording, llama, monkeypatch
) -> None:
    measurer = Measurer(workspace, llama, ResultFiles(tmp_path / "results"))
    settings = PlanSettings(score="flap", ratio=0.3)
    plan_id = planner.plan(workspace, llama, recording_id=recording.id, settings=settings)
    windows = tiny.toy_windows(seed=5)
    whole = measurer.losses(windows, plan_id)

    fresh = Measurer(workspace, llama, ResultFiles(tmp_path / "others"))
    first = fresh.losses(windows, plan_id, chosen=np.array([1, 4]))
    assert np.allclose(first.window_nll, whole.window_nll[[1, 4]], rtol=1e-5)
    again = Measurer(workspace, llama, ResultFiles(tmp_path / "others"))
    read: list[int] = []
    monkeypatch.setattr(
        "result_files.perplexity",
        lambda model, part, **options: read.append(part.n_windows) or perplexity(model, part),
    )
    result = again.losses(windows, plan_id)
    assert read == [6]
    assert np.allclose(result.window_nll, whole.window_nll, rtol=1e-5)
    again.losses(windows, plan_id)
    assert read == [6]


def test_losses_are_those_of_the_silenced_model(tmp_path, workspace, recording, llama) -> None:
    measurer = Measurer(workspace, llama, ResultFiles(tmp_path))
    windows = tiny.toy_windows(seed=5)
    settings = PlanSettings(score="flap", ratio=0.3, compensation="bias")
    plan_id = planner.plan(workspace, llama, recording_id=recording.id, settings=settings)
    id = compare.evaluate(workspace, llama, windows, plan_id=plan_id)
    expected = results.open_evaluation(workspace, id)
    assert np.allclose(measurer.losses(windows, plan_id).window_nll, expected.window_nll, rtol=1e-5)


def test_rows_are_named_or_spelled_out() -> None:
    rows = table_of_rows("bias")
    assert row_named("ours", rows).at(0.4).compensation == "bias"
    spelled = row_named('mine={"score": "flap", "preserved": [1, 2]}', rows).at(0.2)
    assert (spelled.score, spelled.preserved, spelled.ratio) == ("flap", (1, 2), 0.2)
    with pytest.raises(SystemExit, match="no setting 'scores'"):
        row_named('mine={"scores": "flap"}', rows)
    with pytest.raises(SystemExit, match="no row 'theirs'"):
        row_named("theirs", rows)


# Tables


def losses(recording, llama, change):
    """Losses of the tiny model on some windows, each window's changed by its own amount."""
    result = perplexity(llama.model, recording.windows)
    return type(result)(
        window_nll=result.window_nll + change,
        window_tokens=result.window_tokens,
        groups=result.groups,
        protocol=result.protocol,
    )


def test_a_line_gives_the_mean_over_seeds_and_the_paired_difference(recording, llama) -> None:
    n = recording.n_sessions
    dense = losses(recording, llama, np.zeros(n))
    found = {
        "dense": {0: dense},
        "ours": {s: losses(recording, llama, np.full(n, 3.1)) for s in (0, 1)},
        "flap": {s: losses(recording, llama, np.full(n, 6.2 + 3.1 * s)) for s in (0, 1)},
    }
    lines = table_lines(found, dense="dense", compared_with=["ours"])
    flap = lines[2]
    assert flap["minus ours"]["by_seed"] == pytest.approx([0.1, 0.2])  # 31 predictions a window
    assert flap["minus ours"]["nats"] == pytest.approx(0.15)
    assert np.isnan(flap["minus ours"]["standard_error"])  # of two documents there is none
    assert flap["times_dense"] == pytest.approx(np.exp(0.25), rel=1e-3)
    assert "minus ours" not in lines[0]
    report = {"tables": [{"calibration": "c4", "ratio": 0.2, "text": "test", "rows": lines}]}
    assert "[+0.150] |" in markdown(report, compared_with="ours").splitlines()[-1]


def test_what_dropping_did_is_counted_domain_by_domain(recording, llama) -> None:
    n = recording.n_sessions
    noise = np.tile([1.0, -1.0], n // 2)
    is_code = recording.windows.domain_index[recording.windows.starts[:-1]] == 1
    flat = losses(recording, llama, np.zeros(n))
    found = outcome(
        "code",
        mixture=flat,
        networks=losses(recording, llama, np.where(is_code, 2.9, 0.01 * noise)),
        labels=losses(recording, llama, np.where(is_code, 3.1, -1.0)),
        windows=recording.windows,
    )
    assert found.reached == pytest.approx(2.9 / 3.1)
    assert found.by_labels["prose"][0] == pytest.approx(-1 / 31)
    assert found.is_met


@pytest.mark.parametrize(
    ("changes", "is_met"),
    [
        ({"French": (0.9, 0.1), "Python": (0.01, 0.01)}, True),
        ({"French": (0.89, 0.1), "Python": (0.0, 0.01)}, False),
        ({"French": (1.2, 0.1), "Python": (0.011, 0.01)}, False),
    ],
)
def test_both_conditions_have_to_hold(changes, is_met) -> None:
    found = Outcome(dropped="French", changes=changes, by_labels={"French": (1.0, 0.1)})
    assert found.is_met == is_met


def test_labels_leave_out_one_domain(recording, llama) -> None:
    inputs = RecordedInputs(language_model=llama, recording=recording)
    weights = with_labels("code").token_weights(inputs)
    is_prose = recording.windows.domain_index == 0
    assert np.array_equal(weights == 1, is_prose | recording.is_dummy)
    assert weights.sum() == 4 * 32 + 4 * 2


def test_as_many_random_directions_go_those_with_most_in_the_domain(llama, recording, atlas):
    inputs = RecordedInputs(language_model=llama, recording=recording)
    share = atlas.domain_share()[:, atlas.domain_names.index("code")]
    stay = np.argsort(share)[:4]
    squares = np.square(atlas.time_courses.astype(np.float64))
    expected = (squares[stay].sum(axis=0) / squares.sum(axis=0)) ** 2
    found = with_directions("network-energy", atlas, "code", 2).token_weights(inputs)
    usable = ~recording.is_dummy
    np.testing.assert_allclose(found[usable], expected[usable])


def test_weights_by_domain_tell_what_labels_would(recording, llama) -> None:
    """Nothing of the dropped domain, and every kept token."""
    inputs = RecordedInputs(language_model=llama, recording=recording)
    weights = with_labels("code").token_weights(inputs)
    found = weights_by_domain(weights, recording, dropped="code")
    assert (found["left"], found["effective_share"]) == (0.0, 1.0)
    assert found["weights"] == {"prose": 1.0, "code": 0.0}
    everything = np.where(weights == 0, 0.25, weights) * ~recording.is_dummy
    assert weights_by_domain(everything, recording, dropped="code")["left"] == 0.25
    usable = weights * ~recording.is_dummy
    first_half = usable * (np.cumsum(usable) <= usable.sum() / 2)
    assert weights_by_domain(first_half, recording, dropped="code")["effective_share"] == 0.5


def test_the_removed_share_is_the_mean_over_layers() -> None:
    layout = UnitLayout((2, 3))
    energy = np.array([1.0, 3.0, 2.0, 2.0, 4.0])
    removed = (np.array([0]), np.array([0, 2]))
    assert removed_share(removed, energy, layout) == pytest.approx((1 / 4 + 6 / 8) / 2)


@pytest.fixture
def atlas(workspace, recording):
    """Six networks of the tiny recording."""
    id = group_ica.decompose(
        workspace, recording.id, settings=GroupICA(n_components=6, n_runs=1, tol=10.0)
    )
    return network_atlas.open_atlas(workspace, id)


def inputs_of(llama, recording, atlas, preserved) -> RecordedInputs:
    return RecordedInputs(
        language_model=llama, recording=recording, atlas=atlas, preserved=preserved
    )


def test_every_token_counts_fully_while_all_networks_stay(llama, recording, atlas) -> None:
    inputs = inputs_of(llama, recording, atlas, tuple(range(6)))
    for weighting in WEIGHTINGS.values():
        assert np.array_equal(weighting(inputs), ~recording.is_dummy)


def test_weightings_equal_their_formulas(llama, recording, atlas) -> None:
    inputs = inputs_of(llama, recording, atlas, (0, 2))
    usable = ~recording.is_dummy
    squares = np.square(atlas.time_courses.astype(np.float64))
    share = squares[[0, 2]].sum(axis=0) / squares.sum(axis=0)
    assert np.allclose(WEIGHTINGS["share^2"](inputs), usable * share**2)
    relative = squares / squares[:, usable].mean(axis=1, keepdims=True)
    p, d = relative[[0, 2]].mean(axis=0), relative[[1, 3, 4, 5]].mean(axis=0)
    assert np.allclose(WEIGHTINGS["odds^4"](inputs), usable * p**4 / (p**4 + d**4))


# Tasks


@pytest.fixture
def tokenizer():
    """One that ends texts, as the harness needs it."""
    pytest.importorskip("lm_eval", reason="lm-eval is in the optional group 'bench'")
    made = tiny.toy_tokenizer()
    made.eos_token = "<unk>"
    return made


def log_p(llama, text: str, continuation: str) -> tuple[float, bool]:
    """Return a continuation's log-likelihood, and whether it is the likeliest, token by token."""
    ids = llama.tokenizer(text + continuation)["input_ids"]
    total, is_greedy = 0.0, True
    for place in range(len(llama.tokenizer(text)["input_ids"]), len(ids)):
        with torch.no_grad():
            after = llama.model(torch.tensor([ids[:place]])).logits[0, -1].log_softmax(-1)
        total += float(after[ids[place]])
        is_greedy &= int(after.argmax()) == ids[place]
    return total, is_greedy


def test_answers_equal_a_plain_loop_over_tokens(llama, tokenizer) -> None:
    words = tiny.WORDS[3 : 3 + 40]
    asked = [
        {"query": f"Question: {words[4 * i]}", "choices": words[4 * i : 4 * i + 4], "gold": i % 4}
        for i in range(10)
    ]
    right = answers(llama.model, tokenizer, "arc_easy", asked)
    assert set(right) == {"acc", "acc_norm"}
    for i, item in enumerate(asked):
        found = [log_p(llama, f"{item['query']}\nAnswer:", f" {c}")[0] for c in item["choices"]]
        shares = [score / len(c) for score, c in zip(found, item["choices"], strict=True)]
        assert right["acc"][i] == (int(np.argmax(found)) == item["gold"])
        assert right["acc_norm"][i] == (int(np.argmax(shares)) == item["gold"])
    assert 0 < sum(right["acc"]) < 10


def test_last_words_are_right_where_each_token_is_the_likeliest(llama, tokenizer) -> None:
    context = " ".join(tiny.WORDS[3 : 3 + 6])
    with torch.no_grad():
        ids = torch.tensor([llama.tokenizer(context)["input_ids"]])
        likeliest = llama.tokenizer.decode(llama.model(ids).logits[0, -1].argmax())
    asked = [
        {"context": context, "continuation": word} for word in (likeliest, *tiny.WORDS[3 : 3 + 3])
    ]
    right = answers(llama.model, tokenizer, "lambada_openai", asked)
    expected = [log_p(llama, context, f" {item['continuation']}")[1] for item in asked]
    assert right == {"acc": expected}
    assert 0 < sum(expected) < len(asked)


OFFICIAL = {
    "lambada_openai": (
        "lambada/lambada_openai.yaml",
        {"text": "A guardian angel. I look for signs"},
        {"context": "A guardian angel. I look for", "continuation": "signs"},
    ),
    "piqa": (
        "piqa/piqa.yaml",
        {"goal": "ice box", "sol1": "add water", "sol2": "add soda", "label": 1},
        {"query": "Question: ice box\n", "choices": ["add water", "add soda"], "gold": 1},
    ),
    "arc_easy": (
        "arc/arc_easy.yaml",
        {
            "question": "Why?",
            "choices": {"text": ["a", "b"], "label": ["1", "2"]},
            "answerKey": "2",
        },
        {"query": "Question: Why?", "choices": ["a", "b"], "gold": 1},
    ),
}


@pytest.mark.parametrize("task", TASKS)
def test_prompts_answers_and_metrics_are_those_of_the_harness(task) -> None:
    lm_eval = pytest.importorskip("lm_eval", reason="lm-eval is in the optional group 'bench'")
    import yaml
    from datasets import Dataset
    from lm_eval.api.task import ConfigurableTask

    path, row, item = OFFICIAL[task]
    config = yaml.safe_load((Path(lm_eval.__file__).parent / "tasks" / path).read_text())
    config |= {"tag": None, "training_split": None, "validation_split": None, "test_split": "test"}
    config |= {"custom_dataset": lambda **_: {"test": Dataset.from_list([row])}}
    asked = []
    for made, doc in ((config, row), (task_config(task, [item]), item)):
        of = ConfigurableTask(config=made)
        requests = of.construct_requests(doc, of.doc_to_text(doc))
        requests = requests if isinstance(requests, list) else [requests]
        arguments = [request.args for request in requests]
        asked.append((of.OUTPUT_TYPE, arguments, of.doc_to_target(doc)))
    assert asked[0] == asked[1]
    official = {metric["metric"] for metric in config["metric_list"]} - {"perplexity"}
    assert {metric["metric"] for metric in TASKS[task][1]["metric_list"]} == official


def test_items_are_spread_evenly_over_the_file(tmp_path) -> None:
    path = tmp_path / "task.jsonl"
    path.write_text("\n".join(json.dumps({"gold": i}) for i in range(10)))
    assert [item["gold"] for item in items(path, 4)] == [0, 2, 5, 7]
    assert len(items(path, 0)) == len(items(path, 99)) == 10


def test_without_the_harness_it_says_what_to_install_and_ends_well(monkeypatch, capsys) -> None:
    monkeypatch.setattr("zero_shot.HARNESS", "no_such_harness")
    with pytest.raises(SystemExit) as ended:
        check_harness()
    assert not ended.value.code
    assert "pip install 'fnprune[bench]'" in json.loads(capsys.readouterr().out)["skipped"]


def test_pairs_are_counted_where_the_two_differ() -> None:
    a = np.array([True] * 8 + [False, True])
    b = np.array([True] * 4 + [False] * 4 + [True, True])
    found = paired(a, b)
    assert (found["only_first_right"], found["only_second_right"]) == (4, 1)
    assert found["difference"] == pytest.approx(0.3)
    assert found["p"] == pytest.approx(2 * (1 + 5) / 32)
    json.dumps(found)


# Side by side


def test_a_contest_goes_by_turns_and_the_median_decides() -> None:
    """One round in which the machine was busy with other things changes no verdict."""
    now, calls = [0.0], []

    def work(name, seconds):
        def run():
            calls.append(name)
            now[0] += next(seconds)
            return name

        return run

    def contest(**goal):
        seconds = {
            "ours": iter([9.0, 1.1, 6.0, 1.0]),
            "theirs": iter([9.0, 1.0, 1.0, 1.0]),
        }
        return Contest(
            what="x",
            ours=work("ours", seconds["ours"]),
            theirs={"theirs": work("theirs", seconds["theirs"])},
            goals={"theirs": Goal(**goal)},
            agreement=lambda found: {"same": float(found["theirs"] == "theirs")},
        ).measured(n_rounds=3, clock=lambda: now[0])

    row = contest(most=1.15)
    assert calls == ["ours", "theirs", "ours", "theirs", "theirs", "ours", "ours", "theirs"]
    rival = row["rivals"]["theirs"]
    assert (rival["ratio"], rival["is_met"], row["is_met"]) == (1.1, True, True)
    assert rival["interval_95"][0] < 1.1 < rival["interval_95"][1]
    assert row["agreement"] == {"same": 1.0}
    assert not contest(most=1.05)["is_met"]
    assert contest(least_times=0.9)["is_met"]
    assert not contest(least_times=2)["is_met"]
    lines = table({"row": row}).splitlines()
    assert "≤ 1.15 × the time: met" in lines[1]


@pytest.mark.parametrize("name", ["perplexity", "lesions", "thresholds", "localizers"])
def test_the_short_form_of_the_calibration_keeps_what_is_promised(name) -> None:
    rows = calibration.run(name, seed=0, short=True)
    assert [row.name for row in rows if not row.is_kept] == []
    assert any(row.least is not None or row.most is not None for row in rows)


def test_a_promise_is_missed_beyond_three_monte_carlo_errors() -> None:
    kept = calibration.share("coverage", 930, 1000, least=0.95)
    missed = calibration.share("coverage", 900, 1000, least=0.95)
    assert (kept.is_kept, missed.is_kept) == (True, False)
    assert kept.error == pytest.approx(np.sqrt(0.93 * 0.07 / 1000))


def test_a_large_shape_is_measured_by_stage_and_its_planted_maps_found() -> None:
    found = measure(Shape(n_layers=2, width=200, n_sessions=4, n_tokens=60, n_networks=3))
    assert list(found["stages"]) == [
        "moments",
        "reducing",
        "networks",
        "predictors, and one layer's weighted Gram matrix",
        "one layer's weighted Gram matrix",
        "one layer's refit",
    ]
    assert all(row["seconds"] >= 0 for row in found["stages"].values())
    assert found["planted_maps_found"]["least_r"] > 0.7
    assert found["disk_gb"]["summary"] > found["disk_gb"]["of_which_moments"] > 0


def test_a_model_of_random_weights_goes_the_whole_path() -> None:
    found = large_model.measure(
        Shape(n_layers=2, width=96, n_sessions=4, n_tokens=64, n_networks=3)
    )
    assert list(found["stages"]) == [
        "model", "record", "decompose", "plan", "refit", "evaluate",
    ]  # fmt: skip
    assert all(row["seconds"] > 0 for row in found["stages"].values())
    assert set(found["perplexity"]) == {"dense", "none", "least-squares"}
    chance = large_model.N_TOKEN_TYPES
    assert all(chance / 2 < each < 2 * chance for each in found["perplexity"].values())


def test_ways_to_add_a_gram_matrix_are_timed() -> None:
    found = rates.gram_ways(8, 40, n_rounds=1)
    assert all(0 < seconds < 60 for seconds in found.values())


# Mutants ------------------------------------------------------------------------------------------


def test_the_line_of_each_mutant_is_there_once_and_its_tests_exist() -> None:
    """Two rows had outlived their lines, and stopped the benchmark."""
    for row in mutants.mutants():
        source = (mutants.ROOT / row["file"]).read_text(encoding="utf-8")
        assert mutants.broken(source, row) != source, row["name"]
        assert all((mutants.ROOT / path).is_file() for path in row["tests"]), row["name"]
