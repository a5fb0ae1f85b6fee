"""How the code is laid out, and what may be imported where.

import-linter checks the layers; this what really happens, and what is no matter of layers.
"""

import ast
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import fnprune_core

ROOT = Path(__file__).parents[1]
APP, CORE, TESTS = ROOT / "app", ROOT / "fnprune_core", ROOT / "tests"
#: Modules in a folder, at most: a street with so many houses is still walked in a minute.
MOST = 16
MOST_AT_THE_TOP = {CORE: 9, APP: 4}


def loaded_by(code: str) -> set[str]:
    """Return the top-level packages that a fresh process has loaded after running `code`."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint('LOADED', *sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    names = done.stdout.rpartition("LOADED")[2].split()
    return {name.partition(".")[0] for name in names}


def modules() -> list[str]:
    found = pkgutil.walk_packages(fnprune_core.__path__, "fnprune_core.")
    return [module.name for module in found if not module.name.endswith("__main__")]


def test_the_core_loads_neither_streamlit_nor_plotly_nor_the_app() -> None:
    names = modules()
    assert {"fnprune_core.workflows", "fnprune_core.cli", "fnprune_core.commands.demo"} <= set(
        names
    )
    loaded = loaded_by(f"import {', '.join(names)}")
    assert "torch" in loaded
    assert not loaded & {"streamlit", "plotly", "app", "nilearn", "matplotlib", "datasets"}


@pytest.mark.parametrize(
    "module",
    [
        "cli",
        "storage",
        "plans.plan",
        "models.layout",
        "errors",
        "progress",
        "commands.console",
        "texts.documents",
    ],
)
def test_what_a_mistake_needs_loads_at_once(module) -> None:
    loaded = loaded_by(f"import fnprune_core.{module}")
    assert not loaded & {"torch", "transformers", "sklearn", "scipy"}


def test_no_package_of_the_app_hides_one_of_python() -> None:
    """`streamlit run app/main.py` looks for modules in app/ first, and `app/html` broke `html`."""
    hidden = {path.stem for path in APP.iterdir()} & sys.stdlib_module_names
    assert not hidden, f"name them otherwise: {sorted(hidden)}"


# The layout


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def code_files() -> list[Path]:
    return sorted([*APP.rglob("*.py"), *CORE.rglob("*.py")])


@cache
def imported_by(path: Path) -> set[str]:
    """Return the dotted names that a file imports anywhere in it, modules and what is in them."""
    names = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            names |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path} imports by dots"
            names |= {str(node.module), *(f"{node.module}.{each.name}" for each in node.names)}
    return names


def shown(paths) -> list[str]:
    return [path.relative_to(ROOT).as_posix() for path in paths]


def test_no_folder_holds_more_modules_than_one_can_look_through() -> None:
    folders = {path.parent for path in code_files()}
    assert {APP, CORE} <= folders
    full = {
        folder: n
        for folder in folders
        if (n := len(list(folder.glob("*.py")))) > MOST_AT_THE_TOP.get(folder, MOST)
    }
    assert not full, "divide it by what its modules are about"


def test_a_package_says_what_lives_there_and_nothing_else() -> None:
    """Whoever looks for a name finds it where it is defined; importing a package loads nothing."""
    packages = [path for path in code_files() if path.name == "__init__.py"]
    assert all(ast.get_docstring(tree_of(path)) for path in packages)
    with_code = [path for path in packages if len(tree_of(path).body) > 1]
    assert shown(with_code) == ["fnprune_core/__init__.py"]  # the version


def page_folders() -> list[Path]:
    """Return the folders of pages: ``app/<section>/<page>/``."""
    return sorted(path.parent for path in APP.glob("*/*/page.py"))


def test_a_page_is_imported_by_itself_alone() -> None:
    """What two pages share lies in their section's own files, or below the sections."""
    folders = {".".join(folder.relative_to(ROOT).parts): folder for folder in page_folders()}
    assert "app.atlas.networks" in folders
    strangers = {
        (path.relative_to(ROOT).as_posix(), name)
        for path in code_files()
        if path != APP / "main.py"
        for name in imported_by(path)
        for package, folder in folders.items()
        if f"{name}.".startswith(f"{package}.") and folder not in path.parents
    }
    assert not strangers


def caches(path: Path) -> Iterator[int]:
    """Give the lines on which a file asks Streamlit, or the shell, to cache."""
    for node in ast.walk(tree_of(path)):
        named = {ast.Attribute: "attr", ast.alias: "name"}.get(type(node))
        if named and getattr(node, named) in {"cache_data", "cache_resource", "cached"}:
            yield node.lineno


def test_only_data_and_shell_cache() -> None:
    may = {path for path in code_files() if path.name == "data.py" or APP / "shell" in path.parents}
    assert any(any(caches(path)) for path in may)
    assert shown(path for path in code_files() if path not in may and any(caches(path))) == []


def test_figures_and_tasks_know_no_streamlit() -> None:
    pure = [
        path
        for path in code_files()
        if path.stem.endswith(("figures", "tasks")) or APP / "figures" in path.parents
    ]
    assert len(pure) > 30
    roots = {path: {name.partition(".")[0] for name in imported_by(path)} for path in pure}
    assert shown(path for path in pure if "streamlit" in roots[path]) == []


def test_no_test_imports_another() -> None:
    """What tests share is a module with a plain name, or a fixture of a conftest."""
    for path in TESTS.rglob("*.py"):
        of_tests = {
            name
            for name in imported_by(path)
            if any(part.startswith("test_") for part in name.split("."))
        }
        assert not of_tests, path
