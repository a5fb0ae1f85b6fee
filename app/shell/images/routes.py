"""Images by address: anatomy, maps and still pictures, sent once and then known by their tag.

The guard is before them as it is before all else. Imported when the server starts, so what is
heavy is imported by the first request.
"""

from collections.abc import Callable, Sequence
from functools import wraps
from importlib import metadata
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from streamlit import config

from app.doors import early

_ATLAS, _BRAIN = "/_fnprune/atlases/{id}", "/_fnprune/brain"
NIFTI, PNG, WEBP = "application/gzip", "image/png", "image/webp"
BYTES = "application/octet-stream"
#: An address names a version, so that what it gives never changes.
_KEPT = "private, max-age=86400, immutable"
_HIGHEST_Z = 1000.0
_MOST_BESIDE = 12
_PARTS = ("labels", "strengths")
_POLES = {"": 0, "0": 0, "1": 1, "-1": -1}


def base_path() -> str:
    """Return the path below which the app is served; empty at the root."""
    base = str(config.get_option("server.baseUrlPath") or "").strip("/")
    return f"/{base}" if base else ""


def routes() -> list[Route]:
    """Return the routes that Streamlit's `App` takes beside its own."""
    path, brain = base_path() + _ATLAS, base_path() + _BRAIN
    return [
        Route(f"{path}/anatomy.nii.gz", send_anatomy),
        Route(f"{path}/units.nii.gz", _after_imports(send_units)),
        Route(f"{path}/live.bin", _after_imports(send_live_body)),
        Route(f"{path}/networks/{{network:int}}.nii.gz", send_map),
        Route(f"{path}/networks/{{network:int}}.png", _after_imports(send_network_still)),
        Route(f"{path}/networks/{{network:int}}.webp", send_thumbnail),
        Route(f"{path}/networks.png", _after_imports(send_several_still)),
        Route(f"{path}/networks.webp", send_rendering),
        Route(f"{path}/parcels/{{fwhm:int}}/{{part}}.nii.gz", _after_imports(send_parcels)),
        Route(f"{path}/parcels.png", _after_imports(send_parcels_still)),
        Route(f"{path}/localizers/{{localizer}}.nii.gz", _after_imports(send_contrast)),
        Route(f"{path}/localizers/{{localizer}}.png", _after_imports(send_contrast_still)),
        Route(f"{brain}/motor.png", _after_imports(send_motor_still)),
        Route(f"{brain}/{{part}}.nii.gz", _after_imports(send_brain)),
    ]


def _after_imports(send: Callable[[Request], Response]) -> Callable[[Request], Response]:
    """Return what answers once the early imports have ended: all of it must be drawn."""

    @wraps(send)
    def sent(request: Request) -> Response:
        early.wait()
        return send(request)

    return sent


def atlas_url(id: str, version: str, name: str, **options: object) -> str:
    """Return the address of an image of an atlas, with its ending.

    The browser adds ``&z=`` its threshold to the address of a still picture.
    """
    query = urlencode({"v": version, **options})
    return f"{base_path()}{_ATLAS.format(id=id)}/{name}?{query}"


def anatomy_url(id: str, version: str, **options: object) -> str:
    """Return the address of an atlas's anatomy; ``grey`` names another than typical activity."""
    return atlas_url(id, version, "anatomy.nii.gz", **options)


def units_url(id: str, version: str) -> str:
    """Return the address of the units of an atlas's voxels."""
    return atlas_url(id, version, "units.nii.gz")


def map_url(id: str, network: int, version: str) -> str:
    """Return the address of a network's map."""
    return atlas_url(id, version, f"networks/{network}.nii.gz")


def still_url(id: str, network: int, version: str, **options: object) -> str:
    """Return the address of a still picture of a network."""
    return atlas_url(id, version, f"networks/{network}.png", **options)


def thumbnail_url(id: str, network: int, version: str, *, z: float) -> str:
    """Return the address of a network's small picture at a threshold."""
    return atlas_url(id, version, f"networks/{network}.webp", z=f"{z:g}")


def several_url(id: str, networks: Sequence[int], version: str) -> str:
    """Return the address of a still picture of a few networks."""
    return atlas_url(id, version, "networks.png", networks=".".join(map(str, networks)))


