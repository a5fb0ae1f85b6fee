"""The live scanner as one HTML file: the viewer, the body and a text inside; no network needed."""

import base64
import hashlib
import json

from markupsafe import Markup

from app.figures.live.frames import place_of
from app.figures.live.scene import LiveScene, alternative, data_of
from app.figures.theme import PALETTES
from app.html_files.base import colours, environment, fonts
from fnprune_core import __version__
from fnprune_core.assets import asset


def live_page(scene: LiveScene, *, title: str, still: str, token: int = 0) -> str:
    """Return a text in the live scanner as one self-contained HTML page, about 4 MB.

    Parameters
    ----------
    still : str
        Data URI of the picture that stands in without WebGL2.
    token : int
        Where it stands at first.
    """
    body = base64.b64encode(scene.body.as_bytes()).decode()
    data = data_of(scene, body=f"data:application/octet-stream;base64,{body}", library="")
    data |= {"still": still, "at": list(place_of(scene)), "token": token, "mode": "dark"}
    data |= {"compact": False, "autoplay": False, "told": False}
    niivue, *parts = (
        asset(name).read_text(encoding="utf-8")
        for name in (
            "static/niivue/niivue.umd.js", "components/niivue_files.js", "components/live.js"
        )
    )  # fmt: skip
    own = "\n".join(parts)
    # The data is no script, so it needs no hash; the last lines start what the component starts.
    start = (
        '\nscanner({parentElement: document.getElementById("live"), setTriggerValue() {}, '
        'data: JSON.parse(document.getElementById("data").textContent)})\n'
    )
    return (
        environment()
        .get_template("live.html.j2")
        .render(
            title=title,
            note=alternative(scene),
            version=__version__,
            fonts=fonts(),
            dark=colours(PALETTES["dark"]),
            light=colours(PALETTES["light"]),
            style=Markup(asset("components/live.css").read_text(encoding="utf-8")),
            data=_json(data),
            niivue=Markup(_unclosed(niivue)),
            own=Markup(own + start),
            script_hashes=Markup(
                " ".join(_hash(script) for script in (_unclosed(niivue), own + start))
            ),
        )
    )


def _unclosed(script: str) -> str:
    """Return a script without what would end the element that it stands in."""
    return script.replace("</script", "<\\/script")


def _hash(script: str) -> str:
    digest = hashlib.sha256(script.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _json(data: object) -> Markup:
    """Return data as JSON; no text in it can end the element that it stands in."""
    text = json.dumps(data, separators=(",", ":"))
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))
