"""What the Live scanner page is set to, as its link holds it."""

from collections.abc import Iterable
from dataclasses import dataclass

from app.shell.codec import Codec, named, parameter, whole_number
from app.shell.view_fields import MOST_NETWORKS

READ, WRITE, RECORDED = "read", "write", "recorded"
SOURCES = {READ: "A text", WRITE: "Let it write", RECORDED: "A recorded text"}
MOST_SILENCED = 12
_CUT = "cut"


def _write(networks: Iterable[int]) -> str:
    return _CUT + "x".join(str(network) for network in networks)


def _read(text: str) -> tuple[int, ...]:
    if not text.startswith(_CUT):
        raise ValueError(text)
    words = text.removeprefix(_CUT).split("x", MOST_SILENCED)[:MOST_SILENCED]
    return tuple(sorted({whole_number(word, high=MOST_NETWORKS) for word in words}))


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveOptions:
    """Settings of the Live scanner page.

    Parameters
    ----------
    source : str
        One of `SOURCES`; empty for a text where the view has one, else a recorded one.
    silenced : tuple of int
        Networks that are silenced in the body beside.
    """

    source: str = parameter(named({source: source for source in SOURCES}), "")
    silenced: tuple[int, ...] = parameter(Codec(write=_write, read=_read), ())
