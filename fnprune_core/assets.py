"""Where the data that ships lies: texts, stimuli, lesson, recipes, templates, scripts."""

from pathlib import Path


def asset(name: str) -> Path:
    """Return the path of a file or folder of `assets/`, in a checkout as in a wheel."""
    installed = Path(__file__).parent / "assets"
    folder = installed if installed.is_dir() else Path(__file__).parents[1] / "assets"
    return folder / name
