"""Every example of the README runs, with the embedded model, as it stands there."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from fnprune_core.cli import main

README = Path(__file__).parents[1] / "README.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README.read_text(), re.M | re.S)


def run(script: str, folder: Path) -> str:
    """Return what a Python example prints, run in a folder and process of its own."""
    (folder / "example.py").write_text(script)
    environment = {**os.environ, "FNPRUNE_WORKSPACE": str(folder / "workspace")}
    done = subprocess.run(
        [sys.executable, "example.py"],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.usefixtures("need_embedded_model")
def test_the_command_lines_run_and_lora_recovers_what_they_export(tmp_path, monkeypatch, capsys):
    """In this process: importing torch for each command would take most of the time."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FNPRUNE_WORKSPACE", str(tmp_path / "workspace"))
    for command in "\n".join(block.strip() for block in blocks("sh")).splitlines():
        monkeypatch.setattr(sys, "argv", command.split())
        with pytest.raises(SystemExit) as stopped:
            main()
        printed = capsys.readouterr()
        assert stopped.value.code == 0, f"{command}\n{printed.err}"
        if command.startswith("fnprune export latest pruned-model "):
            [in_readme] = blocks("bash")
            own = printed.out.partition("lm-eval:\n")[2].replace("\n", "")
            assert own.replace(str(tmp_path) + "/", "") == in_readme.strip()
    assert (tmp_path / "pruned-model" / "model.safetensors").is_file()
    assert (tmp_path / "pruned-gguf" / "model-F16.gguf").is_file()
    assert len(list((tmp_path / "maps").glob("*.nii.gz"))) >= 3
    assert (tmp_path / "atlas.html").stat().st_size < 15e6

    pytest.importorskip("peft", reason="peft is a development dependency")
    [recovery] = [block for block in blocks("python") if "peft" in block]
    printed = run(recovery, tmp_path)
    first, last = map(float, re.findall(r"^loss (\d+\.\d+)$", printed, re.M))
    assert last < first
    config = json.loads((tmp_path / "recovered-model" / "config.json").read_text())
    assert config["intermediate_size"] == 960


@pytest.mark.usefixtures("need_embedded_model")
def test_the_python_examples_run(tmp_path):
    first, second, *others = [block for block in blocks("python") if "peft" not in block]
    printed = run(first, tmp_path)
    assert re.search(r"^dense: \d+\.\d+ ± \d+\.\d+$", printed, re.M)
    assert re.search(r"^pruned: \d+\.\d+ ± \d+\.\d+$", printed, re.M)
    assert re.search(r"^top 1 %: \|z\| > \d", run(second, tmp_path), re.M)
    for script in others:
        assert run(script, tmp_path)


def test_make_targets_that_the_readme_names_exist():
    makefile = (README.parent / "Makefile").read_text()
    for target in set(re.findall(r"(?:`|^)make ((?:[a-z]+ ?)+)", README.read_text(), re.M)):
        for word in target.split():
            if word in ("are", "all"):
                continue
            assert re.search(rf"^{word}:", makefile, re.M), f"make {word}"
