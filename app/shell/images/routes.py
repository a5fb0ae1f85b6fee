"""Images by address: anatomy, maps and still pictures, sent once and then known by their tag.

The guard is before them as it is before all else. Imported when the server starts, so what is
heavy is imported by the first request.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from app.doors import early, here
from app.shell.images.asked import ATLAS, BRAIN, Asked, asked_by
from app.shell.images.drawings import BusyError, Drawings

NIFTI, PNG, WEBP = "application/gzip", "image/png", "image/webp"
BYTES = "application/octet-stream"
#: An address names a version, so that what it gives never changes.
_KEPT = "private, max-age=86400, immutable"
_AGAIN_S = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A kind of image.

    Parameters
    ----------
    path, media_type : str
    draw : str
        Its function in `pictures`.
    needed : tuple of str
        What the address must say, as `Asked` names it.
    name : callable, optional
        Returns under which name a picture is kept as a file; empty for one that is not.
    """

    path: str
    media_type: str
    draw: str
    needed: tuple[str, ...] = ()
    name: Callable[[Asked], str] | None = None

    def drawn(self, asked: Asked) -> bytes:
        """Return the picture, once the early imports have ended."""
        early.wait()
        from app.shell.images import kept, pictures

        draw: Callable[[Asked], bytes] = getattr(pictures, self.draw)
        name = self.name(asked) if self.name else ""
        return kept.file(asked.id, name, lambda: draw(asked)) if name else draw(asked)

    def found(self, asked: Asked) -> bytes | None:
        """Return the picture from before, if it was kept."""
        if self.name is None:
            return None
        name = self.name(asked)
        if not name:
            return None
        from app.shell.images import kept

        return kept.stored(asked.id, name)


def _of_example(name: Callable[[Asked], str]) -> Callable[[Asked], str]:
    """Return names for the example's pictures alone: Start shows them."""

    def named(asked: Asked) -> str:
        from app.shell.images import kept

        return name(asked) if kept.is_example(asked.id) else ""

    return named


def _thumbnail_name(asked: Asked) -> str:
    from app.shell.view_state import DEFAULT_Z

    return f"network-{asked.network}.webp" if asked.z == DEFAULT_Z else ""


def _rendering_name(asked: Asked) -> str:
    networks = "-".join(map(str, asked.networks))
    return f"rendering-{networks}-{asked.z:g}-{asked.solid:g}.webp"


PICTURES = (
    Picture(
        path=f"{ATLAS}/anatomy.nii.gz",
        media_type=NIFTI,
        draw="anatomy",
        name=_of_example(lambda asked: "" if asked.grey else "anatomy.nii.gz"),
    ),
    Picture(path=f"{ATLAS}/units.nii.gz", media_type=NIFTI, draw="units"),
    Picture(path=f"{ATLAS}/live.bin", media_type=BYTES, draw="live_body"),
    Picture(
        path=f"{ATLAS}/networks/{{network:int}}.nii.gz",
        media_type=NIFTI,
        draw="network_map",
        name=_of_example(lambda asked: f"network-{asked.network}.nii.gz"),
    ),
    Picture(
        path=f"{ATLAS}/networks/{{network:int}}.png",
        media_type=PNG,
        draw="network_still",
        needed=("z", "limit"),
    ),
    Picture(
        path=f"{ATLAS}/networks/{{network:int}}.webp",
        media_type=WEBP,
        draw="thumbnail",
        needed=("z",),
        name=_thumbnail_name,
    ),
    Picture(
        path=f"{ATLAS}/networks.png",
        media_type=PNG,
        draw="several_still",
        needed=("z", "networks"),
    ),
    Picture(
        path=f"{ATLAS}/networks.webp",
        media_type=WEBP,
        draw="rendering",
        needed=("z", "solid", "networks"),
        name=_of_example(_rendering_name),
    ),
    Picture(path=f"{ATLAS}/parcels/{{fwhm:int}}/{{part}}.nii.gz", media_type=NIFTI, draw="parcels"),
    Picture(path=f"{ATLAS}/parcels.png", media_type=PNG, draw="parcels_still", needed=("z",)),
    Picture(path=f"{ATLAS}/localizers/{{localizer}}.nii.gz", media_type=NIFTI, draw="contrast"),
    Picture(
        path=f"{ATLAS}/localizers/{{localizer}}.png",
        media_type=PNG,
        draw="contrast_still",
        needed=("z", "limit"),
    ),
    Picture(path=f"{BRAIN}/motor.png", media_type=PNG, draw="motor_still", needed=("z", "limit")),
    Picture(path=f"{BRAIN}/anatomy.nii.gz", media_type=NIFTI, draw="brain_anatomy"),
    Picture(path=f"{BRAIN}/motor.nii.gz", media_type=NIFTI, draw="motor"),
)


def routes(drawings: Drawings | None = None) -> list[Route]:
    """Return the routes that Streamlit's `App` takes beside its own."""
    queue = drawings or Drawings()
    return [Route(here.base_path() + picture.path, _sender(picture, queue)) for picture in PICTURES]


def _sender(picture: Picture, queue: Drawings) -> Callable[[Request], Awaitable[Response]]:
    async def send(request: Request) -> Response:
        from fnprune_core.errors import FnpruneError

        try:
            asked = asked_by(request, picture.needed)
        except (KeyError, ValueError) as error:
            reason = f"Not a picture's address: {str(error)[:200]}"
            return PlainTextResponse(reason, status_code=400)
        try:
            body = await run_in_threadpool(picture.found, asked)
            if body is None:
                body = await queue.draw(request, lambda: picture.drawn(asked))
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


def _answer(request: Request, body: bytes, media_type: str) -> Response:
    """Return a file, or that the browser has it already."""
    import xxhash

    tag = f'"{xxhash.xxh3_128_hexdigest(body)}"'
    headers = {"ETag": tag, "Cache-Control": _KEPT}
    known = [each.strip() for each in request.headers.get("if-none-match", "").split(",")]
    if tag in known:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=media_type, headers=headers)
