"""Images by address: anatomy, maps and still pictures, sent once and then known by their tag.

The guard is before them as it is before all else. Imported when the server starts, so what is
heavy is imported by the first request.
"""

from collections.abc import Callable
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from streamlit import config

_PATH = "/_fnprune/atlases/{id}"
NIFTI, PNG, BYTES = "application/gzip", "image/png", "application/octet-stream"
#: An address names a version, so that what it gives never changes.
_KEPT = "private, max-age=86400, immutable"
_HIGHEST_Z = 1000.0


def base_path() -> str:
    """Return the path below which the app is served; empty at the root."""
    base = str(config.get_option("server.baseUrlPath") or "").strip("/")
    return f"/{base}" if base else ""


def routes() -> list[Route]:
    """Return the routes that Streamlit's `App` takes beside its own."""
    path = base_path() + _PATH
    return [
        Route(f"{path}/anatomy.nii.gz", send_anatomy),
        Route(f"{path}/live.bin", send_live_body),
        Route(f"{path}/networks/{{network:int}}.nii.gz", send_map),
        Route(f"{path}/networks/{{network:int}}.png", send_still),
    ]


def anatomy_url(id: str, version: str) -> str:
    """Return the address of an atlas's anatomy."""
    return f"{base_path()}{_PATH.format(id=id)}/anatomy.nii.gz?v={version}"


def map_url(id: str, network: int, version: str) -> str:
    """Return the address of a network's map."""
    return f"{base_path()}{_PATH.format(id=id)}/networks/{network}.nii.gz?v={version}"


def still_url(id: str, network: int, version: str, **options: object) -> str:
    """Return the address of a still picture, to which the browser adds ``&z=`` its threshold."""
    query = urlencode({"v": version, **options})
    return f"{base_path()}{_PATH.format(id=id)}/networks/{network}.png?{query}"


def library_url() -> str:
    """Return the address of the viewer's script."""
    return f"{base_path()}/app/static/niivue/niivue.umd.js"


def live_body_url(id: str, version: str) -> str:
    """Return the address of an atlas's body for the live scanner."""
    return f"{base_path()}{_PATH.format(id=id)}/live.bin?v={version}"


def send_anatomy(request: Request) -> Response:
    """Answer with an atlas's anatomy."""
    from app.shell.images import files as images

    id = request.path_params["id"]
    return _answer(request, lambda: images.anatomy_file(id, images.version(id)), NIFTI)


def send_live_body(request: Request) -> Response:
    """Answer with an atlas's body for the live scanner."""
    from app.shell.images import live
    from app.shell.images.files import version

    id = request.path_params["id"]
    return _answer(request, lambda: live.body_file(id, version(id)), BYTES)


def send_map(request: Request) -> Response:
    """Answer with a network's map."""
    from app.shell.images import files as images

    id, network = request.path_params["id"], request.path_params["network"]
    return _answer(request, lambda: images.map_file(id, network, images.version(id)), NIFTI)


def send_still(request: Request) -> Response:
    """Answer with a picture of a network's map, where a browser cannot draw it."""
    from app.shell.images import files as images

    id, network = request.path_params["id"], request.path_params["network"]
    try:
        z, limit = (_number(request, name) for name in ("z", "limit"))
        pole = {"": 0, "0": 0, "1": 1, "-1": -1}[request.query_params.get("pole", "")]
    except (KeyError, ValueError) as error:
        return PlainTextResponse(f"Not a picture's address: {error}", status_code=400)

    def drawn() -> bytes:
        version = images.version(id)
        return images.still(id, network, version, z=z, limit=max(limit, 1.01 * z), pole=pole)

    return _answer(request, drawn, PNG)


def _number(request: Request, name: str) -> float:
    value = float(request.query_params[name])
    if not 0 < value <= _HIGHEST_Z:
        raise ValueError(f"{name} is {value:g}, a number above 0 was expected")
    return round(value, 2)


def _answer(request: Request, content: Callable[[], bytes], media_type: str) -> Response:
    """Return a file, or that the browser has it already, or that there is none."""
    import xxhash

    from fnprune_core.errors import FnpruneError

    try:
        body = content()
    except FnpruneError as error:
        return PlainTextResponse(str(error), status_code=404)
    tag = f'"{xxhash.xxh3_128_hexdigest(body)}"'
    headers = {"ETag": tag, "Cache-Control": _KEPT}
    known = [each.strip() for each in request.headers.get("if-none-match", "").split(",")]
    if tag in known:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=media_type, headers=headers)
