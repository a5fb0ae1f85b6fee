"""Documents: texts with a domain and a name, read from files, folders, `datasets` or built in."""

import io
import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from fnprune_core.errors import TextError
from fnprune_core.texts.builtin import SPLITS, builtin_texts

T = TypeVar("T")

_BUILTIN = "builtin"
# In a folder, files with these endings must be text; others are read only if they are.
_TEXT_SUFFIXES = {
    *(".c", ".cpp", ".css", ".cu", ".h", ".html", ".java", ".js", ".json", ".log", ".md", ".py"),
    *(".rs", ".rst", ".tex", ".ts", ".txt", ".xml", ".yaml", ".yml"),
}


@dataclass(frozen=True, slots=True)
class Document:
    """A text, the domain it stands for and its name, e.g. its file."""

    text: str
    domain: str = "text"
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Columns:
    """The columns of a table that hold text, domain and document."""

    text: str
    domain: str | None
    document: str | None


def read_documents(
    source: str | Path,
    *,
    domain: str | None = None,
    text_column: str = "text",
    domain_column: str | None = None,
    document_column: str | None = None,
    max_documents: int | None = None,
) -> list[Document]:
    """Read the documents of a file, a folder, a `datasets` id or the built-in texts.

    Parameters
    ----------
    source : str or Path
        A .jsonl, .csv or .parquet file: a document per row. Any other file: one document. A
        folder: all its files, the first sub-folder is the domain. ``"builtin"`` or
        ``"builtin:held-out"``: `builtin_documents`. What is none of these is the id of a data
        set, ``name`` or ``name:config:split`` (split "train" by default), read with the
        `datasets` library.
    domain : str, optional
        The domain of all documents; by default the name of the file, folder or data set.
    text_column, domain_column, document_column : str, optional
        Columns of row files. Rows of one document are joined by line breaks, in order.
    max_documents : int, optional
        Keep so many, dealt over the domains in turn (of a `datasets` id: its first rows).

    Returns
    -------
    list of Document
        Without empty ones, in the order of the source (file names sorted).

    Raises
    ------
    TextError
        If the source is missing, is not text, holds no text or lacks a column.
    """
    columns = _Columns(text=text_column, domain=domain_column, document=document_column)
    if isinstance(source, str) and source.partition(":")[0] == _BUILTIN:
        documents = builtin_documents(split=source.partition(":")[2] or SPLITS[0])
    elif isinstance(source, str) and not is_path(source):
        documents = _read_dataset(source, columns, max_documents)
    else:
        documents = _read_path(Path(source).expanduser(), columns, max_documents)
    if domain is not None:
        documents = [Document(d.text, domain, d.name) for d in documents]
    if max_documents is not None:
        by_domain: dict[str, list[Document]] = {}
        for document in documents:
            by_domain.setdefault(document.domain, []).append(document)
        documents = list(islice(round_robin(by_domain.values()), max_documents))
    if not documents:
        raise TextError(f"There is no text in {source}.", hint="Give a source that has some.")
    return documents


def builtin_documents(
    *, split: str = "calibration", domains: Sequence[str] | None = None
) -> list[Document]:
    """Return texts that every installation has, by domain and name.

    The splits ``"calibration"`` and ``"held-out"`` share no document and no run of 50 tokens.
    """
    if split not in SPLITS:
        raise TextError(
            f"The built-in texts have no split {split!r}.", hint=f"Choose from {', '.join(SPLITS)}."
        )
    texts = builtin_texts()[split]
    missing = [name for name in domains or () if name not in texts]
    if missing:
        raise TextError(
            f"The built-in texts have no domain {missing[0]!r} here.",
            hint=f"Choose from {', '.join(texts)}.",
        )
    return [
        Document(text, domain, name)
        for domain in (texts if domains is None else domains)
        for name, text in texts[domain].items()
    ]


def round_robin(iterables: Iterable[Iterable[T]]) -> Iterator[T]:
    """Yield an item of each iterable in turn; one that has ended is passed over."""
    iterators = deque(iter(iterable) for iterable in iterables)
    while iterators:
        iterator = iterators.popleft()
        for item in islice(iterator, 1):
            yield item
            iterators.append(iterator)


def is_path(source: str) -> bool:
    """Whether `source` is a path on this machine, or can be nothing but a path."""
    path = Path(source).expanduser()
    looks_like_path = source.startswith(("/", "./", "../", "~")) or "\\" in source
    return looks_like_path or path.exists() or path.suffix.lower() in _TEXT_SUFFIXES | set(_ROWS)


def _read_path(path: Path, columns: _Columns, max_documents: int | None) -> list[Document]:
    if path.is_file():
        return list(_read_file(path, path.stem, path.name, columns))
    if not path.is_dir():
        raise TextError(
            f"There is no file or folder {path}.", hint="Check the path for a slip of the pen."
        )
    files: dict[str, list[Path]] = {}
    for file in sorted(path.rglob("*")):
        parts = file.relative_to(path).parts
        if file.is_file() and not any(part.startswith((".", "__")) for part in parts):
            files.setdefault(parts[0] if len(parts) > 1 else path.resolve().name, []).append(file)
    documents = []
    for domain, paths in files.items():
        domain_documents = (d for p in paths for d in _read_folder_file(p, domain, path, columns))
        documents += list(islice(domain_documents, max_documents))
    if not documents:
        raise TextError(
            f"The folder {path} holds no texts.",
            hint="Put .txt, .md, .py, .jsonl, .csv or .parquet files in it, UTF-8 encoded.",
        )
    return documents