def rendering_url(id: str, networks: Sequence[int], version: str, *, z: float, solid: float) -> str:
    """Return the address of a picture of a few networks as the viewer renders them."""
    numbers = ".".join(map(str, networks))
    return atlas_url(id, version, "networks.webp", networks=numbers, z=f"{z:g}", solid=f"{solid:g}")


def parcels_url(id: str, fwhm: int, part: str, version: str) -> str:
    """Return the address of a part of the parcellation at a smoothing: labels or strengths."""
    return atlas_url(id, version, f"parcels/{fwhm}/{part}.nii.gz")


def contrast_url(id: str, localizer: str, version: str) -> str:
    """Return the address of a localizer's contrast."""
    return atlas_url(id, version, f"localizers/{localizer}.nii.gz")


def brain_url(name: str, **options: object) -> str:
    """Return the address of an image of the real brain, with its ending: anatomy or motor."""
    query = urlencode({"v": metadata.version("nilearn"), **options})
    return f"{base_path()}{_BRAIN}/{name}?{query}"


def library_url() -> str:
    """Return the address of the viewer's script."""
    return f"{base_path()}/app/static/niivue/niivue.umd.js"


def live_body_url(id: str, version: str) -> str:
    """Return the address of an atlas's body for the live scanner."""
    return f"{base_path()}{_ATLAS.format(id=id)}/live.bin?v={version}"


def send_anatomy(request: Request) -> Response:
    """Answer with an atlas's anatomy; that of the example's maps is kept."""
    id, grey = request.path_params["id"], request.query_params.get("grey")

    def drawn() -> bytes:
        from app.shell.images import files

        return files.anatomy_file(id, files.version(id), grey or files.ACTIVITY)

    return _answer(request, drawn if grey else _kept_of_example(id, "anatomy.nii.gz", drawn), NIFTI)


def send_units(request: Request) -> Response:
    """Answer with the unit of each voxel."""
    from app.shell.images import files

    id = request.path_params["id"]
    return _answer(request, lambda: files.units_file(id, files.version(id)), NIFTI)


def send_live_body(request: Request) -> Response:
    """Answer with an atlas's body for the live scanner."""
    from app.shell.images import live
    from app.shell.images.files import version

    id = request.path_params["id"]
    return _answer(request, lambda: live.body_file(id, version(id)), BYTES)


def send_map(request: Request) -> Response:
    """Answer with a network's map; those of the example are kept."""
    id, network = request.path_params["id"], request.path_params["network"]

    def drawn() -> bytes:
        from app.shell.images import files

        return files.map_file(id, network, files.version(id))

    return _answer(request, _kept_of_example(id, f"network-{network}.nii.gz", drawn), NIFTI)


def send_parcels(request: Request) -> Response:
    """Answer with a part of the parcellation."""
    from app.shell.images import files

    id, fwhm, part = (request.path_params[name] for name in ("id", "fwhm", "part"))
    if part not in _PARTS:
        return PlainTextResponse(f"A part of the parcellation is one of {_PARTS}.", 404)
    return _answer(request, lambda: files.parcel_file(id, fwhm, part, files.version(id)), NIFTI)


def send_contrast(request: Request) -> Response:
    """Answer with a localizer's contrast."""
    from app.shell.images import files

    id, localizer = request.path_params["id"], request.path_params["localizer"]
    return _answer(request, lambda: files.contrast_file(id, localizer, files.version(id)), NIFTI)


def send_brain(request: Request) -> Response:
    """Answer with the real brain or the map of its motor task."""
    from app.shell.images import brain

    parts = {"anatomy": brain.anatomy_file, "motor": brain.motor_file}
    part = request.path_params["part"]
    if part not in parts:
        return PlainTextResponse(f"A part of the brain is one of {tuple(parts)}.", 404)
    return _answer(request, parts[part], NIFTI)


def send_network_still(request: Request) -> Response:
    """Answer with a picture of a network's map, where a browser cannot draw it."""
    from app.shell.images import files, stills

    id, network = request.path_params["id"], request.path_params["network"]
    try:
        z, limit = _number(request, "z"), _number(request, "limit")
        pole = _POLES[request.query_params.get("pole", "")]
    except (KeyError, ValueError) as error:
        return _no_picture(error)

    def drawn() -> bytes:
        version, high = files.version(id), max(limit, 1.01 * z)
        return stills.network(id, network, version, z=z, limit=high, pole=pole)

    return _answer(request, drawn, PNG)


