"""How the code is laid out, and what may be imported where.

import-linter checks the layers; this what really happens, and what is no matter of layers.
"""

import ast
import pkgutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

import pytest

import fnprune_core
from app import pages

ROOT = Path(__file__).parents[1]
APP, CORE, TESTS = ROOT / "app", ROOT / "fnprune_core", ROOT / "tests"
#: Modules in a folder, at most: a street with so many houses is still walked in a minute.
MOST = 16
MOST_AT_THE_TOP = {CORE: 9, APP: 4}
#: Lines of a module, at most, and of those of the core that are still to be divided.
MOST_LINES, MOST_LINES_TO_DIVIDE = 300, 560
TO_DIVIDE = {
    "atlas/annotation_files.py",
    "atlas/chance/beside.py",
    "atlas/chance/calibration.py",
    "atlas/chance/directions.py",
    "atlas/connectome.py",
    "atlas/decoding.py",
    "atlas/embedding.py",
    "atlas/images/volumes.py",
    "atlas/images/voxels.py",
    "atlas/network_atlas.py",
    "atlas/probe.py",
    "atlas/search/find.py",
    "commands/atlas.py",
    "commands/demo.py",
    "decomposition/group_ica.py",
    "evaluation/compare.py",
    "evaluation/generation.py",
    "evaluation/results.py",
    "evaluation/side_by_side.py",
    "export/gguf/files.py",
    "export/speed.py",
    "lesions/sites.py",
    "lesions/study.py",
    "localizers/results.py",
    "localizers/stimuli.py",
    "matching/atlases.py",
    "matching/dual_regression.py",
    "models/architectures.py",
    "models/mixtures/units.py",
    "models/structure/proof.py",
    "models/structure/proposals.py",
    "plans/allocation.py",
    "plans/plan.py",
    "pruning/compensation.py",
    "pruning/planner.py",
    "pruning/preview.py",
    "pruning/slicing.py",
    "pruning/sweep.py",
    "recording/record.py",
    "recording/recording.py",
    "reliability/measures.py",
    "reliability/resampling.py",
    "reliability/results.py",
    "report/experiments.py",
    "report/methods.py",
    "report/plans.py",
    "scores/units.py",
    "storage/folders.py",
    "storage/workspace.py",
    "texts/cutting.py",
    "texts/documents.py",
    "texts/rows.py",
}


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


def test_each_page_is_held_apart_from_the_others() -> None:
    """`docs/extend/page.md` says that `make lint` does so; a page outside of its list it would not.

    A section with one page alone needs no word.
    """
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    [apart] = [each for each in contracts["contracts"] if each["type"] == "independence"]
    modules = [view.path.removesuffix(".py").split("/") for view in pages.VIEWS]
    for parts in modules:
        name = ".".join(["app", *(parts[:-1] if len(parts) == 3 else parts)])
        is_held = any(fnmatch(name, listed) for listed in apart["modules"])
        assert is_held or sum(other[0] == parts[0] for other in modules) == 1, name


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


def test_no_module_is_longer_than_one_reads_at_once() -> None:
    to_divide = {CORE / name for name in TO_DIVIDE}
    too_long = {
        path
        for path in code_files()
        if len(path.read_text(encoding="utf-8").splitlines())
        > (MOST_LINES_TO_DIVIDE if path in to_divide else MOST_LINES)
    }
    assert shown(sorted(too_long)) == [], "divide it by what its parts are for"


def test_no_module_of_the_app_imports_itself_by_others() -> None:
    """Imports inside functions count, too: who follows them must not come back."""
    files = APP.rglob("*.py")
    of = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in files}
    left = {name: imported_by(path) & of.keys() for name, path in of.items()}
    while free := {name for name, needs in left.items() if not needs & left.keys()}:
        left = {name: needs for name, needs in left.items() if name not in free}
    assert sorted(left) == []


def test_a_package_says_what_lives_there_and_nothing_else() -> None:
    """Whoever looks for a name finds it where it is defined; importing a package loads nothing."""
    packages = [path for path in code_files() if path.name == "__init__.py"]
    assert all(ast.get_docstring(tree_of(path)) for path in packages)
    with_code = [path for path in packages if len(tree_of(path).body) > 1]
    assert shown(with_code) == ["fnprune_core/__init__.py"]  # the version


