"""How a picture's numbers are made again: Python that a person can run, for each picture."""

import tomllib
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from fnprune_core.assets import asset

_FILE: Mapping[str, Any] = tomllib.loads(asset("recipes.toml").read_text(encoding="utf-8"))
#: Name of a picture → the lines that follow the preamble; fields in braces come from the page.
RECIPES: Mapping[str, str] = _FILE["recipes"]


def code(name: str, *, atlas: str, **values: object) -> str:
    """Return the Python that makes a picture's numbers again, imports first.

    Parameters
    ----------
    name : str
        A key of `RECIPES`.
    values : object
        What its fields in braces stand for; shown as Python writes them.
    """
    shown = {key: repr(value) for key, value in values.items()}
    text = _FILE["preamble"].format(atlas=atlas) + RECIPES[name].format(**shown)
    imports: set[str] = set()
    rest: list[str] = []
    for line in text.splitlines():
        if line.startswith(("import ", "from ")):
            imports.add(line)
        elif line or (rest and rest[-1]):
            rest.append(line)
    own = sorted(line for line in imports if line.startswith("from fnprune_core"))
    parts = (sorted(imports - set(own)), own, rest)
    return "\n\n".join("\n".join(part) for part in parts if part).strip()


def changed_settings(settings: Any) -> dict[str, object]:
    """Return what of some settings, a dataclass, differs from its defaults."""
    plain = asdict(type(settings)())
    return {k: v for k, v in asdict(settings).items() if v != plain[k]}
