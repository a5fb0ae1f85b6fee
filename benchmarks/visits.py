"""A visit to the app over its web socket, without a browser: opens pages, presses, reads the rest.

Speaks what Streamlit's own page speaks: it sends the states of widgets and the cached messages'
hashes, keeps what it was sent by place, and polls the fragments that the server asks it to poll.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit
from urllib.request import HTTPCookieProcessor, build_opener

from google.protobuf.message import Message
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Element_pb2 import Element
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

_WHOLE = (ForwardMsg.FINISHED_SUCCESSFULLY, ForwardMsg.FINISHED_WITH_COMPILE_ERROR)
_PART = ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY
# As Streamlit's page: a cached message is forgotten after runs without it.
_CACHED_RUNS = 2


@dataclass(slots=True)
class Shown:
    """An element of the page, and the fragment that drew it."""

    element: Element
    fragment: str

    @property
    def proto(self) -> Message:
        """The element's own message."""
        kind = self.element.WhichOneof("type")
        message: Message = getattr(self.element, str(kind))
        return message

    @property
    def id(self) -> str:
        """Id of the widget; empty where it is none."""
        return str(getattr(self.proto, "id", ""))


@dataclass(slots=True)
class _Cached:
    message: ForwardMsg
    run: int


@dataclass(eq=False)
class Visit:
    """One open tab.

    Attributes
    ----------
    query : str
        The URL's parameters, as the server set them last.
    page : str
        Path of the page.
    n_bytes : int
        Bytes received.
    """

    socket: ClientConnection
    page: str = ""
    query: str = ""
    n_bytes: int = 0
    n_runs: int = 0
    _hashes: dict[str, str] = field(default_factory=dict)
    _shown: dict[tuple[int, ...], Shown] = field(default_factory=dict)
    _states: dict[str, WidgetState] = field(default_factory=dict)
    _cache: dict[str, _Cached] = field(default_factory=dict)
    _pollers: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _ended: asyncio.Condition = field(default_factory=asyncio.Condition)
    _places: set[tuple[int, ...]] = field(default_factory=set)
    _fragments: tuple[str, ...] = ()
    _n_ended: int = 0
    _closed: str = ""

    # What is on the page

    def elements(self, kind: str = "") -> Iterator[Shown]:
        """Yield what is shown, of a kind."""
        for shown in list(self._shown.values()):
            if not kind or shown.element.WhichOneof("type") == kind:
                yield shown

    def button(self, key: str) -> Shown | None:
        """Return the button whose key ends so, if it is there and can be pressed."""
        for shown in self.elements("button"):
            if shown.id.endswith(key) and not shown.element.button.disabled:
                return shown
        return None

    def stops(self) -> list[str]:
        """Return the ids of the jobs that this page offers to stop."""
        keys = [s.id for s in self.elements("button") if "-stop-" in s.id]
        return [key.rpartition("-stop-")[2].partition("-")[0] for key in keys]

    def parameters(self) -> dict[str, str]:
        """Return the URL's parameters."""
        return {name: values[0] for name, values in parse_qs(self.query).items()}

    def errors(self) -> list[str]:
        """Return what the page says went wrong."""
        boxes = [s.element.alert for s in self.elements("alert")]
        told = [box.body for box in boxes if box.format == box.ERROR]
        return told + [s.element.exception.message for s in self.elements("exception")]

    # What a person does

    async def open(self, page: str, query: str = "") -> float:
        """Go to a page by its path, as by a link of the navigation; return the seconds it took."""
        self.page, self.query = page, query
        self._stop_polling()
        self._states.clear()
        return await self._run(BackMsg())

    async def press(self, shown: Shown) -> float:
        """Press a button; return the seconds until the page had run."""
        return await self.set(shown, trigger_value=True)

    async def set(self, shown: Shown, **value: Any) -> float:
        """Set a widget, as ``bool_value=True``; return the seconds until the page had run."""
        state = WidgetState(id=shown.id, **value)
        message = BackMsg()
        message.rerun_script.fragment_id = shown.fragment
        if "trigger_value" not in value:
            self._states[shown.id] = state
            return await self._run(message)
        return await self._run(message, state)

    async def wait(self, seconds: float) -> None:
        """Look at the page for a while; what the server sends is taken in."""
        if self._closed:
            raise ConnectionError(self._closed)
        await asyncio.sleep(seconds)

    # The wire

    async def _run(self, message: BackMsg, *states: WidgetState) -> float:
        began, before = time.perf_counter(), self._n_ended
        await self._send(message, *states)
        async with self._ended:
            await self._ended.wait_for(lambda: self._n_ended > before or bool(self._closed))
        if self._closed:
            raise ConnectionError(self._closed)
        return time.perf_counter() - began

    async def _send(self, message: BackMsg, *states: WidgetState) -> None:
        client = message.rerun_script
        client.query_string = self.query
        client.page_script_hash = self._hashes.get(self.page, "")
        if not client.page_script_hash:
            client.page_name = self.page
        client.cached_message_hashes.extend(self._cache)
        client.widget_states.widgets.extend([*self._states.values(), *states])
        client.context_info.timezone = "UTC"
        client.context_info.color_scheme = "dark"
        await self.socket.send(message.SerializeToString())

    async def listen(self) -> None:
        """Take in what the server sends, until the visit ends."""
        reason = "The server closed the connection."
        try:
            async for data in self.socket:
                self.n_bytes += len(data)
                message = ForwardMsg()
                message.ParseFromString(data)  # type: ignore[arg-type]
                await self._take(message)
        except ConnectionClosed:
            pass
        except Exception as error:  # noqa: BLE001 - whoever waits must hear of it
            reason = f"A message could not be taken: {error!r}."
        async with self._ended:
            self._closed = reason
            self._ended.notify_all()

    async def _take(self, message: ForwardMsg) -> None:
        message = self._whole(message)
        kind = message.WhichOneof("type")
        if kind == "new_session":
            self._begin(message)
        elif kind == "delta":
            self._draw(message)
        elif kind == "page_info_changed":
            self.query = message.page_info_changed.query_string
        elif kind == "navigation":
            for page in message.navigation.app_pages:
                self._hashes["" if page.is_default else page.url_pathname] = page.page_script_hash
        elif kind == "auto_rerun":
            self._poll(message.auto_rerun.fragment_id, message.auto_rerun.interval)
        elif kind == "script_finished":
            await self._finish(message.script_finished)

    def _whole(self, message: ForwardMsg) -> ForwardMsg:
        """Return a message, or the cached one that it refers to, in its place."""
        if message.WhichOneof("type") != "ref_hash":
            if message.metadata.cacheable:
                self._cache[message.hash] = _Cached(message, self.n_runs)
            return message
        known = self._cache[message.ref_hash]
        known.run = self.n_runs
        whole = ForwardMsg()
        whole.CopyFrom(known.message)
        whole.metadata.delta_path[:] = list(message.metadata.delta_path)
        return whole

    def _begin(self, message: ForwardMsg) -> None:
        self._fragments = tuple(message.metadata.run.fragment_ids)
        self._places = set()
        hashes = {v: k for k, v in self._hashes.items()}
        self.page = hashes.get(message.new_session.page_script_hash, self.page)
        if not self._fragments:
            self._stop_polling()

    def _draw(self, message: ForwardMsg) -> None:
        place = tuple(message.metadata.delta_path)
        if message.delta.WhichOneof("type") == "new_element":
            self._shown[place] = Shown(message.delta.new_element, message.delta.fragment_id)
            self._places.add(place)

    async def _finish(self, status: "ForwardMsg.ScriptFinishedStatus.ValueType") -> None:
        if status in _WHOLE:  # what this run did not draw is gone
            self._shown = {k: v for k, v in self._shown.items() if k in self._places}
            self.n_runs += 1
            oldest = self.n_runs - _CACHED_RUNS
            self._cache = {k: v for k, v in self._cache.items() if v.run >= oldest}
        elif status == _PART:
            self._shown = {
                place: shown
                for place, shown in self._shown.items()
                if place in self._places or shown.fragment not in self._fragments
            }
        else:  # another run follows at once
            return
        async with self._ended:
            self._n_ended += 1
            self._ended.notify_all()

    # Fragments that are polled

    def _poll(self, fragment: str, interval: float) -> None:
        async def poll() -> None:
            with contextlib.suppress(ConnectionClosed):
                while True:
                    await asyncio.sleep(interval)
                    message = BackMsg()
                    message.rerun_script.fragment_id = fragment
                    message.rerun_script.is_auto_rerun = True
                    await self._send(message)

        if fragment not in self._pollers:
            self._pollers[fragment] = asyncio.get_running_loop().create_task(poll())

    def _stop_polling(self) -> None:
        for task in self._pollers.values():
            task.cancel()
        self._pollers.clear()