def page_folders() -> list[Path]:
    """Return the folders of pages: ``app/<section>/<page>/``."""
    return sorted(path.parent for path in APP.glob("*/*/*_page.py"))


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


# Text of unknown origin

#: What reads Markdown of all its text, its label and its tooltip.
_MARKDOWN = {
    *("markdown", "caption", "title", "header", "subheader", "info", "warning", "error", "success"),
    *("button", "badge", "expander", "popover", "metric", "checkbox", "toggle", "pills", "radio"),
    *("segmented_control", "page_link", "download_button", "progress", "toast", "tabs"),
}
#: What comes from a person, a checkpoint or a file, by the names that it has in our code.
_FOREIGN = {
    *("network_name", "suggested_name", "own_name", "domain", "domain_names", "model_name", "note"),
    *("reason", "failure", "hint", "message", "file_name", "folder", "piece", "pieces"),
    *("condition", "conditions", "contrast", "describe", "alternative"),
}
_CHOICES = {"pills", "segmented_control", "radio"}
_HARMLESS = {"plain", "sentence", "len", "count", "safe", "escape", "sum", "enumerate", "size"}


def name_of(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def foreign_in(node: ast.AST) -> Iterator[str]:
    """Give the names of foreign text in an expression that nothing makes harmless on the way."""
    if isinstance(node, ast.Call) and name_of(node.func) in _HARMLESS:
        return
    if isinstance(node, ast.Compare | ast.Lambda):
        return
    if isinstance(node, ast.IfExp):
        children: list[ast.AST] = [node.body, node.orelse]
    else:
        if isinstance(node, ast.Attribute | ast.Name) and name_of(node) in _FOREIGN:
            yield name_of(node)
        children = list(ast.iter_child_nodes(node))
    for child in children:
        yield from foreign_in(child)


def is_ours(node: ast.Call) -> bool:
    """Whether a call is of our own `frame.error`, which makes its text plain."""
    is_method = isinstance(node.func, ast.Attribute)
    return not is_method or name_of(node.func.value) == "frame"


def shown_texts(path: Path) -> Iterator[tuple[int, ast.AST]]:
    """Give what a file hands to Streamlit to be read as Markdown."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Call) and name_of(node.func) in _MARKDOWN and not is_ours(node):
            for each in (*node.args[:1], *(k.value for k in node.keywords if k.arg == "help")):
                yield node.lineno, each


def test_foreign_text_is_made_plain_where_markdown_is_read() -> None:
    files = [path for path in APP.rglob("*.py") if "streamlit" in imported_by(path)]
    texts = [(path, line, each) for path in files for line, each in shown_texts(path)]
    assert len(texts) > 200
    found = {
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for path, line, each in texts
        for name in foreign_in(each)
    }
    assert sorted(found) == [], "put wording.plain or wording.sentence around it"


def test_choices_that_are_no_constants_say_how_they_are_shown() -> None:
    """Labels of pills and segments are Markdown: a domain's name loaded a picture from a server."""
    found = []
    for path in APP.rglob("*.py"):
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Call) and name_of(node.func) in _CHOICES and node.args[1:]:
                names = {name_of(e) for e in ast.walk(node.args[1]) if isinstance(e, ast.expr)}
                names -= {"", "list", "dict", "tuple"}
                is_constant = all(name.strip("_").isupper() for name in names)
                has_format = any(k.arg == "format_func" for k in node.keywords)
                if not is_constant and not has_format:
                    found.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert sorted(found) == [], "give them format_func=wording.plain"


#: What makes tensors of the type that is the process's default, unless it is told another.
FACTORIES = {
    "arange",
    "empty",
    "eye",
    "full",
    "linspace",
    "ones",
    "rand",
    "randn",
    "tensor",
    "zeros",
}


def test_tensors_are_made_of_a_type_that_is_named() -> None:
    """While a checkpoint is loaded, transformers sets the default type of all threads."""
    unnamed = [
        f"{path.relative_to(ROOT)}:{node.lineno}: {ast.unparse(node)}"
        for path in (*CORE.rglob("*.py"), *APP.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "torch"
        and node.func.attr in FACTORIES
        and not any(keyword.arg == "dtype" for keyword in node.keywords)
    ]
    assert not unnamed
