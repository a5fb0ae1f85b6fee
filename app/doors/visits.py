"""The cookie that tells one browser's visit from another's: random, and signed by this server."""

import hashlib
import hmac
import secrets
from collections.abc import Mapping

from streamlit import config

from app.doors.settings import DoorSettings

_YEAR_S = 365 * 86_400


def cookie_name() -> str:
    """Return the cookie's name: servers at other ports of one machine have their own."""
    return f"fnprune_visit_{config.get_option('server.port')}"


def issued(door: DoorSettings, visit: str | None = None) -> str:
    """Return the cookie of a visit, by default of a new one."""
    visit = visit or secrets.token_hex(16)
    text = f"fnprune visit {visit}".encode("utf-8", errors="replace")
    return f"{visit}.{hmac.new(door.token.encode(), text, hashlib.sha256).hexdigest()[:32]}"


def id_of(cookies: Mapping[str, str], door: DoorSettings) -> str:
    """Return the id of the visit that the cookies name; empty where this server issued none.

    Other servers of the same machine can set cookies for its name, and so can its visitors: only
    what carries our signature is a visit.
    """
    value = cookies.get(cookie_name())
    if not isinstance(value, str):
        return ""
    visit = value.partition(".")[0]
    is_ours = hmac.compare_digest(value.encode(), issued(door, visit).encode())
    return visit if is_ours else ""


def set_cookie(door: DoorSettings, *, path: str, is_secure: bool) -> str:
    """Return the value of the header that gives a browser its visit."""
    secure = "; Secure" if is_secure else ""
    return (
        f"{cookie_name()}={issued(door)}; Path={path}; Max-Age={_YEAR_S}; "
        f"HttpOnly; SameSite=Lax{secure}"
    )
