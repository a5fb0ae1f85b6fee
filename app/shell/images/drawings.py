"""Drawings one after another: a picture takes up to seconds of a processor that pages need too."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from starlette.requests import Request

_LOOK_S = 0.25  # between two looks at whether the browser still waits


class BusyError(Exception):
    """So many drawings wait that one more is not taken."""


class Drawings:
    """A thread that draws, and what waits for it.

    Parameters
    ----------
    most : int
        Drawings that may wait. A browser asks for six at once.
    """

    def __init__(self, *, most: int = 256) -> None:
        self._most, self._n_waiting = most, 0
        self._lock = threading.Lock()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="fnprune-drawings")

    async def draw(self, request: Request, content: Callable[[], bytes]) -> bytes | None:
        """Return what `content` draws, in its turn; None once the browser has gone.

        Raises
        ------
        BusyError
            If too many wait.
        """
        with self._lock:
            if self._n_waiting >= self._most:
                raise BusyError
            self._n_waiting += 1
        drawing = self._thread.submit(content)
        drawing.add_done_callback(self._leave)
        drawn = asyncio.wrap_future(drawing)
        while not (await asyncio.wait([drawn], timeout=_LOOK_S))[0]:
            if await request.is_disconnected():
                drawn.cancel()  # the drawing too, where it has not begun
                return None
        return drawn.result()

    def _leave(self, drawing: "Future[bytes]") -> None:
        with self._lock:
            self._n_waiting -= 1
