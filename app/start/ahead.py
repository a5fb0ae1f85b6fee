"""Start drawn ahead of its first visitor: ``python -m app.start.ahead``, after the example.

To import what draws takes seconds. Set-up spends them: a server's first page stands at once.
"""

import asyncio
import json
import logging
import re
from pathlib import Path
from urllib.parse import urlsplit

import typer
from starlette.requests import Request
from starlette.routing import Match
from starlette.types import Message

from app.shell import resources
from app.shell.images import kept
from app.shell.images import routes as image_routes
from fnprune_core.atlas.topography.laid_out import has_cortex
from fnprune_core.errors import FnpruneError
from fnprune_core.example.ids import find_example

MAIN = Path(__file__).parents[1] / "main.py"
#: What Start keeps of the example.
PARTS = ("signature", "tiles", "live")
_ADDRESS = re.compile(r'"((?:/[\w.-]+)*/_fnprune/[^"]+)"')
_LONGEST_S = 120


def draw() -> int:
    """Visit Start as its first visitor would, and ask for its pictures; return how many were asked.

    None if they were drawn before, or there is no example.

    Raises
    ------
    FnpruneError
        If the page could not be drawn; nothing wrong is kept then.
    """
    example = find_example(resources.workspace())
    if example is None or not has_cortex(resources.workspace(), example.decomposition_id):
        return 0
    id = example.decomposition_id
    if all(kept.has_facts(id, part) for part in PARTS):
        return 0
    from streamlit.testing.v1 import AppTest

    AppTest.from_file(MAIN, default_timeout=_LONGEST_S).run()
    missing = [part for part in PARTS if not kept.has_facts(id, part)]
    if missing:
        raise FnpruneError(
            f"Start was visited, and of it {', '.join(missing)} could not be drawn.",
            hint="Open Start in a browser: it says there why.",
        )
    facts = [kept.facts(id, part, dict) for part in PARTS]
    addresses = sorted(set(_ADDRESS.findall(json.dumps(facts))))
    for address in addresses:
        _ask(address)
    return len(addresses)


def _ask(address: str) -> None:
    """Have a picture drawn as a browser has, by its address."""
    url = urlsplit(address)
    scope = {
        "type": "http",
        "method": "GET",
        "path": url.path,
        "query_string": url.query.encode(),
        "headers": [],
    }
    for route in image_routes.routes():
        match, found = route.matches(scope)
        if match is Match.FULL:
            asyncio.run(route.endpoint(Request({**scope, **found}, _never_leaves)))


async def _never_leaves() -> Message:
    """Receive of who waits until the picture is drawn."""
    await asyncio.Event().wait()
    raise AssertionError


if __name__ == "__main__":
    logging.disable(logging.WARNING)  # Streamlit's, that no browser is there
    try:
        n_asked = draw()
    except Exception as error:  # noqa: BLE001 - a server starts without; its first visitor waits
        typer.echo(f"Start is not drawn yet: {error}", err=True)
    else:
        if n_asked:
            typer.echo(f"Start is drawn: {n_asked} pictures.")