def send_thumbnail(request: Request) -> Response:
    """Answer with a small picture of a network's map; those at the usual threshold are kept."""
    id, network = request.path_params["id"], request.path_params["network"]
    try:
        z = _number(request, "z")
    except (KeyError, ValueError) as error:
        return _no_picture(error)

    def drawn() -> bytes:
        from app.shell.images import files, thumbnails

        return thumbnails.thumbnail(id, network, files.version(id), z=z)

    def found() -> bytes:
        from app.shell.images import kept
        from app.shell.view_state import DEFAULT_Z

        if z == DEFAULT_Z:
            return kept.file(id, f"network-{network}.webp", drawn)
        early.wait()
        return drawn()

    return _answer(request, found, WEBP)


def send_several_still(request: Request) -> Response:
    """Answer with a picture of a few networks, each in its own colour."""
    from app.shell.images import files, stills

    id = request.path_params["id"]
    try:
        z, networks = _number(request, "z"), _networks(request)
    except (KeyError, ValueError) as error:
        return _no_picture(error)
    return _answer(request, lambda: stills.several(id, networks, files.version(id), z=z), PNG)


def send_rendering(request: Request) -> Response:
    """Answer with a few networks as the viewer renders them; the example's are kept."""
    id = request.path_params["id"]
    try:
        z, solid, networks = _number(request, "z"), _number(request, "solid"), _networks(request)
    except (KeyError, ValueError) as error:
        return _no_picture(error)

    def drawn() -> bytes:
        from app.shell.images import files, stills

        return stills.rendering(id, networks, files.version(id), z=z, solid=min(solid, 1.0))

    name = f"rendering-{'-'.join(map(str, networks))}-{z:g}-{solid:g}.webp"
    return _answer(request, _kept_of_example(id, name, drawn), WEBP)


def send_parcels_still(request: Request) -> Response:
    """Answer with a picture of the parcellation."""
    from app.shell.images import files, stills

    id = request.path_params["id"]
    try:
        z = _number(request, "z")
    except (KeyError, ValueError) as error:
        return _no_picture(error)
    return _answer(request, lambda: stills.parcels(id, files.version(id), z=z), PNG)


def send_contrast_still(request: Request) -> Response:
    """Answer with a picture of a localizer's contrast."""
    from app.shell.images import files, stills

    id, localizer = request.path_params["id"], request.path_params["localizer"]
    try:
        z, limit = _number(request, "z"), _number(request, "limit")
    except (KeyError, ValueError) as error:
        return _no_picture(error)

    def drawn() -> bytes:
        version, high = files.version(id), max(limit, 1.01 * z)
        return stills.contrast(id, localizer, version, z=z, limit=high)

    return _answer(request, drawn, PNG)


def send_motor_still(request: Request) -> Response:
    """Answer with a picture of the real brain's motor map."""
    from app.shell.images import brain

    try:
        z, limit = _number(request, "z"), _number(request, "limit")
    except (KeyError, ValueError) as error:
        return _no_picture(error)
    return _answer(request, lambda: brain.motor_still(z=z, limit=max(limit, 1.01 * z)), PNG)


def _kept_of_example(id: str, name: str, draw: Callable[[], bytes]) -> Callable[[], bytes]:
    """Return what gives a file, from before where it is the example's and was kept."""

    def found() -> bytes:
        from app.shell.images import kept

        if kept.is_example(id):
            return kept.file(id, name, draw)
        early.wait()
        return draw()

    return found


def _no_picture(error: Exception) -> Response:
    return PlainTextResponse(f"Not a picture's address: {str(error)[:200]}", status_code=400)


def _networks(request: Request) -> tuple[int, ...]:
    networks = tuple(map(int, request.query_params["networks"].split(".")))
    if len(networks) > _MOST_BESIDE or min(networks) < 0:
        raise ValueError(f"{len(networks)} networks, at most {_MOST_BESIDE} are drawn")
    return networks


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
