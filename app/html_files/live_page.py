"""The live scanner as one HTML file: the viewer, the body and a text inside; no network needed."""

from markupsafe import Markup

from app.figures.live.frames import place_of
from app.figures.live.scene import LiveScene, alternative, data_of
from app.figures.pixels import data_uri
from app.html_files.base import json_of, page_of
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
    body = data_uri(scene.body.as_bytes(), "application/octet-stream")
    data = data_of(scene, body=body, library="")
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
    scripts = _unclosed(niivue), own + start
    return page_of(
        "live.html.j2",
        scripts=scripts,
        title=title,
        note=alternative(scene),
        style=Markup(asset("components/live.css").read_text(encoding="utf-8")),
        data=json_of(data),
        niivue=Markup(scripts[0]),
        own=Markup(scripts[1]),
    )


def _unclosed(script: str) -> str:
    """Return a script without what would end the element that it stands in."""
    return script.replace("</script", "<\\/script")
