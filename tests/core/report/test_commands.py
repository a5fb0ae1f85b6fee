import pytest
from written_report import command

from fnprune_core.report.commands import TEXTS, commands


def test_the_commands_make_every_artifact_again(made, tmp_path) -> None:
    """Each line's comment is the id that the same line must print in an empty workspace."""
    made_again = []
    for line in commands(made.m):
        asked, _, id = line.partition("  # ")
        verb = asked.split()[1]
        if verb not in ("record", "decompose", "plan", "lesion"):
            continue
        source = made.texts if verb == "record" else made.root / "lesions.jsonl"
        asked = asked.replace(TEXTS, f"{source}{made.columns}")
        printed = command(asked, tmp_path)
        assert printed.get("id", printed.get("study")) == id, line
        made_again.append(verb)
    assert made_again == ["record", "decompose", "lesion", "plan", "plan"]
    (evaluate,) = [line for line in commands(made.m) if "evaluate" in line]
    asked = evaluate.replace(TEXTS, f"{made.root / 'held-out.jsonl'}{made.columns}")
    # An evaluation's id holds the bytes of what compensates, whose rounding may differ.
    measured = {row["plan"]: row["perplexity"] for row in command(asked, tmp_path)["rows"]}
    (text,) = made.m.texts()
    for plan in made.m.plans:
        assert measured[plan.id] == pytest.approx(plan.on(text).perplexity, rel=1e-3)
