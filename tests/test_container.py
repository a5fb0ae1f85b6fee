"""The Dockerfile's steps: what is copied before the rest is enough to fetch the model."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
STEPS = (ROOT / "Dockerfile").read_text().replace("\\\n", " ").splitlines()


@pytest.fixture(scope="module")
def image(tmp_path_factory) -> Path:
    """A folder with what is copied before the whole of the repository is."""
    folder = tmp_path_factory.mktemp("image")
    for step in STEPS:
        if step == "COPY . .":
            break
        if step.startswith("COPY "):
            *sources, target = step.split()[1:]
            (folder / target).mkdir(parents=True, exist_ok=True)
            for source in sources:
                path = ROOT / source
                if path.is_dir():
                    shutil.copytree(path, folder / target, dirs_exist_ok=True)
                else:
                    shutil.copy(path, folder / target)
    return folder


def test_the_model_is_fetched_by_what_is_copied_before_the_rest(image) -> None:
    (step,) = (line for line in STEPS if line.startswith("RUN python -c"))
    code = re.search('"(.*)"', step)[1]
    names = re.search(r"from (\S+) import (\S+?);", code)
    assert code.startswith(names[0])
    found = subprocess.run(
        [sys.executable, "-c", f"{names[0]} print({names[2]}.__code__.co_filename)"],
        cwd=image, env={"PYTHONPATH": str(image)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert found.returncode == 0, found.stderr
    assert Path(found.stdout.strip()).is_relative_to(image)


def test_it_starts_as_the_makefile_does() -> None:
    makefile = (ROOT / "Makefile").read_text()
    (start,) = (line for line in STEPS if line.startswith("CMD "))
    for command in re.findall(r"python (-m [^&\"]+)", start):
        assert f"$(BIN)/python {command.strip()}" in makefile
