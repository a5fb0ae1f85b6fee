"""Where a request comes from: machine, host name, and whose page asks."""

from app.doors import answers, here
from app.doors.requests import Request, name_of, netloc
from app.doors.settings import DoorSettings

#: Pictures and files of pages: no link leads there, and pages elsewhere may not show them.
_OWN_PATHS = ("/_fnprune/", "/app/static/", "/media/", "/static/", "/component/")


def refusal(request: Request, door: DoorSettings) -> str:
    """Return the page for who comes by a way that is not the server's, whoever it is."""
    if door.is_private and not request.is_local:
        return answers.from_elsewhere(request.host)
    if not door.knows(request.name):
        return answers.unknown_name(request.host)
    if not is_own_origin(request, door):
        return answers.unknown_name(netloc(request.origin))
    if not request.is_socket and _is_for_another_page(request, door):
        return answers.another_page()
    return ""


def is_own_origin(request: Request, door: DoorSettings) -> bool:
    """Whether a request that can change something comes from a page of this server."""
    if not request.origin or (not request.is_socket and request.method in ("GET", "HEAD")):
        return True
    return _is_own(request, door, request.origin)


def _is_own(request: Request, door: DoorSettings, address: str) -> bool:
    """Whether an address, of an origin or a referrer, is one of this server."""
    origin = netloc(address).lower()
    if origin and origin == request.host.lower():
        return True
    # Behind a proxy that puts its own name into Host, only the origin tells the page's.
    return door.is_told_of(name_of(origin))


def _is_for_another_page(request: Request, door: DoorSettings) -> bool:
    """Whether a page of another server, or another port of this machine, asks for something.

    It may lead people to a page of ours by a link, and no more: pictures cost their drawing.
    A browser that does not say whose page asks names it as the origin or the referrer.
    """
    path = request.path.removeprefix(here.base_path())
    is_of_pages = path.startswith(_OWN_PATHS)
    site = request.headers.get("sec-fetch-site", "")
    if site in ("same-origin", "none"):
        return False
    if not site:
        asking = request.origin or request.headers.get("referer", "")
        return is_of_pages and bool(asking) and not _is_own(request, door, asking)
    is_link = request.headers.get("sec-fetch-mode") == "navigate"
    is_window = request.headers.get("sec-fetch-dest", "document") == "document"
    return is_of_pages or not (is_link and is_window)
