"""The header of a safetensors file: names, types and shapes, checked against the file's size."""

import math
from dataclasses import dataclass
from pathlib import Path

from fnprune_core.inputs.json_values import items, parse_json, text, whole

MOST_HEADER_BYTES = 64_000_000
#: Bytes of one number of each type; those of half a byte are left to their own readers.
BYTES = {
    "BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1, "F8_E8M0": 1, "I16": 2, "U16": 2,
    "F16": 2, "BF16": 2, "I32": 4, "U32": 4, "F32": 4, "I64": 8, "U64": 8, "F64": 8,
}  # fmt: skip
_MOST_LENGTH = 2**40
_MOST_AXES = 8
_MOST_VALUES = 4_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTensor:
    """Type and shape of a tensor in a file."""

    dtype: str
    shape: tuple[int, ...]

    @property
    def n_values(self) -> int:
        """Numbers in it."""
        return math.prod(self.shape)


def stored_tensors(path: Path) -> dict[str, StoredTensor]:
    """Return the tensors of a safetensors file by name; no tensor is read.

    Raises
    ------
    ValueError
        If the header is cut short, too large or no such header, or a tensor lies outside of the
        file or has another size than its shape says.
    OSError
        If the file cannot be read.
    """
    n_file = path.stat().st_size
    with path.open("rb") as file:
        n_header = int.from_bytes(file.read(8), "little")
        if n_file < 8 or n_header > n_file - 8:
            raise ValueError(f"its header says {n_header:,} bytes, the file has {n_file:,}")
        if n_header > MOST_HEADER_BYTES:
            raise ValueError(
                f"its header has {n_header:,} bytes, at most {MOST_HEADER_BYTES:,} are read"
            )
        header = parse_json(file.read(n_header), most_values=_MOST_VALUES)
    if not isinstance(header, dict):
        raise ValueError("its header is no object")
    n_data = n_file - 8 - n_header
    return {
        name: _tensor(name[:80], facts, n_data)
        for name, facts in header.items()
        if name != "__metadata__"
    }


def _tensor(name: str, facts: object, n_data: int) -> StoredTensor:
    if not isinstance(facts, dict):
        raise ValueError(f"tensor {name!r} is no object")
    missing = {"dtype", "shape", "data_offsets"} - facts.keys()
    if missing:
        raise ValueError(f"tensor {name!r} has no {', '.join(sorted(missing))}")
    tensor = StoredTensor(
        dtype=text(facts["dtype"], what=f"the type of {name!r}", longest=20),
        shape=tuple(
            whole(length, what=f"an axis of {name!r}", high=_MOST_LENGTH)
            for length in items(facts["shape"], what=f"the shape of {name!r}", most=_MOST_AXES)
        ),
    )
    places = items(facts["data_offsets"], what=f"the place of {name!r}", most=2)
    start, end = (whole(place, what=f"the place of {name!r}", high=n_data) for place in places)
    n_bytes = BYTES.get(tensor.dtype)
    if end < start or (n_bytes is not None and end - start != tensor.n_values * n_bytes):
        raise ValueError(
            f"tensor {name!r} of shape {list(tensor.shape)} in {tensor.dtype} has "
            f"{end - start:,} bytes"
        )
    return tensor
