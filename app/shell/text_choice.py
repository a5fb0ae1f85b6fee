"""The choice of texts, as plain values that a job can carry."""

import csv
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

from app.doors.reach import Reach
from fnprune_core.errors import FnpruneError, TextError
from fnprune_core.inputs.json_values import parse_json
from fnprune_core.texts.documents import Document, builtin_documents, is_path, read_documents
from fnprune_core.texts.rows import json_table

ROW_SUFFIXES = (".csv", ".json", ".jsonl", ".ndjson", ".parquet", ".tsv")


@dataclass(frozen=True, slots=True, kw_only=True)
class TextChoice:
    """Texts by name: built-in domains, or files, folders and `datasets` ids.

    Parameters
    ----------
    split : str
        Of the built-in texts; used where `sources` is empty.
    domains : tuple of str
        Of the built-in texts; empty for all.
    sources : tuple of str
        Paths or ids; each is read by `read_documents`.
    text_column, domain_column, document_column : str
        Columns of row files; the last two may be empty.
    max_documents : int or None
        Of each source.
    """

    split: str = "calibration"
    domains: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    text_column: str = "text"
    domain_column: str = ""
    document_column: str = ""
    max_documents: int | None = None

    def documents(self, reach: Reach) -> list[Document]:
        """Read the texts, where they may be read.

        Raises
        ------
        TextError
            If there are none, they are too long or a column is missing.
        PathRefusedError
            If a path leads out of `reach`.
        """
        if not self.sources:
            return builtin_documents(split=self.split, domains=self.domains or None)
        self.check(reach)
        try:
            return [
                document
                for source in self.sources
                for document in read_documents(
                    source,
                    text_column=self.text_column,
                    domain_column=self.domain_column or None,
                    document_column=self.document_column or None,
                    max_documents=self.max_documents,
                )
            ]
        except FnpruneError as error:
            raise reach.unnamed(error) from error.__cause__

    def check(self, reach: Reach) -> None:
        """Raise an error where a source is a path that may not be read, before it is touched."""
        for source in self.sources:
            if source.startswith("~") or ".." in Path(source).parts or is_path(source):
                reach.texts_to_read(source)

    def to_json(self) -> dict[str, Any]:
        """Return the choice as JSON values."""
        return asdict(self)

    @property
    def needs_network(self) -> bool:
        """Whether a source is the id of a data set, so that reading it may fetch it."""
        return any(not is_path(source) for source in self.sources)


def columns_of(path: Path) -> list[str]:
    """Return the columns of a row file; empty for plain text."""
    suffix = path.suffix.lower()
    try:
        if suffix == ".parquet":
            return list(pyarrow.parquet.read_schema(path).names)
        if suffix == ".json":
            return list(dict.fromkeys(name for row in json_table(path) or () for name in row))
        if suffix in ROW_SUFFIXES:
            with path.open(encoding="utf-8-sig", newline="") as file:
                if suffix in (".csv", ".tsv"):
                    return next(csv.reader(file, delimiter="\t" if suffix == ".tsv" else ","), [])
                first_row = parse_json(next((line for line in file if line.strip()), "{}"))
                return list(first_row) if isinstance(first_row, dict) else []
    except (OSError, ValueError, csv.Error, pyarrow.ArrowInvalid) as error:
        raise TextError(
            f"{path.name} could not be read: {str(error).splitlines()[0]}.",
            hint="Is it really what its ending says? Text must be in UTF-8.",
        ) from error
    return []
