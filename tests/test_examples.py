"""Each example runs as it stands, small, and says what it found."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import tiny

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.py"))
#: Runs examples one after the other in a process of their own, which loads torch once.
CODE = """
import contextlib, io, json, runpy, sys, traceback

for path in sys.argv[1:]:
    failure, said = "", io.StringIO()
    with contextlib.redirect_stdout(said):
        try:
            runpy.run_path(path, run_name="__main__")
        except BaseException:
            failure = traceback.format_exc()
    print(json.dumps([said.getvalue(), failure]), flush=True)
"""
SAYS = {
    "explore": r"report\.html: \d\.\d MB",
    "prune": r"dense: \d+\.\d\d (± |\(no interval\))",
    "teach": r"\d of \d agree; \d+ double dissociations",
}


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> dict[str, str]:
    """A tiny model and its texts, named in the environment as the examples read it."""
    root = tmp_path_factory.mktemp("examples")
    tiny.tiny_model("Llama").save_pretrained(root / "model")
    tiny.toy_tokenizer().save_pretrained(root / "model")
    documents = tiny.toy_documents(n_per_domain=5, n_words=130)
    for name, chosen in (("texts", (0, 1, 2, 5, 6, 7)), ("held-out", (3, 4, 8, 9))):
        rows = [
            json.dumps({"text": d.text, "domain": d.domain, "name": d.name})
            for d in (documents[i] for i in chosen)
        ]
        (root / f"{name}.jsonl").write_text("\n".join(rows))
    return {
        "MODEL": str(root / "model"),
        "TEXTS": str(root / "texts.jsonl"),
        "HELD_OUT": str(root / "held-out.jsonl"),
        "TOKENS": "768",
        "NETWORKS": "4",
        "WINDOW": "32",
        "WINDOWS": "6",
        "Z": "1.5",
        "FNPRUNE_WORKSPACE": str(root / "workspace"),
        "OMP_NUM_THREADS": "1",
    }


def test_there_is_one_of_each() -> None:
    assert [path.stem for path in EXAMPLES] == list(SAYS)


@pytest.fixture(scope="module")
def outcomes(small) -> dict[str, tuple[str, str]]:
    """What each example printed, and its traceback."""
    done = subprocess.run(
        [sys.executable, "-c", CODE, *map(str, EXAMPLES)],
        env={**os.environ, **small},
        cwd=EXAMPLES[0].parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    lines = map(json.loads, done.stdout.splitlines())
    return dict(zip((path.stem for path in EXAMPLES), lines, strict=True))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs(example, outcomes) -> None:
    said, failure = outcomes[example.stem]
    assert failure == "", f"{said}\n{failure}"
    assert re.search(SAYS[example.stem], said), said


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_a_notebook_in_percent_format(example) -> None:
    text = example.read_text(encoding="utf-8")
    assert "format_name: percent" in text
    cells = re.findall(r"^# %%( \[markdown\])?$", text, re.M)
    assert len(cells) >= 8
    assert 0 < sum(bool(cell) for cell in cells) < len(cells)
    outside = [
        line for line in re.split(r"^# %%.*$", text, flags=re.M)[0].splitlines() if line[:1] != "#"
    ]
    assert not any(outside)
