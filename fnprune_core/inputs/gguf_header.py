"""The header of a GGUF file: facts and tensors, each length checked against the file's own size.

The readers of the `gguf` package map a file and follow its lengths wherever they lead; a header
that lies is refused here first. Format: ggml's ``docs/gguf.md``, versions 2 and 3.
"""

import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from gguf.constants import GGML_QUANT_SIZES

MOST_FACTS = 4096
MOST_TENSORS = 65_536
MOST_TEXT_BYTES = 16_000_000
MOST_ARRAY = 4_000_000
#: Texts of facts that are kept; longer ones, and arrays, are only passed over.
_MOST_KEPT = 1000
_MOST_NAME = 1000
_MOST_AXES = 4
_MOST_DEPTH = 4
_TEXT, _ARRAY = 8, 9
_NUMBERS = {
    0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d",
}  # fmt: skip
_ALIGNMENT = "general.alignment"
_UNFIT = "the file ends before its header does"


@dataclass(frozen=True, slots=True, kw_only=True)
class GGUFHeader:
    """What a GGUF file says of itself.

    Parameters
    ----------
    facts : dict
        Numbers and short texts by name; of an array, its length.
    shapes : dict of str to tuple of int
        Of the tensors, as the file writes them.
    """

    facts: dict[str, Any]
    shapes: dict[str, tuple[int, ...]]

    @property
    def n_values(self) -> int:
        """Numbers in all tensors."""
        return sum(math.prod(shape) for shape in self.shapes.values())


def read_header(path: Path) -> GGUFHeader:
    """Return the header of a GGUF file; no tensor is read.

    Raises
    ------
    ValueError
        Naming the fact or tensor, if it is no GGUF file of version 2 or 3, or a length leads out
        of the file.
    OSError
        If the file cannot be read.
    """
    with path.open("rb") as file:
        return _Reader(file, path.stat().st_size).header()


class _Reader:
    """A place in a file that never moves beyond its end."""

    def __init__(self, file: BinaryIO, n_bytes: int) -> None:
        self._file, self._n_bytes = file, n_bytes

    def header(self) -> GGUFHeader:
        if self._take(4) != b"GGUF":
            raise ValueError("it does not begin with GGUF")
        version = self._number("I")
        if version not in (2, 3):
            raise ValueError(f"it is of version {version}; versions 2 and 3 are read")
        n_tensors, n_facts = self._number("Q"), self._number("Q")
        if n_tensors > MOST_TENSORS or n_facts > MOST_FACTS:
            raise ValueError(
                f"it says {n_tensors:,} tensors and {n_facts:,} facts; at most {MOST_TENSORS:,} "
                f"and {MOST_FACTS:,} are read"
            )
        facts: dict[str, Any] = {}
        for number in range(n_facts):
            name = self._text(f"the name of fact {number}", most=_MOST_NAME)
            if name in facts:
                raise ValueError(f"the fact {name[:80]!r} stands twice")
            facts[name] = self._value(self._number("I"), name[:80])
        tensors = [self._tensor(number) for number in range(n_tensors)]
        self._check_places(tensors, facts)
        shapes = {name: shape for name, shape, _, _ in tensors}
        if len(shapes) < len(tensors):
            raise ValueError("a tensor stands twice")
        return GGUFHeader(facts=facts, shapes=shapes)

    def _tensor(self, number: int) -> tuple[str, tuple[int, ...], int, int]:
        """Return name, shape, place and bytes of a tensor."""
        name = self._text(f"the name of tensor {number}", most=_MOST_NAME)
        n_axes = self._number("I")
        if not 1 <= n_axes <= _MOST_AXES:
            raise ValueError(f"tensor {name[:80]!r} has {n_axes:,} axes")
        shape = tuple(self._number("Q") for _ in range(n_axes))
        kind, place = self._number("I"), self._number("Q")
        if kind not in GGML_QUANT_SIZES:
            raise ValueError(f"tensor {name[:80]!r} is of the unknown type {kind}")
        block, block_bytes = GGML_QUANT_SIZES[kind]
        if math.prod(shape) % block or not math.prod(shape):
            raise ValueError(f"tensor {name[:80]!r} of shape {shape} is no whole blocks of {block}")
        return name, shape, place, math.prod(shape) // block * block_bytes

    def _check_places(
        self, tensors: list[tuple[str, tuple[int, ...], int, int]], facts: dict[str, Any]
    ) -> None:
        alignment = facts.get(_ALIGNMENT, 32)
        if type(alignment) is not int or not 1 <= alignment <= 1 << 16:
            raise ValueError(f"{_ALIGNMENT} is {alignment!r}")
        start = -(-self._file.tell() // alignment) * alignment
        for name, _, place, n_bytes in tensors:
            if start + place + n_bytes > self._n_bytes:
                raise ValueError(
                    f"tensor {name[:80]!r} ends at byte {start + place + n_bytes:,} of a file of "
                    f"{self._n_bytes:,}"
                )

    def _value(self, kind: int, name: str, depth: int = 0) -> Any:
        if kind in _NUMBERS:
            return self._number(_NUMBERS[kind])
        if kind == _TEXT:
            value = self._text(f"the fact {name!r}", most=MOST_TEXT_BYTES)
            return value if len(value) <= _MOST_KEPT else value[:_MOST_KEPT]
        if kind != _ARRAY or depth >= _MOST_DEPTH:
            raise ValueError(f"the fact {name!r} is of the unknown type {kind}")
        item_kind, length = self._number("I"), self._number("Q")
        if length > MOST_ARRAY:
            raise ValueError(
                f"the fact {name!r} is a list of {length:,}, at most {MOST_ARRAY:,} are read"
            )
        if item_kind in _NUMBERS:
            self._pass_over(length * struct.calcsize(f"<{_NUMBERS[item_kind]}"))
        else:
            for _ in range(length):
                self._value(item_kind, name, depth + 1)
        return length

    def _number(self, kind: str) -> Any:
        return struct.unpack(f"<{kind}", self._take(struct.calcsize(f"<{kind}")))[0]

    def _text(self, what: str, *, most: int) -> str:
        length = self._number("Q")
        if length > most:
            raise ValueError(f"{what} has {length:,} bytes, at most {most:,} are read")
        try:
            return self._take(length).decode("utf-8")
        except UnicodeDecodeError as error:
            raise ValueError(f"{what} is not UTF-8") from error

    def _take(self, n_bytes: int) -> bytes:
        content = self._file.read(n_bytes)
        if len(content) < n_bytes:
            raise ValueError(_UNFIT)
        return content

    def _pass_over(self, n_bytes: int) -> None:
        if n_bytes > self._n_bytes - self._file.tell():
            raise ValueError(_UNFIT)
        self._file.seek(n_bytes, 1)
