"""Every example of README and documentation runs, as it stands there.

An example is a block of ``sh`` or ``python``. The comment ``<!-- slow -->`` before it leaves it
to ``make docs-test``; ``<!-- not run: REASON -->`` to nobody. The commands of the README come
first, in one workspace, and all other pages find there what they made.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from guide import follow

from fnprune_core.cli import main
from fnprune_core.export.model_card import use_of

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = (README, *sorted((ROOT / "docs").rglob("*.md")))
IS_SLOW_RUN = bool(os.environ.get("FNPRUNE_SLOW_EXAMPLES"))
BLOCK = re.compile(r"(?:<!-- ([^>]*) -->\n)?^```(sh|python)\n(.*?)^```$", re.S | re.M)


@dataclass(frozen=True, slots=True)
class Example:
    """One block of a page."""

    mark: str
    language: str
    code: str

    @property
    def runs(self) -> bool:
        return not self.mark or (self.mark == "slow" and IS_SLOW_RUN)


def examples(page: Path) -> list[Example]:
    return [Example(*found) for found in BLOCK.findall(page.read_text(encoding="utf-8"))]


def run(example: Example, monkeypatch, name: str) -> None:
    """Run an example in this process: importing torch for each would take most of the time."""
    if example.language == "python":
        script = Path("example.py")
        script.write_text(example.code)
        exec(compile(example.code, script.resolve(), "exec"), {"__name__": "__main__"})
        return
    for line in example.code.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if not words:
            continue
        assert words[0] == "fnprune", f"{name}: {line}"
        monkeypatch.setattr(sys, "argv", words)
        with pytest.raises(SystemExit) as stopped:
            main()
        assert stopped.value.code == 0, f"{name}: {line}"


@pytest.fixture(scope="module")
def readme_folder(tmp_path_factory) -> Path:
    """A folder for what the README's commands make."""
    return tmp_path_factory.mktemp("readme")


@pytest.fixture
def folder(readme_folder, tmp_path, monkeypatch) -> Path:
    """The folder of an example, with a copy of the workspace that the README's commands made."""
    made = readme_folder / "workspace"
    if made.is_dir():
        shutil.copytree(made, tmp_path / "workspace")
    monkeypatch.setenv("FNPRUNE_WORKSPACE", str(tmp_path / "workspace"))
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("MPLBACKEND", "Agg")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("need_embedded_model")
def test_the_readme_from_its_first_command_to_its_last_line(folder, readme_folder, monkeypatch):
    commands, script = examples(README)
    run(commands, monkeypatch, "README")
    assert (folder / "pruned-model" / "model.safetensors").is_file()
    before = sorted(path.name for path in (folder / "workspace").glob("*/*"))
    run(script, monkeypatch, "README")
    # The script says in Python what the commands said, and so finds what they made.
    assert sorted(path.name for path in (folder / "workspace").glob("*/*")) == before
    shutil.copytree(folder / "workspace", readme_folder / "workspace")


def pages_with_examples() -> list[Path]:
    return [
        page for page in PAGES if page != README and any(example.runs for example in examples(page))
    ]


@pytest.mark.usefixtures("need_embedded_model")
@pytest.mark.parametrize("page", pages_with_examples(), ids=lambda page: page.stem)
def test_the_examples_of_a_page(page, folder, monkeypatch) -> None:
    for example in examples(page):
        if example.runs:
            run(example, monkeypatch, page.name)


def test_each_mark_is_known_and_each_block_has_a_language() -> None:
    for page in PAGES:
        for example in examples(page):
            assert example.mark in ("", "slow") or example.mark.startswith("not run: "), page
        opened = re.findall(r"^```(\S*)$", page.read_text(encoding="utf-8"), re.M)[::2]
        assert "" not in opened, page


