def test_a_sweep_prints_a_point_for_each_score_and_ratio(program, model, texts) -> None:
    program("record", texts / "calibration", "--window", 64, "--model", model)
    words = (
        "sweep", "latest", texts / "held-out", "--scores", "flap,random", "--ratios", "0.2,0.4",
        "--seeds", 2, "--window", 64, "--max-windows", 2, "--model", model,
    )  # fmt: skip
    found = program.json(*words)
    assert [(row["score"], row["ratio"], row["seeds"]) for row in found["points"]] == [
        ("flap", 0.2, 1), ("flap", 0.4, 1), ("random", 0.2, 2), ("random", 0.4, 2),
    ]  # fmt: skip
    assert len(found["plans"]) == 6
    assert found["dense"]["perplexity"] > 1
    shown = program(*words)
    assert f"dense {found['dense']['perplexity']:.2f}" in shown
    assert all(name in shown for name in ("flap", "random", "spread"))
