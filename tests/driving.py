"""A session of the app without a browser: press, wait, read."""

import json
from typing import Any

from streamlit.testing.v1 import AppTest

from app.shell import resources
from app.shell.jobs.job import Job

PATIENCE_S = 120.0
#: The visit of a session without a browser, by which it owns its jobs.
SESSION = "test session id"


def finish(at: AppTest) -> Job:
    """Wait for the newest job and let the page take its result."""
    newest = resources.jobs().jobs()[0]
    job = resources.jobs().wait(newest.id, timeout=PATIENCE_S)
    assert job is not None
    assert not job.is_active
    at.run()
    return job


def press(at: AppTest, label: str) -> AppTest:
    """Press the first button with this label."""
    found = [button for button in at.button if button.label == label]
    assert found, f"no button {label!r} among {[button.label for button in at.button]}"
    return found[0].click().run()


def said(at: AppTest) -> str:
    """Return all that the page says in boxes, without the escapes of Markdown."""
    boxes = (*at.error, *at.warning, *at.info, *at.success)
    return "\n".join(box.value for box in boxes).replace("\\", "")


def view(at: AppTest):
    """Return what the session looks at."""
    return at.session_state["view"]


def drawn(at: AppTest, key: str) -> dict[str, Any]:
    """Return what a component of ours was given to draw."""
    for element in at.get("bidi_component"):
        if element.proto.id.endswith(f"-{key}"):
            data: dict[str, Any] = json.loads(element.proto.json)
            return data
    raise AssertionError(f"no component {key!r} on the page")


def captions(at: AppTest) -> str:
    """Return the captions of a page, a line each, as a person reads them."""
    return "\n".join(each.value for each in at.caption).replace("\\", "")


def alternatives(at: AppTest) -> list[str]:
    """Return what the page's charts say of themselves."""
    return [chart.proto.alt for chart in at.get("plotly_chart")]
