"""Sizes of a Parquet file's pages, read from their headers before any page is unpacked.

A footer says how large a column is when unpacked, and may lie; a page cannot be larger than its
own header says. The headers are Thrift's compact protocol, of which only skipping and two numbers
are needed (parquet-format, `PageHeader`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

_UNPACKED, _PACKED = 2, 3  # fields of PageHeader
_STOP, _TRUE, _FALSE, _BINARY, _STRUCT = 0, 1, 2, 8, 12
_SIZES = {3: 1, 7: 8}  # of a byte and of a double
_WHOLE, _LISTS = (4, 5, 6), (9, 10)
_MOST_DEPTH = 16
_MOST_HEADER = 1 << 16
_MOST_PAGES = 200_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Bytes of a page in the file and when it is unpacked."""

    packed: int
    unpacked: int


def pages(file: BinaryIO, start: int, n_bytes: int) -> Iterator[Page]:
    """Yield the pages of one column's chunk, which begins at `start` and has `n_bytes`.

    Raises
    ------
    ValueError
        If a header makes no sense or leads out of the chunk.
    """
    place, end = start, start + n_bytes
    for _ in range(_MOST_PAGES):
        if place >= end:
            return
        file.seek(place)
        head = file.read(min(_MOST_HEADER, end - place))
        reader = _Reader(head)
        numbers = reader.numbers_of_struct()
        page = Page(packed=numbers.get(_PACKED, -1), unpacked=numbers.get(_UNPACKED, -1))
        place += reader.place + page.packed
        if page.packed < 0 or page.unpacked < 0 or place > end:
            raise ValueError(f"the page at byte {place:,} has sizes that make no sense")
        yield page
    raise ValueError(f"a column has more than {_MOST_PAGES:,} pages")


class _Reader:
    """A place in a header's bytes."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.place = 0

    def numbers_of_struct(self, depth: int = 0) -> dict[int, int]:
        """Read a struct; return its whole numbers by field, the rest is passed over."""
        if depth > _MOST_DEPTH:
            raise ValueError("the header of a page is nested too deeply")
        numbers: dict[int, int] = {}
        field = 0
        while True:
            head = self._byte()
            kind = head & 15
            if kind == _STOP:
                return numbers
            field = field + (head >> 4) if head >> 4 else self._zigzag()
            if kind in _WHOLE:
                numbers[field] = self._zigzag()
            else:
                self._pass_over(kind, depth, is_field=True)

    def _pass_over(self, kind: int, depth: int, *, is_field: bool = False) -> None:
        if kind in (_TRUE, _FALSE):
            self._skip(0 if is_field else 1)
        elif kind in _SIZES:
            self._skip(_SIZES[kind])
        elif kind in _WHOLE:
            self._varint()
        elif kind == _BINARY:
            self._skip(self._varint())
        elif kind in _LISTS:
            self._pass_over_list(depth)
        elif kind == _STRUCT:
            self.numbers_of_struct(depth + 1)
        else:  # also maps: no header of a page has one
            raise ValueError(f"the header of a page holds the unknown type {kind}")

    def _pass_over_list(self, depth: int) -> None:
        head = self._byte()
        length = head >> 4 if head >> 4 < 15 else self._varint()
        if length > len(self._content) - self.place:
            raise ValueError("the header of a page is cut short")
        for _ in range(length):
            self._pass_over(head & 15, depth + 1)

    def _skip(self, n_bytes: int) -> None:
        self.place += n_bytes
        if self.place > len(self._content):
            raise ValueError("the header of a page is cut short")

    def _byte(self) -> int:
        self._skip(1)
        return self._content[self.place - 1]

    def _varint(self) -> int:
        value = 0
        for shift in range(0, 70, 7):
            byte = self._byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
        raise ValueError("the header of a page holds a number that never ends")

    def _zigzag(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)
