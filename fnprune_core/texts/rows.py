"""Rows of tables with a text in each: JSON, CSV, TSV and Parquet, read in bounded memory.

Sizes are checked before anything is decoded, rows are read a few at a time, and of their columns
only those that were asked for.
"""

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from fnprune_core.errors import TextError
from fnprune_core.inputs.files import check_size, decoded, read_bytes
from fnprune_core.inputs.json_values import parse_json
from fnprune_core.inputs.parquet_pages import pages

#: Bounds of one file; what is larger is refused with the way out.
MOST_CSV_BYTES = 250_000_000
MOST_JSONL_BYTES = 2_000_000_000
MOST_LINE_BYTES = 64_000_000
MOST_PARQUET_BYTES = 2_000_000_000
MOST_UNPACKED_BYTES = 1_000_000_000
MOST_PAGE_BYTES = 128_000_000
MOST_ROWS = 2_000_000
MOST_COLUMNS = 1000

_MOST_FOOTER = 16_000_000
_BATCH_BYTES = 64_000_000
_BATCH_ROWS = 1024
_CHUNK_CELLS = 1_000_000
_LIMITS = {
    "thrift_string_size_limit": _MOST_FOOTER,
    "thrift_container_size_limit": 1_000_000,
}
#: Encodings of which pyarrow makes a dictionary; of others it cannot.
_SHARED = {"PLAIN", "RLE", "BIT_PACKED", "PLAIN_DICTIONARY", "RLE_DICTIONARY"}
_EXAMPLE = 'Each line must be one object, e.g. {"text": "…"}.'
_PART = "Give a part of the file."
_SEPARATORS = {",": "commas", "\t": "tabs"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """The columns of a table that hold text, domain and document."""

    text: str
    domain: str | None
    document: str | None

    @property
    def names(self) -> tuple[str, ...]:
        """Those that are asked for, each once."""
        return tuple(dict.fromkeys(filter(None, (self.text, self.domain, self.document))))

    def check(self, present: Sequence[str], *, name: str) -> None:
        """Raise `TextError` if a column that is asked for is missing, or there twice."""
        for column in self.names:
            if column not in present:
                listed = ", ".join(map(str, present[:40]))[:400]
                raise TextError(f"{name} has no column {column!r}.", hint=f"Its columns: {listed}.")
            if present.count(column) > 1:
                raise TextError(
                    f"{name} has the column {column!r} {present.count(column)} times.",
                    hint="Give each column a name of its own.",
                )


Row = dict[str, Any]


def jsonl_rows(path: Path, columns: Columns) -> Iterator[Row]:
    """Yield the rows of JSON lines, each with the columns asked for that it has."""
    yield from _of_columns(path, _objects(path), columns, what="Line")


def json_rows(path: Path, columns: Columns) -> Iterator[Row]:
    """Yield the rows of `json_table`, each with the columns asked for that it has."""
    rows = enumerate(json_table(path) or (), start=1)
    yield from _of_columns(path, rows, columns, what="Item")


def _of_columns(
    path: Path, rows: Iterable[tuple[int, Row]], columns: Columns, *, what: str
) -> Iterator[Row]:
    """Yield of each numbered row the columns asked for; refuse one that has no text column."""
    seen: dict[str, None] = {}
    for number, row in rows:
        if columns.text not in row:
            listed = ", ".join(list(row)[:40])[:400] or "none"
            raise TextError(
                f"{what} {number} of {path.name} has no column {columns.text!r}.",
                hint=f"Its columns: {listed}. Give each object its text under one name.",
            )
        found = {name: row[name] for name in columns.names if name in row}
        seen.update(dict.fromkeys(found))
        if len(seen) < MOST_COLUMNS:
            seen.update(dict.fromkeys(row))
        yield found
    if seen:
        columns.check(list(seen), name=path.name)


def _objects(path: Path) -> Iterator[tuple[int, Row]]:
    """Yield the objects of JSON lines, with the numbers of their lines."""
    check_size(path, most=MOST_JSONL_BYTES, error=TextError)
    for n_rows, (number, line) in enumerate(_lines(path), start=1):
        _check_rows(path, n_rows)
        try:
            row = parse_json(line)
        except ValueError as error:
            raise TextError(
                f"Line {number} of {path} is not JSON: {_lower_first(str(error))}.", hint=_EXAMPLE
            ) from error
        if not isinstance(row, dict):
            raise TextError(f"Line {number} of {path} is no JSON object.", hint=_EXAMPLE)
        yield number, row


def json_table(path: Path) -> list[Row] | None:
    """Return the objects of a JSON array, or of JSON lines that end in ``.json``.

    Texts in an array count as objects with a ``text``. None if the file is neither, so that it is
    a text like any other.

    Raises
    ------
    TextError
        If it begins as an array and is none, or holds something else than objects or texts.
    """
    content = decoded(
        read_bytes(path, most=MOST_CSV_BYTES, error=TextError), what=str(path), error=TextError
    )
    if content.lstrip()[:1] == "{" and len(lines := content.splitlines()) > 1:
        try:
            is_lines = isinstance(parse_json(lines[0]), dict)
        except ValueError:
            is_lines = False
        return [row for _, row in _objects(path)] if is_lines else None
    if content.lstrip()[:1] != "[":
        return None
    try:
        values = parse_json(content)
    except ValueError as error:
        raise TextError(
            f"{path} is not JSON: {_lower_first(str(error))}.",
            hint="A file that begins with [ must be one array of objects or texts.",
        ) from error
    _check_rows(path, len(values))
    rows: list[Row] = []
    for number, value in enumerate(values, start=1):
        if not isinstance(value, dict | str):
            raise TextError(
                f"Item {number} of {path} is no object and no text.",
                hint='Each item must be an object, e.g. {"text": "…"}, or a text.',
            )
        rows.append({"text": value} if isinstance(value, str) else value)
    return rows


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines that are not blank, with their numbers from 1."""
    n_before, number = 0, 0
    with path.open("rb") as file:
        while line := file.readline(MOST_LINE_BYTES + 1):
            number += 1
            if len(line) > MOST_LINE_BYTES:
                raise TextError(
                    f"Line {number} of {path} has over {MOST_LINE_BYTES / 1e6:.0f} MB.",
                    hint="Each line must be one object with one text.",
                )
            if b"\0" in line:
                raise TextError(
                    f"{path} is not text in UTF-8: line {number} holds a zero byte.",
                    hint="Convert it, or give a plain text file.",
                )
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                raise TextError(
                    f"{path} is not text in UTF-8: byte {n_before + error.start}, in line "
                    f"{number}, cannot be read.",
                    hint="Convert it, or give a plain text file.",
                ) from error
            n_before += len(line)
            if text.strip():
                yield number, text.rstrip("\r\n")


def csv_rows(path: Path, columns: Columns, *, separator: str = ",") -> Iterator[Row]:
    """Yield the rows of values with commas, or another `separator`, between them."""
    content = read_bytes(path, most=MOST_CSV_BYTES, error=TextError)
    text = decoded(content, what=str(path), error=TextError).replace("\r\n", "\n")
    del content
    n_columns = _check_head(path, text, separator)
    present: list[str] | None = None
    places: dict[str, int] = {}
    n_rows = 0
    # The heading is read as a row: else pandas takes what has no heading for an index.
    try:
        chunks = pd.read_csv(
            io.StringIO(text),
            header=None,
            sep=separator,
            dtype=str,
            keep_default_na=False,
            chunksize=max(_CHUNK_CELLS // n_columns, 1),
        )
        for chunk in chunks:
            rows = iter(chunk.itertuples(index=False, name=None))
            if present is None:
                present = [str(cell) for cell in next(rows)]
            for row in rows:
                if not places:
                    columns.check(present, name=path.name)
                    places = {name: present.index(name) for name in columns.names}
                n_rows += 1
                _check_rows(path, n_rows)
                yield {name: row[place] for name, place in places.items()}
    except pd.errors.EmptyDataError:
        return
    except TextError:
        raise
    except ValueError as error:  # its ParserError is one
        reason = str(error).strip().removeprefix("Error tokenizing data. C error: ")
        raise TextError(
            f"{path} is not a table of values with {_SEPARATORS[separator]} between: "
            f"{_lower_first(reason)}.",
            hint=f"Quote texts that hold {_SEPARATORS[separator]} or line breaks.",
        ) from error


def tsv_rows(path: Path, columns: Columns) -> Iterator[Row]:
    """Yield the rows of tab-separated values, with the columns asked for."""
    return csv_rows(path, columns, separator="\t")


def _check_head(path: Path, text: str, separator: str) -> int:
    """Return how many columns the heading has, at most; refuse what cannot be one."""
    start = len(text) - len(text.lstrip("\r\n "))
    hint = f"The first line must hold the columns' names, with {_SEPARATORS[separator]} between."
    ends = [end for mark in "\r\n" if (end := text.find(mark, start)) >= 0]
    head = text[start : min(ends, default=len(text))]
    n_columns = head.count(separator) + 1
    if n_columns > MOST_COLUMNS:
        raise TextError(
            f"The first line of {path} names {n_columns:,} columns, at most {MOST_COLUMNS:,} are "
            "read.",
            hint=hint,
        )
    if head.count('"') % 2 and min(ends, default=len(text)) < len(text):
        raise TextError(
            f"The first line of {path} has a quotation mark that is not closed in it.",
            hint=hint,
        )
    return n_columns


def parquet_rows(path: Path, columns: Columns) -> Iterator[Row]:
    """Yield the rows of a Parquet file, with the columns asked for.

    Rows, columns and the pages' own sizes are checked first; texts that are stored once for many
    rows are made once.
    """
    check_size(path, most=MOST_PARQUET_BYTES, error=TextError)
    try:
        _check_footer(path)
        with pq.ParquetFile(path, **_LIMITS) as file:
            reading = _check_pages(path, file, columns) if _has_rows(path, file, columns) else None
        if reading is not None:
            shared = [columns.text] if reading.is_shared else []
            with pq.ParquetFile(path, read_dictionary=shared, **_LIMITS) as file:
                yield from _parquet_rows(path, file, columns, reading.batch_rows)
    except (OSError, ValueError, KeyError, NotImplementedError, pa.ArrowException) as error:
        if isinstance(error, TextError):
            raise
        lines = str(error).splitlines() or [type(error).__name__]
        raise TextError(
            f"{path} is not a Parquet file that can be read: {_lower_first(lines[0][:300])}.",
            hint="Write it again; is it whole?",
        ) from error
    except MemoryError as error:
        raise TextError(f"{path} needs more memory than there is.", hint=_PART) from error


def _check_footer(path: Path) -> None:
    """Refuse a long description of a file; all else of it pyarrow checks."""
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - 8, 0))
        end = file.read(8)
    n_footer = int.from_bytes(end[:4], "little")
    if end[4:] == b"PAR1" and n_footer > _MOST_FOOTER:
        raise ValueError(
            f"its description has {n_footer / 1e6:.0f} MB, at most {_MOST_FOOTER / 1e6:.0f} are "
            "read"
        )


def _has_rows(path: Path, file: pq.ParquetFile, columns: Columns) -> bool:
    """Whether there are rows; refuses too many, and columns that are missing or hold no text."""
    facts = file.metadata
    if not 0 <= facts.num_rows <= MOST_ROWS:
        _check_rows(path, facts.num_rows)
        raise ValueError(f"it says that it has {facts.num_rows} rows")
    if facts.num_rows == 0:
        return False
    if facts.num_columns > MOST_COLUMNS * 10:
        raise ValueError(f"it has {facts.num_columns:,} columns")
    schema = file.schema_arrow
    columns.check(schema.names, name=path.name)
    for name in columns.names:
        kind = schema.field(name).type
        if name == columns.text and not _is_text(kind):
            raise TextError(
                f"Column {name!r} of {path.name} holds {kind}, not text.",
                hint="Name a column that holds text.",
            )
        if pa.types.is_nested(kind):
            raise TextError(
                f"Column {name!r} of {path.name} holds {kind}.",
                hint="Name a column with one value in each row.",
            )
    return True


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_string_view(kind)
        or pa.types.is_null(kind)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """How a file is read: rows at a time, and whether equal texts are made once."""

    batch_rows: int
    is_shared: bool


def _check_pages(path: Path, file: pq.ParquetFile, columns: Columns) -> _Reading:
    """Refuse what is too large when unpacked; return how to read it in bounded memory."""
    facts, n_file = file.metadata, path.stat().st_size
    places = {facts.schema.column(i).path: i for i in range(facts.num_columns)}
    total = largest = 0
    encodings: set[str] = set()
    with path.open("rb") as stream:
        for group in range(facts.num_row_groups):
            for name in columns.names:
                chunk = facts.row_group(group).column(places[name])
                starts = [s for s in (chunk.dictionary_page_offset, chunk.data_page_offset) if s]
                start, length = min(starts, default=-1), chunk.total_compressed_size
                if start < 4 or length < 0 or start + length > n_file:
                    raise ValueError(f"column {name!r} lies outside of the file")
                encodings |= set(chunk.encodings) if name == columns.text else set()
                for page in pages(stream, start, length):
                    total += page.unpacked
                    largest = max(largest, page.unpacked)
                    if page.unpacked > MOST_PAGE_BYTES or total > MOST_UNPACKED_BYTES:
                        raise TextError(
                            f"Column {name!r} of {path} unpacks to over "
                            f"{min(total, MOST_UNPACKED_BYTES) / 1e6:,.0f} MB; at most "
                            f"{MOST_UNPACKED_BYTES / 1e6:,.0f} MB are read, in pages of "
                            f"{MOST_PAGE_BYTES / 1e6:.0f} MB.",
                            hint=_PART,
                        )
    # A text that begins as the one before it may be as long as its page, in every row.
    batch_rows = int(np.clip(_BATCH_BYTES // max(largest, 1), 1, _BATCH_ROWS))
    return _Reading(
        batch_rows=batch_rows if "DELTA_BYTE_ARRAY" in encodings else _BATCH_ROWS,
        is_shared=encodings <= _SHARED,
    )


def _parquet_rows(
    path: Path, file: pq.ParquetFile, columns: Columns, batch_rows: int
) -> Iterator[Row]:
    n_rows = 0
    for batch in file.iter_batches(batch_size=batch_rows, columns=list(columns.names)):
        batch.validate(full=True)
        values = {name: _values(batch.column(name)) for name in columns.names}
        for i in range(batch.num_rows):
            n_rows += 1
            _check_rows(path, n_rows)
            yield {name: column[i] for name, column in values.items()}
    if n_rows != file.metadata.num_rows:
        raise ValueError(f"it says {file.metadata.num_rows:,} rows and holds {n_rows:,}")


def _values(column: pa.Array) -> list[Any]:
    """Return a column's values; equal texts of a dictionary are one object."""
    if isinstance(column, pa.DictionaryArray):
        used, place = np.unique(column.indices.fill_null(-1).to_numpy(), return_inverse=True)
        shared = (
            column.dictionary.take(pa.array(np.maximum(used, 0))).to_pylist()
            if len(column.dictionary)
            else [None] * len(used)
        )
        texts = [None if i < 0 else text for i, text in zip(used, shared, strict=True)]
        return [texts[i] for i in place]
    return list(column.to_pylist())


def _check_rows(path: Path, n_rows: int) -> None:
    if n_rows > MOST_ROWS:
        raise TextError(
            f"{path} has {n_rows:,} rows or more; at most {MOST_ROWS:,} are read.", hint=_PART
        )


def _lower_first(text: str) -> str:
    text = text.rstrip(" .\n")
    return text[:1].lower() + text[1:] if text.partition(" ")[0].istitle() else text
