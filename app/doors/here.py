"""Settings of the server that this process is: its environment and Streamlit's address."""

import os
from functools import cache

from streamlit import config

from app.doors.settings import VARIABLES, DoorSettings, read
from app.doors.uploads import Uploads, sweep

ANYWHERE = "0.0.0.0"  # what Streamlit listens on where no address is set


def address() -> str:
    """Return what this server listens on."""
    return str(config.get_option("server.address") or ANYWHERE)


def base_path() -> str:
    """Return the path under which Streamlit serves the app, such as ``/lab``; empty for none."""
    base = str(config.get_option("server.baseUrlPath") or "").strip("/")
    return f"/{base}" if base else ""


def door() -> DoorSettings:
    """Return the settings of this process; a token that was made is the same each time."""
    return _read(address(), tuple((name, os.environ.get(name, "")) for name in VARIABLES))


@cache
def _read(listening: str, variables: tuple[tuple[str, str], ...]) -> DoorSettings:
    return read(listening, dict(variables))


@cache
def uploads() -> Uploads:
    """Return the uploads of this server; what killed servers left behind goes first."""
    sweep()
    return Uploads(limit_bytes=door().limits.upload_bytes)