def cookies_of(url: str, *, token: str = "") -> dict[str, str]:
    """Return the cookies with which the server greets a stranger who has a token."""
    jar = HTTPCookieProcessor()
    with build_opener(jar).open(f"{url}/?fnprune_token={token}" if token else url, timeout=30):
        pass
    return {cookie.name: cookie.value or "" for cookie in jar.cookiejar}


@asynccontextmanager
async def visiting(url: str, *, cookies: dict[str, str]) -> AsyncIterator[Visit]:
    """Open a tab; the server knows the visit by its cookies."""
    place = urlsplit(url)
    header = "; ".join(f"{name}={value}" for name, value in cookies.items())
    xsrf = cookies.get("_streamlit_xsrf", "PLACEHOLDER")
    socket = await connect(
        f"ws://{place.netloc}/_stcore/stream",
        origin=f"{place.scheme}://{place.netloc}",  # type: ignore[arg-type]
        subprotocols=["streamlit", xsrf],  # type: ignore[list-item]
        additional_headers={"Cookie": header},
        max_size=None,
        ping_interval=None,
    )
    visit = Visit(socket)
    listener = asyncio.create_task(visit.listen())
    try:
        yield visit
    finally:
        visit._stop_polling()
        await socket.close()
        await listener


def component_data(shown: Shown) -> Any:
    """Return what a component of our own was given to draw."""
    return json.loads(shown.element.bidi_component.json)
