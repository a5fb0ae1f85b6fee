"""The choice of texts, as plain values that a job can carry, and the folder of uploads."""

import csv
import hashlib
import json
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

from fnprune_core.errors import TextError
from fnprune_core.texts.documents import Document, builtin_documents, is_path, read_documents

ROW_SUFFIXES = (".csv", ".jsonl", ".ndjson", ".parquet")


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

    def documents(self) -> list[Document]:
        """Read the texts; raises `TextError` if there are none or a column is missing."""
        if not self.sources:
            return builtin_documents(split=self.split, domains=self.domains or None)
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

    def to_json(self) -> dict[str, Any]:
        """Return the choice as JSON values."""
        return asdict(self)

    @property
    def needs_network(self) -> bool:
        """Whether a source is the id of a data set, so that reading it may fetch it."""
        return any(not is_path(source) for source in self.sources)


class Uploads:
    """A temporary folder in which uploaded files keep their names; gone with the server."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="fnprune-uploads-")

    def store(self, name: str, content: bytes) -> Path:
        """Return the path of a stored file; equal name and content, same path."""
        safe = Path(name).name.lstrip(".") or "upload.txt"
        digest = hashlib.sha256(content).hexdigest()[:12]
        path = Path(self._folder.name) / digest / safe
        path.parent.mkdir(exist_ok=True)
        if not path.exists():
            path.write_bytes(content)
        return path


def columns_of(path: Path) -> list[str]:
    """Return the columns of a row file; empty for plain text."""
    suffix = path.suffix.lower()
    try:
        if suffix == ".parquet":
            return list(pyarrow.parquet.read_schema(path).names)
        if suffix in ROW_SUFFIXES:
            with path.open(encoding="utf-8-sig", newline="") as file:
                if suffix == ".csv":
                    return next(csv.reader(file), [])
                first_row = json.loads(next((line for line in file if line.strip()), "{}"))
                return list(first_row) if isinstance(first_row, dict) else []
    except (OSError, ValueError, csv.Error, pyarrow.ArrowInvalid) as error:
        raise TextError(
            f"{path.name} could not be read: {str(error).splitlines()[0]}.",
            hint="Is it really what its ending says? Text must be in UTF-8.",
        ) from error
    return []
