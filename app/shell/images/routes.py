"""Images by address: anatomy, maps and still pictures, sent once and then known by their tag.

The guard is before them as it is before all else. Imported when the server starts, so what is
heavy is imported by the first request.
"""

from collections.abc import Awaitable, Callable
from importlib import import_module

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from app.doors import early, here
from app.shell.images.drawings import BusyError, Drawings
from app.shell.images.pictures import PICTURES, Parts, Picture

#: An address names a version, so that what it gives never changes.
_KEPT = "private, max-age=86400, immutable"
_AGAIN_S = 5


def routes(drawings: Drawings | None = None) -> list[Route]:
    """Return the routes that Streamlit's `App` takes beside its own."""
    queue = drawings or Drawings()
    return [Route(here.base_path() + picture.path, _sender(picture, queue)) for picture in PICTURES]


def _sender(picture: Picture, queue: Drawings) -> Callable[[Request], Awaitable[Response]]:
    async def send(request: Request) -> Response:
        from fnprune_core.errors import FnpruneError

        try:
            parts = picture.parts_of(request)
        except (KeyError, ValueError) as error:
            reason = f"Not a picture's address: {str(error)[:200]}"
            return PlainTextResponse(reason, status_code=400)
        try:
            name, body = await run_in_threadpool(_found, picture, parts)
            if body is None:
                body = await queue.draw(request, lambda: _drawn(picture, parts, name))
        except FnpruneError as error:
            return PlainTextResponse(str(error), status_code=404)
        except BusyError:
            return PlainTextResponse(
                "Too many pictures wait to be drawn. Try again in a few seconds.",
                status_code=503,
                headers={"Retry-After": str(_AGAIN_S)},
            )
        return _answer(request, b"" if body is None else body, picture.media_type)

    return send


def _found(picture: Picture, parts: Parts) -> tuple[str, bytes | None]:
    """Return the name under which a picture is kept, and what was kept; little is imported."""
    if name := picture.name(parts):
        from app.shell.images import kept

        if not picture.is_of_example or kept.is_example(parts["id"]):
            return name, kept.stored(parts["id"], name)
    return "", None


def _drawn(picture: Picture, parts: Parts, name: str) -> bytes:
    """Return a picture, drawn; and kept under a name, where it has one."""
    early.wait()
    from app.shell.images import kept

    module, _, function = picture.draw.partition(".")
    draw: Callable[..., bytes] = getattr(import_module(f"app.shell.images.{module}"), function)
    return kept.file(parts["id"], name, lambda: draw(**parts)) if name else draw(**parts)


def _answer(request: Request, body: bytes, media_type: str) -> Response:
    """Return a file, or that the browser has it already."""
    import xxhash

    tag = f'"{xxhash.xxh3_128_hexdigest(body)}"'
    headers = {"ETag": tag, "Cache-Control": _KEPT}
    known = [each.strip() for each in request.headers.get("if-none-match", "").split(",")]
    if tag in known:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=media_type, headers=headers)
