from fnprune_core.commands.demo import SCORES


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
        }
        for row in rows
    )  # fmt: skip
    made = {(row["score"], row["compensation"], row["seed"]) for row in rows}
    expected = {
        (score, compensation, seed)
        for score in SCORES
        for compensation in ("none", "bias", "least-squares")
        if compensation != "least-squares" or score in ("network-energy", "flap")
        for seed in ((0, 1, 2) if score == "random" else (None,))
    }
    assert made == expected
    assert len(rows) == len(expected)
    for row in rows:
        published = row["score"] == "flap-published"
        assert row["allocation"] == ("global" if published else "protect-ends")
        assert row["sink_units"] == (0 if published else 4)
        assert row["n_tokens"] == 4 * 511
    by_name = {(row["score"], row["compensation"]): row for row in rows}
    for compensation in ("none", "bias", "least-squares"):
        energy, flap = (by_name[s, compensation] for s in ("network-energy", "flap"))
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
        ("wanda", ratio, compensation) for ratio in (0.1, 0.3) for compensation in ("none", "bias")
    ]
    assert report["dense"]["stderr"] is None  # one window says nothing of it
