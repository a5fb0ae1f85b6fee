import pytest


def test_both_texts_and_where_they_part(program, model, texts) -> None:
    with_model = ("--model", model)
    program("record", texts / "calibration", "--window", 64, *with_model)
    plan = program.json("plan", "latest", "--score", "flap", "--ratio", 0.4, *with_model)
    words = ("generate", plan["id"], "aq ar as", "--tokens", 6, *with_model)
    found = program.json(*words)
    assert (found["plan"], found["is_chat"], found["n_prompt_tokens"]) == (plan["id"], False, 3)
    dense, pruned = (found[whose]["token_ids"] for whose in ("dense", "pruned"))
    assert (len(dense), len(pruned)) == (6, 6)
    parts = [i for i, (a, b) in enumerate(zip(dense, pruned, strict=True)) if a != b]
    assert found["first_difference"] == (parts[0] if parts else None)
    assert len(found["divergence"]) == 6
    assert found["mean_divergence"] == pytest.approx(sum(found["divergence"]) / 6)
    shown = program(*words)
    assert found["id"] in shown
    assert "Where they differ most" in shown
