"""Settings of who may enter and of what they may use. No streamlit here."""

import ipaddress
import os
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fnprune_core.errors import SettingsError
from fnprune_core.inputs.files import path_of

LEAST_TOKEN = 12
ANY = "*"
_LOOPBACK_NAMES = ("localhost", "localhost.localdomain", "ip6-localhost")

TOKEN = "FNPRUNE_TOKEN"
HOSTS = "FNPRUNE_ALLOW_HOST"
ROOTS = "FNPRUNE_ALLOW_ROOT"
USERS = "FNPRUNE_ALLOW_USER"
PROXY = "FNPRUNE_TRUST_PROXY"
MAX_TEXT = "FNPRUNE_MAX_TEXT_CHARS"
MAX_READ = "FNPRUNE_MAX_READ_MB"
MAX_UPLOADS = "FNPRUNE_MAX_UPLOADS_MB"
VARIABLES = (TOKEN, HOSTS, ROOTS, USERS, PROXY, MAX_TEXT, MAX_READ, MAX_UPLOADS)
_YES, _NO = ("1", "true", "yes", "on"), ("", "0", "false", "no", "off")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one server gives away at most.

    Parameters
    ----------
    text_chars : int
        Characters of a text that is typed.
    read_bytes : int
        Of the files of one choice of texts.
    upload_bytes : int
        Of all uploaded files that are kept; one file is bounded by ``server.maxUploadSize``.

    Notes
    -----
    The workspace's own limit is the core's, `storage.workspace_limit`.
    """

    text_chars: int = 50_000
    read_bytes: int = 500_000_000
    upload_bytes: int = 2_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorSettings:
    """Settings of the server's doors.

    Parameters
    ----------
    address : str
        What the server listens on.
    token : str
        What a stranger must bring.
    hosts : tuple of str
        Further names by which people reach the server; `ANY` for all.
    users : tuple of str
        Addresses of mail, ``@domain`` or `ANY`: who may enter by OIDC.
    roots : tuple of Path
        Folders that a browser may name, beside the workspace and the data folder.
    trusts_proxy : bool
        Whether ``X-Forwarded-Proto`` is believed.
    """

    address: str
    token: str
    hosts: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    roots: tuple[Path, ...] = ()
    trusts_proxy: bool = False
    limits: Limits = Limits()

    @property
    def is_private(self) -> bool:
        """Whether only this machine's own person comes: loopback, and no other name."""
        return is_loopback(self.address) and not self.hosts

    def knows(self, name: str) -> bool:
        """Whether people may reach the server by this name.

        Names of this machine; where a token is asked for, addresses too, for only a name can be
        pointed at another machine's server.
        """
        if is_loopback(name):
            return True
        if self.is_private:
            return False
        machine = socket.gethostname().lower()
        if name in (machine, f"{machine}.local", self.address.lower()) or _is_address(name):
            return True
        return ANY in self.hosts or self.is_told_of(name)

    def is_told_of(self, name: str) -> bool:
        """Whether a name is one of those that the server was told of, each or by its domain."""
        return any(_matches(name, allowed) for allowed in self.hosts)


def is_loopback(name: str) -> bool:
    """Whether a host name or address means this machine alone."""
    name = name.lower().rstrip(".").strip("[]")
    try:
        address = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return name in _LOOPBACK_NAMES
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def _matches(name: str, allowed: str) -> bool:
    is_below = allowed.startswith("*.") and name.endswith(allowed[1:])
    return bool(name) and (is_below or name == allowed)


def read(address: str, variables: Mapping[str, str]) -> DoorSettings:
    """Return the settings of an address and of environment variables.

    Raises
    ------
    SettingsError
        If a token is too short to keep anyone out, a root is no folder or a number no number.
    """
    token = variables.get(TOKEN, "").strip()
    if token and len(token) < LEAST_TOKEN:
        raise SettingsError(
            f"{TOKEN} has {len(token)} characters, expected at least {LEAST_TOKEN}: a shorter one "
            "can be guessed.",
            hint=f'Try: {TOKEN}="$(openssl rand -hex 24)", or leave it unset and one is made.',
        )
    if not token.isascii() or any(c.isspace() for c in token):
        raise SettingsError(
            f"{TOKEN} holds white space or letters beyond ASCII, which no header can carry.",
            hint="Use letters, digits, - and _.",
        )
    limits = Limits(
        text_chars=int(_number(variables, MAX_TEXT, Limits().text_chars)),
        read_bytes=int(_number(variables, MAX_READ, Limits().read_bytes / 1e6) * 1e6),
        upload_bytes=int(_number(variables, MAX_UPLOADS, Limits().upload_bytes / 1e6) * 1e6),
    )
    return DoorSettings(
        address=address,
        token=token or secrets.token_urlsafe(32),
        hosts=tuple(_host(name) for name in _listed(variables.get(HOSTS, ""))),
        users=tuple(name.lower() for name in _listed(variables.get(USERS, ""))),
        roots=tuple(_root(text) for text in variables.get(ROOTS, "").split(os.pathsep) if text),
        trusts_proxy=_is_yes(variables, PROXY),
        limits=limits,
    )


def _listed(text: str) -> list[str]:
    return [part for part in text.replace(",", " ").split() if part]


def _host(name: str) -> str:
    """Return a host name as `DoorSettings.knows` compares it: no scheme, port or last dot."""
    name = name.lower().rpartition("://")[2].partition("/")[0]
    if name.startswith("["):
        return name.partition("]")[0].strip("[")
    return (name.partition(":")[0] if name.count(":") == 1 else name).rstrip(".")


def _root(text: str) -> Path:
    path = path_of(text).resolve()
    if not path.is_dir():
        raise SettingsError(
            f"{ROOTS} names {text}, which is no folder.",
            hint=f"Name folders that are there, with {os.pathsep!r} between them.",
        )
    return path


def _number(variables: Mapping[str, str], name: str, default: float) -> float:
    text = variables.get(name, "").strip()
    if not text:
        return default
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < 1e15:
        raise SettingsError(f"{name} is {text!r}, expected a number from 0.", hint="Try 1000.")
    return number


def _is_yes(variables: Mapping[str, str], name: str) -> bool:
    text = variables.get(name, "").strip().lower()
    if text not in (*_YES, *_NO):
        raise SettingsError(f"{name} is {text!r}, expected 1 or 0.", hint="Leave it unset for 0.")
    return text in _YES
