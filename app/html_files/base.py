"""Shared parts of the pages in one file: type, colours, escaping, and how a file is written."""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from app.figures.markup import visible
from app.figures.pixels import data_uri
from app.figures.theme import PALETTES, Palette, rgb
from fnprune_core import __version__
from fnprune_core.assets import asset
from fnprune_core.errors import SettingsError
from fnprune_core.inputs.files import path_of
from fnprune_core.storage.folders import storage_errors
from fnprune_core.storage.json_files import replacing

_FONTS = (
    ("IBM Plex Sans", 400, "ibm-plex-sans-latin-400-normal"),
    ("IBM Plex Sans", 600, "ibm-plex-sans-latin-600-normal"),
    ("IBM Plex Mono", 400, "ibm-plex-mono-latin-400-normal"),
)


def environment() -> Environment:
    """Return the templates; hidden characters of any text are shown, markup in it is escaped."""
    return Environment(
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_visible_value,
        loader=jinja2.FileSystemLoader(asset("templates")),
        keep_trailing_newline=True,
    )


def page_of(template: str, *, scripts: Sequence[str], **facts: Any) -> str:
    """Return a page with the type, the colours of both modes, its scripts and their hashes."""
    return (
        environment()
        .get_template(template)
        .render(
            version=__version__,
            fonts=fonts(),
            dark=colours(PALETTES["dark"]),
            light=colours(PALETTES["light"]),
            scripts=[Markup(script) for script in scripts],
            script_hashes=Markup(" ".join(map(_hash, scripts))),
            **facts,
        )
    )


def _hash(script: str) -> str:
    """Return the hash by which the content security policy knows a script."""
    digest = hashlib.sha256(script.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def json_of(data: object) -> Markup:
    """Return data as JSON; no text in it can end the script element that it stands in."""
    text = json.dumps(data, separators=(",", ":"))
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))


def _visible_value(value: Any) -> Any:
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def fonts() -> Sequence[Mapping[str, Any]]:
    """Return the page's type, each face as a data URI."""
    return [
        {"family": family, "weight": weight, "uri": _font(name)} for family, weight, name in _FONTS
    ]


def _font(name: str) -> str:
    return data_uri(asset(f"static/fonts/{name}.woff2").read_bytes(), "font/woff2")


def colours(palette: Palette) -> dict[str, str]:
    """Return a mode's colours for CSS; those of data as parts, so that opacity can be set."""
    names = ("canvas", "surface", "text", "quiet", "line", "accent")
    return {
        **{name: getattr(palette, name) for name in names},
        "hot_rgb": " ".join(str(channel) for channel in rgb(palette.hot[1])),
        "cold_rgb": " ".join(str(channel) for channel in rgb(palette.cold[1])),
    }


def check_file(target: Path, example: str) -> Path:
    """Return the path of a page to be written, refusing a folder.

    Raises
    ------
    SettingsError
        If the target is a folder.
    """
    target = path_of(target)
    if target.is_dir():
        raise SettingsError(f"{target} is a folder.", hint=f"Name the file, as in {example}.")
    return target


def write_page(target: Path, page: str) -> Path:
    """Write a page at once, making its folder if it is not there; return its path."""
    with storage_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        with replacing(target) as temporary:
            temporary.write_text(page, encoding="utf-8")
    return target
