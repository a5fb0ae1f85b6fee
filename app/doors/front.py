"""The first page by its name: it stands at the root, and people type its name, too."""

from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.routing import Route

from app.doors import here


def routes() -> list[Route]:
    """Return the route that leads from the first page's name to where it stands."""
    return [Route(f"{here.base_path()}/start", to_root)]


def to_root(request: Request) -> RedirectResponse:
    """Lead to the root, with all that the address asked for."""
    query = request.url.query
    return RedirectResponse(f"{here.base_path()}/" + (f"?{query}" if query else ""))
