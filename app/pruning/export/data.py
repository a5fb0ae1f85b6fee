"""Cached data of the Export page: measured speeds, and the folders that it wrote."""

from pathlib import Path

from app.shell import resources
from app.shell.caching import cached
from fnprune_core.export.speed import Speed, open_speed


@cached(max_entries=16)
def speed(id: str) -> Speed:
    """Return a stored measurement of speed."""
    return open_speed(resources.workspace(), id)


def free_folder(plan: str, form: str) -> Path:
    """Return the folder of an export where no other one is named."""
    return resources.workspace().root / "exports" / f"model-{plan}-{form}"


def card(folder: Path) -> str:
    """Return the model card of an export, or what became of it."""
    path = folder / "README.md"
    return path.read_text(encoding="utf-8") if path.is_file() else "It was taken away."
