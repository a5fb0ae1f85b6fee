from fnprune_core.commands.demo import SHOWN
from fnprune_core.scores.units import SCORES, with_published


def test_the_demo_prints_what_the_issue_asks_for(program, model, texts) -> None:
    words = (
        "demo", "--model", model, "--calibrate", texts / "calibration",
        "--evaluate", texts / "held-out", "--ratio", 0.4, "-k", 8, "--windows", 4,
    )  # fmt: skip
    report = program.json(*words)
    assert set(report["dense"]) == {"perplexity", "stderr"}
    assert {"record", "decompose", "plan", "evaluate", "total"} == set(report["seconds"])
    assert report["peak_memory_bytes"] > 1e8
    rows = report["rows"]
    assert all(
        set(row) >= {
            "score", "ratio", "compensation", "allocation", "sink_units", "seed", "n_tokens",
            "perplexity", "stderr", "paired_difference", "paired_stderr",
            "paired_interval",
        }
        for row in rows
    )  # fmt: skip
    made = {(row["score"], row["compensation"], row["seed"]) for row in rows}
    expected = {
        (name, SCORES[name].fixes.get("compensation", compensation), seed)
        for score in SHOWN
        for name in with_published(score)
        for compensation in ("none", "bias", "least-squares")
        if compensation == "least-squares" or score == "network-energy"
        for seed in ((0, 1, 2) if score == "random" else (None,))
    }
    assert made == expected
    assert len(rows) == len(expected)
    for row in rows:
        score = SCORES[row["score"]]
        assert row["allocation"] == score.fixes.get("allocation", "protect-ends")
        assert row["sink_units"] == (0 if score.fixes else score.sink_units)
        assert row["n_tokens"] == 4 * 511
    by_name = {(row["score"], row["compensation"]): row for row in rows}
    energy, flap = (by_name[s, "least-squares"] for s in ("network-energy", "flap"))
    assert energy["perplexity"] == flap["perplexity"]
    assert {d["domain"] for d in report["domains"]} == {"prose", "code"}
    assert {d["score"] for d in report["domains"]} >= {"dense", "flap", "network-energy"}
    for row in report["domains"]:
        assert set(row) == {
            "dropped", "n_networks_dropped", "score", "domain", "perplexity", "stderr",
        }  # fmt: skip
        assert (row["dropped"] is None) == (row["n_networks_dropped"] == 0)
    mixture = {d["domain"]: d["perplexity"] for d in report["domains"] if d["score"] == "flap"}
    for row in report["domains"]:
        if row["dropped"] is not None:
            assert row["perplexity"] != mixture[row["domain"]]
    printed = program(*words)
    assert "network-membership" in printed  # no word is broken at 80 columns
    assert "network-energy equals flap" in printed
    assert "What choosing is for" in printed


def test_the_demo_runs_what_is_asked_for(program, model, texts) -> None:
    report = program.json(
        "demo", "--model", model, "--calibrate", texts / "calibration", "--evaluate",
        texts / "held-out", "--ratio", 0.1, "--ratio", 0.3, "--score", "wanda", "-k", 3,
        "--windows", 1,
    )  # fmt: skip
    assert [(row["score"], row["ratio"], row["compensation"]) for row in report["rows"]] == [
        row
        for ratio in (0.1, 0.3)
        for row in (("wanda-published", ratio, "none"), ("wanda", ratio, "least-squares"))
    ]
    assert report["dense"]["stderr"] is None  # one window says nothing of it


def test_the_seed_papers_preset_gives_the_ratio_of_its_threshold(program, model, texts) -> None:
    words = (
        "demo", "--model", model, "--calibrate", texts / "calibration", "--evaluate",
        texts / "held-out", "-k", 3, "--windows", 1, "--preset", "seed-paper",
    )  # fmt: skip
    report = program.json(*words, "--threshold", 2.0)
    rows = {row["score"]: row for row in report["rows"]}
    assert {"seed-paper-published", "seed-paper", "flap-published", "network-energy"} <= set(rows)
    [ratio] = {row["ratio"] for row in report["rows"]}
    assert 0 < ratio < 1
    assert rows["seed-paper-published"]["compensation"] == "bias-pruned"
    assert report["protocol"]["threshold"] == 2.0
    assert program.json(*words, "--threshold", 2.4)["rows"][0]["ratio"] > ratio
    _, _, error = program.run(*words, "--threshold", 0.01)
    assert "Choose a higher threshold" in error
    _, _, error = program.run(*words, "--ratio", 0.2)
    assert "A preset brings its own ratio" in error
