"""Opening the doors: what is said when the server starts, and the refusal to serve unguarded."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

import typer
from streamlit import auth_util, config

from app.doors import crowd, early, guard, here, patience, people, requests
from app.doors.settings import ANY, DoorSettings, is_loopback
from app.doors.uploads import Uploads
from fnprune_core.errors import SettingsError

_EXPIRY_S = 300.0
_WILDCARDS = (here.ANYWHERE, "::")


def check() -> None:
    """Stop the process with a sentence where the settings let nobody in, or anybody."""
    try:
        check_login(here.door())
    except SettingsError as error:
        raise SystemExit(f"fnprune: {error}") from None


@asynccontextmanager
async def announced(_app: object) -> AsyncIterator[dict[str, Any]]:
    """Say at which address the server answers, with its token where one is asked for.

    Meanwhile what pages need is imported.
    """
    crowd.raise_open_files()
    early.import_early()
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    door = here.door()
    for line in lines(door):
        typer.echo(line)
    uploaded = here.uploads()
    expiry = asyncio.create_task(_expire(uploaded))
    try:
        with patience.limited():
            yield {}
    finally:
        expiry.cancel()
        uploaded.close()


async def _expire(uploaded: Uploads) -> None:
    """Delete what visits uploaded, once they have ended."""
    while True:
        await asyncio.sleep(_EXPIRY_S)
        await asyncio.to_thread(uploaded.expire)


def lines(door: DoorSettings) -> list[str]:
    """Return what the start of a server says."""
    texts = ["", *(f"  fnprune: {address}" for address in addresses(door))]
    if not door.is_private:
        texts.append("  Whoever has this link can use this server. Others are asked for its token.")
    return [*texts, ""]


def addresses(door: DoorSettings) -> list[str]:
    """Return the links that open the app: with the token, where one is asked for."""
    port = config.get_option("server.port")
    scheme = "https" if config.get_option("server.sslCertFile") else "http"
    path = here.base_path() or "/"
    query = "" if door.is_private else "?" + urlencode({requests.PARAMETER: door.token})
    names = ["127.0.0.1", socket.gethostname()] if door.address in _WILDCARDS else [door.address]
    # A name that was told belongs to a proxy in front, whose scheme and port only it knows.
    links = [
        f"{scheme}://{f'[{name}]' if ':' in name else name}:{port}{path}{query}" for name in names
    ]
    told = [name for name in door.hosts if name != ANY and not name.startswith("*")]
    return [*links, *(f"https://{name}{path}{query}" for name in told)]


def check_login(door: DoorSettings) -> None:
    """Raise `SettingsError` where a login is set up that cannot let anyone in."""
    if door.is_private or not people.is_configured():
        return
    if not auth_util.is_authlib_installed():
        raise SettingsError(
            "Streamlit's secrets hold [auth], and the library that logs people in is missing.",
            hint="pip install 'streamlit[auth]', or remove the section.",
        )
    if not door.users:
        raise SettingsError(
            "Streamlit's secrets hold [auth], and nobody is named who may enter.",
            hint="Name people with --allow-user (an address, @domain, or * for whoever the "
            "provider lets in), or remove the section.",
        )


def refusal(headers: Mapping[str, str]) -> str:
    """Return why a script must not run for a visit: no guard let it in; empty where it may.

    `streamlit run app/main.py` finds the guarded application by itself. A way of starting that
    runs the script without it may serve this machine alone.
    """
    address = here.address()
    if is_loopback(address) or guard.was_passed(headers):
        return ""
    return (
        f"This server listens on {address} without fnprune's guard, and so without a token. "
        "Start it with `fnprune app` or `streamlit run app/main.py`."
    )
