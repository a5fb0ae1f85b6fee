"""What may be imported where; import-linter checks the layers, this what really happens."""

import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import fnprune_core

APP = Path(__file__).parents[1] / "app"


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