def test_the_lines_for_other_tools_are_those_that_an_export_prints() -> None:
    blocks = re.findall(r"^```bash\n(.*?)^```$", (ROOT / "docs/export.md").read_text(), re.S | re.M)
    uniform = use_of(Path("pruned-model"), form="uniform")
    assert f"{uniform['lm-eval']}\n" in blocks


def test_make_targets_that_the_texts_name_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.M))
    for page in (*PAGES, ROOT / "CONTRIBUTING.md"):
        named = re.findall(r"(?:`|^)make ([a-z -]+?)(?:`|$|  )", page.read_text(), re.M)
        assert {word for words in named for word in words.split()} <= targets, page


def test_links_and_pictures_of_the_readme_exist() -> None:
    text = README.read_text(encoding="utf-8")
    assert len(text.encode()) <= 9 * 1024
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert (ROOT / target).is_file(), target


# How to add: the diffs of the documentation, applied to a copy of the code -----------------------

PAGE_TESTS = """
from fnprune_core.atlas.network_atlas import open_atlas
from fnprune_core.storage.workspace import Workspace


def test_a_page_and_a_figure(open_page, example) -> None:
    at = open_page("depth", **example.view())
    sizes = open_atlas(Workspace.default(), example.atlas).parcel_sizes(z=3.0)
    assert (at.dataframe[0].value.iloc[:, 1:].to_numpy() == sizes).all()
    at = open_page("parcellation", **example.view())
    words = [chart.proto.alt for chart in at.get("plotly_chart")]
    assert any(text.startswith("Share of each layer's units") for text in words)
"""


DIFFS = sorted((ROOT / "docs" / "extend").glob("*.diff"))


def copied(root: Path) -> Path:
    """Copy all files that a diff of the guide touches to `root`."""
    for diff in DIFFS:
        for name in re.findall(r"^\+\+\+ b/(.*)$", diff.read_text(), re.M):
            if (ROOT / name).is_file():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, root / name)
    return root


def test_the_guide_can_be_followed_twice_and_where_the_code_has_changed(tmp_path) -> None:
    """Its diffs no longer applied once a row was there, which broke this test for who added one."""

    def contents(root: Path) -> dict[str, str]:
        return {path.name: path.read_text() for path in root.rglob("*.py")}

    root, changed = copied(tmp_path / "same"), copied(tmp_path / "changed")
    for diff in DIFFS:
        follow(diff, root)
    once = contents(root)
    for diff in DIFFS:
        follow(diff, root)
    assert contents(root) == once

    row = '        replace(_GATED, family="Other", model_types=("other",)),\n'
    families = changed / "fnprune_core/models/architectures.py"
    mistral = '        replace(_GATED, family="Mistral"'
    families.write_text(families.read_text().replace(mistral, row + mistral))
    for diff in DIFFS:
        follow(diff, changed)
    text = families.read_text()
    assert text.count('family="Granite"') == text.count('family="Other"') == 1
    assert text.replace(row, "") == once["architectures.py"]


def test_what_the_documentation_adds_works(tmp_path) -> None:
    for name in ("app", "assets", "benchmarks", "fnprune_core", "tests"):
        left_out = shutil.ignore_patterns("__pycache__", "pictures")
        shutil.copytree(ROOT / name, tmp_path / name, symlinks=True, ignore=left_out)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / ".streamlit").symlink_to("app/.streamlit")
    for diff in DIFFS:
        follow(diff, tmp_path)
    (tmp_path / "tests/app/test_added.py").write_text(PAGE_TESTS)
    core = [f"tests/core/{package}" for package in ("models", "scores", "pruning", "export")]
    app = ("tests/app/pruning/test_lab_settings.py", "tests/app/test_added.py")
    added = "Granite or variance or rescale or test_added"
    finished = subprocess.run(
        [sys.executable, "-m", "pytest", "-v", "-k", added, *core, *app],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert finished.returncode == 0, finished.stdout
    for row in ("[Granite", "[variance", "[rescale", "test_a_page_and_a_figure"):
        assert row in finished.stdout
