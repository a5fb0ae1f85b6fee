"""Parts of a section of a report: words, tables, places for figures, commands."""

import io
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from fnprune_core.foreign_text import csv_of
from fnprune_core.probability import p_text

#: Every member of the archive has this time: the same report, the same bytes.
_TIME = (1980, 1, 1, 0, 0, 0)
#: Form of a column of p-values or q-values.
P_FORM = "p"
NOTHING = "–"


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """A heading inside a section."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A paragraph. A reference is named in braces by its key: ``{himberg2004}``."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Sentences, one an item; references as in `Text`."""

    items: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """Lines that can be run as they stand."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """The place of a figure, by its name; nothing is shown where nobody draws it."""

    figure: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """A thing that a section lacks, and how it is made.

    Parameters
    ----------
    what : str
        A sentence.
    command : str
        What makes it, on the command line.
    page : str
        Title of the app's page that makes it; may be empty.
    """

    what: str
    command: str
    page: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """Title and number format of a column that is shown.

    Parameters
    ----------
    title : str
    form : str
        As `str.format` takes it; empty for texts and whole numbers, `P_FORM` for p and q.
    """

    title: str
    form: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Table:
    """A table: its numbers in full, and what of them is shown.

    Parameters
    ----------
    name : str
        Of its CSV file, without the ending.
    frame : DataFrame
        What goes into the CSV, unrounded.
    columns : mapping
        Column of `frame` → how it is shown, in order; others are in the CSV alone. Empty: the
        table is in the archive only.
    most : int, optional
        Rows that are shown.
    """

    name: str
    title: str
    frame: pd.DataFrame
    columns: Mapping[str, Column] = field(default_factory=dict)
    most: int | None = None

    def __post_init__(self) -> None:
        missing = [name for name in self.columns if name not in self.frame]
        if missing:
            raise ValueError(f"table {self.name!r} has no column {missing[0]!r}")

    @property
    def n_rows(self) -> int:
        """Number of rows of the CSV."""
        return len(self.frame)

    @property
    def n_hidden(self) -> int:
        """Number of rows that only the CSV has."""
        return 0 if self.most is None else max(self.n_rows - self.most, 0)

    def headings(self) -> list[tuple[str, bool]]:
        """Return the titles that are shown, each with whether its column holds numbers."""
        return [
            (column.title, pd.api.types.is_numeric_dtype(self.frame[name]))
            for name, column in self.columns.items()
        ]

    def rows(self) -> list[list[str]]:
        """Return the cells that are shown."""
        frame = self.frame if self.most is None else self.frame.head(self.most)
        columns = [
            [cell(value, column.form) for value in frame[name]]
            for name, column in self.columns.items()
        ]
        return [list(row) for row in zip(*columns, strict=True)]

    def csv(self) -> str:
        """Return the numbers in full; a text that a spreadsheet would run is made harmless."""
        return csv_of(self.frame)


Block = Heading | Text | Listing | Code | Slot | Missing | Table


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Section:
    """A section: its key in `SECTIONS`, its title, and its blocks in order."""

    key: str
    title: str
    blocks: tuple[Block, ...]

    @property
    def tables(self) -> tuple[Table, ...]:
        """The tables among the blocks."""
        return tuple(block for block in self.blocks if isinstance(block, Table))

    @property
    def missing(self) -> tuple[Missing, ...]:
        """The missing things among the blocks."""
        return tuple(block for block in self.blocks if isinstance(block, Missing))


def cell(value: object, form: str = "") -> str:
    """Return a value as a table shows it: a dash where there is none, true minus, 88 %."""
    if value is None or value != value:
        return NOTHING
    if isinstance(value, str):
        return value
    if form == P_FORM:
        return p_text(float(value))  # type: ignore[arg-type]
    if not form:
        form = "{:,}" if isinstance(value, int) or hasattr(value, "bit_count") else "{}"
    text = form.format(value).replace("%", " %")
    return text.replace("-", "−") if text[:1] == "-" else text


def frame_of(table: Sequence[Mapping[str, object]], columns: Iterable[str] = ()) -> pd.DataFrame:
    """Return rows as a frame, with its columns even where there are no rows."""
    frame = pd.DataFrame(list(table))
    return frame if len(frame) else pd.DataFrame(columns=list(columns))


def zipped_tables(sections: Iterable[Section]) -> bytes:
    """Return every table of the sections as CSV in one archive, with a list of what they are."""
    tables = {table.name: table for section in sections for table in section.tables}
    list_text = "".join(
        f"{name}.csv: {table.title.rstrip('.')} ({table.n_rows:,} rows)\n"
        for name, table in tables.items()
    )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in {
            "README.txt": list_text,
            **{f"{name}.csv": table.csv() for name, table in tables.items()},
        }.items():
            archive.writestr(zipfile.ZipInfo(name, _TIME), text, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()
