"""People who logged in by OIDC: Streamlit's own login, read before any session exists."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from streamlit import auth_util
from streamlit.web.server.server_util import AUTH_COOKIE_NAME, get_cookie_secret
from streamlit.web.server.starlette.starlette_app_utils import decode_signed_value

from app.doors.settings import ANY, DoorSettings

_DEFAULT = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Who a signed cookie says was logged in; `mail` is empty where the provider gave none."""

    mail: str
    is_verified: bool

    @property
    def name(self) -> str:
        """Name for a message."""
        return self.mail or "Someone without an address of mail"


def is_configured() -> bool:
    """Whether Streamlit's secrets hold an ``[auth]`` section, and so a login."""
    return bool(auth_util.get_secrets_auth_section())


def providers() -> list[str]:
    """Return the names of the login's providers; ``"default"`` for one without a name."""
    section = auth_util.get_secrets_auth_section()
    if "client_id" in section:
        return [_DEFAULT]
    return [
        name
        for name, value in section.items()
        if isinstance(value, Mapping) and "client_id" in value
    ]


def login_address(base: str, provider: str) -> str:
    """Return the address at which Streamlit begins a provider's login; good for two minutes."""
    return f"{base}/auth/login?provider={auth_util.encode_provider_token(provider)}"


def person_of(cookies: Mapping[str, str]) -> Person | None:
    """Return who the cookies say was logged in; None where no signature of ours says so."""
    secret = get_cookie_secret()
    if not secret:  # Streamlit then signs with nothing, which anyone can
        return None

    def signed(name: str) -> bytes | None:
        value = cookies.get(name)
        if value is None:
            return None
        return decode_signed_value(secret, name, value.encode("latin-1", errors="replace"))

    content = auth_util.get_cookie_with_chunks(signed, AUTH_COOKIE_NAME)
    try:
        facts = json.loads(content) if content else None
    except (ValueError, RecursionError):
        return None
    if not isinstance(facts, dict) or not facts.get("is_logged_in"):
        return None
    if facts.get("origin") != auth_util.get_origin_from_redirect_uri():
        return None
    mail = facts.get("email")
    return Person(
        mail=mail.lower() if isinstance(mail, str) else "",
        # Some providers do not say whether they checked an address; those that say no mean no.
        is_verified=facts.get("email_verified") in (None, True, "true"),
    )


def may_enter(person: Person, settings: DoorSettings) -> bool:
    """Whether a person who logged in is one of those that the server was told to let in."""
    if ANY in settings.users:
        return True
    if not person.mail or not person.is_verified:
        return False
    return any(
        person.mail.endswith(user) if user.startswith("@") else person.mail == user
        for user in settings.users
    )
