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


class _Imports:
    """The thread that imports, once it was started."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None

    def begin(self) -> threading.Thread:
        """Start the thread and return it."""

        def run() -> None:
            for name in MODULES:
                try:
                    importlib.import_module(name)
                except Exception:  # noqa: BLE001 - the visit that needs it meets the same, and tells
                    return

        self._thread = threading.Thread(target=run, name="early imports", daemon=True)
        self._thread.start()
        return self._thread

    def wait(self) -> None:
        """Wait until the thread has ended; it does not wait for itself."""
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()


_IMPORTS = _Imports()


def import_early() -> threading.Thread:
    """Start the imports in a thread of their own, which ends with them; return it.

    A module that cannot be imported is told by the page that needs it.
    """
    return _IMPORTS.begin()


def wait() -> None:
    """Wait until the early imports have ended, where they were started.

    Before anything else imports what they do: two threads that import scipy at once may each find
    it half made.
    """
    _IMPORTS.wait()