def _read_folder_file(
    path: Path, domain: str, folder: Path, columns: _Columns
) -> Iterator[Document]:
    suffix = path.suffix.lower()
    if suffix in _TEXT_SUFFIXES or suffix in _ROWS or _is_text(path.read_bytes()):
        yield from _read_file(path, domain, path.relative_to(folder).as_posix(), columns)


def _read_file(path: Path, domain: str, name: str, columns: _Columns) -> Iterator[Document]:
    read_rows = _ROWS.get(path.suffix.lower())
    if read_rows is not None:
        yield from _documents_of(read_rows(path), domain, name, columns)
    elif text := _read_text(path).strip("\n"):
        yield Document(text, domain, name)


def _is_text(content: bytes) -> bool:
    try:
        return "\0" not in content.decode("utf-8")
    except UnicodeDecodeError:
        return False


def _read_text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise TextError(
            f"{path} cannot be read: {error.strerror}.", hint="Check its permissions."
        ) from error
    if not _is_text(content):
        raise TextError(
            f"{path} is not text in UTF-8.", hint="Convert it, or give a plain text file."
        )
    return content.decode("utf-8-sig").replace("\r\n", "\n")


def _read_jsonl(path: Path) -> pd.DataFrame:
    rows = []
    for number, line in enumerate(_read_text(path).split("\n"), start=1):
        if line.strip():
            try:
                row = json.loads(line)
            except ValueError as error:
                raise TextError(
                    f"Line {number} of {path} is not JSON: {error}.",
                    hint='Each line must be one object, e.g. {"text": "…"}.',
                ) from error
            if not isinstance(row, dict):
                raise TextError(
                    f"Line {number} of {path} is no JSON object.",
                    hint='Each line must be one object, e.g. {"text": "…"}.',
                )
            rows.append(row)
    return pd.DataFrame(rows)


def _read_csv(path: Path) -> pd.DataFrame:
    text = io.StringIO(_read_text(path))
    try:
        return pd.read_csv(text, dtype=str, keep_default_na=False)
    except pd.errors.EmptyDataError:
        return pd.DataFrame()
    except ValueError as error:  # its ParserError is one
        raise TextError(
            f"{path} is not a table of comma-separated values: {error}.",
            hint="Quote texts that hold commas or line breaks.",
        ) from error


def _read_parquet(path: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(path)
    except (OSError, ValueError) as error:  # pyarrow's ArrowInvalid is a ValueError
        raise TextError(f"{path} is not a Parquet file: {error}.") from error


_ROWS: dict[str, Callable[[Path], pd.DataFrame]] = {
    ".csv": _read_csv,
    ".jsonl": _read_jsonl,
    ".ndjson": _read_jsonl,
    ".parquet": _read_parquet,
}


def _read_dataset(source: str, columns: _Columns, max_rows: int | None) -> list[Document]:
    try:
        import datasets
    except ImportError as error:
        raise TextError(
            f"{source} is no file or folder here; data sets need the `datasets` library.",
            hint="Check the path, or install it: pip install 'fnprune[datasets]'.",
        ) from error
    name, _, config_and_split = source.partition(":")
    config, _, split = config_and_split.partition(":")
    try:
        rows = datasets.load_dataset(
            name, config or None, split=split or "train", streaming=max_rows is not None
        )
        frame = pd.DataFrame(list(islice(rows, max_rows)))
    except Exception as error:
        raise TextError(
            f"{source} is no file or folder here, and no data set came of it: {error}",
            hint="Check the path; for a data set, name:config:split and the network.",
        ) from error
    return list(_documents_of(frame, name.rpartition("/")[2], name, columns))


def _documents_of(
    frame: pd.DataFrame, domain: str, name: str, columns: _Columns
) -> Iterator[Document]:
    """Yield the documents in the rows of a table; rows without text are passed over."""
    if frame.empty:
        return
    for column in (columns.text, columns.domain, columns.document):
        if column is not None and column not in frame.columns:
            raise TextError(
                f"{name} has no column {column!r}.",
                hint=f"Its columns: {', '.join(map(str, frame.columns))}.",
            )
    texts = frame[columns.text].tolist()
    domains = frame[columns.domain].tolist() if columns.domain else [None] * len(texts)
    names = frame[columns.document].tolist() if columns.document else [None] * len(texts)
    texts_of_documents: dict[tuple[str, str], list[str]] = {}
    for number, (text, row_domain, row_name) in enumerate(
        zip(texts, domains, names, strict=True), 1
    ):
        if isinstance(text, str) and text.strip():
            key = (_label(row_domain, domain), _label(row_name, f"{name}, row {number}"))
            texts_of_documents.setdefault(key, []).append(text)
        elif not isinstance(text, str) and not _is_missing(text):
            raise TextError(
                f"Row {number} of {name} has a {type(text).__name__} in column {columns.text!r}.",
                hint="Name a column that holds text.",
            )
    for (row_domain, row_name), document_texts in texts_of_documents.items():
        yield Document("\n".join(document_texts), row_domain, row_name)


def _label(value: Any, default: str) -> str:
    return default if _is_missing(value) or not str(value) else str(value)


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and value != value)
