"""Every example of the README runs, with the embedded model, as it stands there."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README.read_text(), re.M | re.S)


def run(command: list[str], folder: Path) -> str:
    environment = {**os.environ, "FNPRUNE_WORKSPACE": str(folder / "workspace")}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.usefixtures("need_embedded_model")
def test_the_command_lines_run(tmp_path):
    commands = "\n".join(block.strip() for block in blocks("sh")).splitlines()
    program = Path(sys.executable).parent / "fnprune"
    for command in commands:
        words = command.split()
        assert words[0] == "fnprune"
        run([str(program), *words[1:]], tmp_path)
    assert (tmp_path / "pruned-model" / "model.safetensors").is_file()
    assert len(list((tmp_path / "maps").glob("*.nii.gz"))) >= 3
    assert (tmp_path / "atlas.html").stat().st_size < 15e6


@pytest.mark.usefixtures("need_embedded_model")
def test_the_python_examples_run(tmp_path):
    first, second = blocks("python")
    (tmp_path / "example.py").write_text(first)
    printed = run([sys.executable, "example.py"], tmp_path)
    assert re.search(r"^dense: \d+\.\d+ ± \d+\.\d+$", printed, re.M)
    assert re.search(r"^pruned: \d+\.\d+ ± \d+\.\d+$", printed, re.M)
    (tmp_path / "atlas.py").write_text(second)
    assert re.search(r"^top 1 %: \|z\| > \d", run([sys.executable, "atlas.py"], tmp_path), re.M)


def test_make_targets_that_the_readme_names_exist():
    makefile = (README.parent / "Makefile").read_text()
    for target in set(re.findall(r"`?make ((?:[a-z]+ ?)+)", README.read_text())):
        for word in target.split():
            if word in ("are", "all"):
                continue
            assert re.search(rf"^{word}:", makefile, re.M), f"make {word}"
