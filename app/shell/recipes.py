"""Python that makes a picture's numbers again, for a person to run."""

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
    literals = {key: repr(value) for key, value in values.items()}
    text = _FILE["preamble"].format(atlas=atlas) + RECIPES[name].format(**literals)
    imports: set[str] = set()
    body: list[str] = []
    for line in text.splitlines():
        if line.startswith(("import ", "from ")):
            imports.add(line)
        elif line or (body and body[-1]):
            body.append(line)
    own_imports = sorted(line for line in imports if line.startswith("from fnprune_core"))
    blocks = (sorted(imports - set(own_imports)), own_imports, body)
    return "\n\n".join("\n".join(block) for block in blocks if block).strip()


def changed_settings(settings: Any) -> dict[str, object]:
    """Return the settings, of a dataclass, that differ from their defaults."""
    defaults = asdict(type(settings)())
    return {k: v for k, v in asdict(settings).items() if v != defaults[k]}
