"""Early imports: what pages need is read in the background as soon as the server is up.

torch, scikit-learn and transformers take seconds; the first visit would wait for all of them.
"""

import importlib
import threading

#: Between them they import what the first page, the atlas and the lab do.
MODULES = (
    "app.widgets.search.dialog",
    "app.start.signature",
    "app.start.live",
    "app.start.below",
    "app.start.signature_networks",
    "app.start.live_text",
    "app.pruning.lab.networks",
    "app.atlas.networks.body",
)


def import_early() -> threading.Thread:
    """Start the imports in a thread of their own, which ends with them; return it.

    A module that cannot be imported is told by the page that needs it.
    """

    def run() -> None:
        for name in MODULES:
            try:
                importlib.import_module(name)
            except Exception:  # noqa: BLE001 - the visit that needs it meets the same, and tells
                return

    thread = threading.Thread(target=run, name="early imports", daemon=True)
    thread.start()
    return thread
