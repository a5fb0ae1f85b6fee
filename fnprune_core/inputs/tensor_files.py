"""Headers of tensor files, as the files' own libraries read them; no tensor is read.

`safetensors` holds every length against the file itself. `gguf` does not, so that a list that is
said to be endless would be followed for ever: its reader is kept within the file here.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGUFReader, GGUFValueType
from safetensors import SafetensorError, safe_open

#: Tensors, and bytes of header, that are read of a safetensors file: each one takes memory.
MOST_TENSORS, MOST_HEADER = 100_000, 20_000_000
#: Single values that are read of a GGUF file; a tokenizer of 262,144 tokens has about 2 million.
MOST_READS = 20_000_000
_ARRAY = int(GGUFValueType.ARRAY)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTensor:
    """Type and shape of a tensor in a file."""

    dtype: str
    shape: tuple[int, ...]


def stored_tensors(path: Path) -> dict[str, StoredTensor]:
    """Return the tensors of a safetensors file by name.

    Raises
    ------
    ValueError
        If the header is damaged or too long, or a tensor lies outside of the file or has another
        size than its shape says.
    OSError
        If the file cannot be read.
    """
    with path.open("rb") as start:
        n_bytes = int.from_bytes(start.read(8), "little")
    if MOST_HEADER < n_bytes < path.stat().st_size:
        raise ValueError(
            f"its header has {n_bytes / 1e6:,.0f} MB; up to {MOST_HEADER / 1e6:.0f} MB are read"
        )
    try:
        with safe_open(path, "np") as file:
            names = file.keys()
            if len(names) > MOST_TENSORS:
                raise ValueError(
                    f"its header names {len(names):,} tensors; up to {MOST_TENSORS:,} are read"
                )
            slices = {name: file.get_slice(name) for name in names}
            return {
                name: StoredTensor(dtype=part.get_dtype(), shape=tuple(part.get_shape()))
                for name, part in slices.items()
            }
    except SafetensorError as error:
        raise ValueError(str(error).removeprefix("Error while deserializing header: ")) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class GGUFHeader:
    """What a GGUF file says of itself: its facts, and the shapes of its tensors, by name."""

    facts: dict[str, Any]
    shapes: dict[str, tuple[int, ...]]


def gguf_header(path: Path) -> GGUFHeader:
    """Return the header of a GGUF file; of facts that are lists, their beginning may be missing.

    Raises
    ------
    ValueError
        If it is no GGUF file, or a length leads out of the file.
    OSError
        If the file cannot be read.
    """
    try:
        reader = _BoundedReader(path)
        facts = {
            name: field.contents()
            for name, field in reader.fields.items()
            if GGUFValueType.ARRAY not in field.types
        }
    except (LookupError, ArithmeticError, RecursionError, TypeError) as error:
        raise ValueError(f"its header makes no sense: {error}") from error
    return GGUFHeader(
        facts=facts,
        shapes={tensor.name: tuple(map(int, tensor.shape)) for tensor in reader.tensors},
    )


class _BoundedReader(GGUFReader):
    """The package's reader, which reads nothing behind the end of the file."""

    _n_reads = 0

    def _get(self, offset: int, dtype: Any, count: int = 1, override_order: Any = None) -> Any:
        self._n_reads += 1
        if int(offset) + np.dtype(dtype).itemsize * int(count) > len(self.data):
            raise ValueError("the file ends before its header, or a tensor, does")
        if self._n_reads > MOST_READS:
            raise ValueError(f"its header holds over {MOST_READS:,} values")
        return super()._get(offset, dtype, count, override_order)

    def _get_field_parts(self, orig_offs: int, raw_type: int) -> Any:
        """Pass over lists of numbers at once."""
        if raw_type == _ARRAY:
            kind = GGUFValueType(self._get(orig_offs, np.uint32)[0])
            length = int(self._get(orig_offs + 4, np.uint64)[0])
            if kind in self.gguf_scalar_to_np:
                values = self._get(orig_offs + 12, self.gguf_scalar_to_np[kind], length)
                return 12 + values.nbytes, [values], [0], [GGUFValueType.ARRAY, kind]
        return super()._get_field_parts(orig_offs, raw_type)
