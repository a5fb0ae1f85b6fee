"""Documents: texts with a domain and a name, read from files, folders, `datasets` or built in."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from fnprune_core.errors import TextError
from fnprune_core.inputs.files import decoded, path_of, printable, read_bytes, text_fault
from fnprune_core.texts.builtin import SPLITS, builtin_texts
from fnprune_core.texts.rows import (
    MOST_ROWS,
    Columns,
    Row,
    csv_rows,
    json_rows,
    json_table,
    jsonl_rows,
    parquet_rows,
    tsv_rows,
)

T = TypeVar("T")

#: Bounds of a source: what is larger is refused with the way out.
MOST_FILE_BYTES = 250_000_000
MOST_FILES = 100_000
MOST_CHARACTERS = 400_000_000
MOST_DOMAINS = 1000
MOST_LABEL = 500

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
        A .jsonl, .csv, .tsv or .parquet file, or a .json file that is an array or holds an object
        in each line: a document per row. Any other file: one document. A folder: all its files,
        the first sub-folder is the domain. ``"builtin"`` or ``"builtin:held-out"``:
        `builtin_documents`. What is none of these is the id of a data set, ``name`` or
        ``name:config:split`` (split "train" by default), read with the `datasets` library.
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
    columns = Columns(text=text_column, domain=domain_column, document=document_column)
    if isinstance(source, str) and source.partition(":")[0] == _BUILTIN:
        documents = builtin_documents(split=source.partition(":")[2] or SPLITS[0])
    elif isinstance(source, str) and not is_path(source):
        documents = _read_dataset(source, columns, max_documents)
    else:
        documents = _read_path(path_of(source), columns, max_documents)
    _check_source(source, documents)
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


def _check_source(source: str | Path, documents: Sequence[Document]) -> None:
    """Refuse half characters, which no tokenizer bears, and a column of names taken for domains."""
    for document in documents:
        for what, text in (
            ("text", document.text),
            ("name", document.name),
            ("domain", document.domain),
        ):
            try:
                text.encode("utf-8")
            except UnicodeEncodeError as error:
                raise TextError(
                    f"The {what} of {printable(document.name)!r} in {source} holds half a "
                    f"character (U+{ord(text[error.start]):04X}) at place {error.start + 1}.",
                    hint="Save it as UTF-8 again.",
                ) from error
    n_domains = len({document.domain for document in documents})
    if n_domains > MOST_DOMAINS:
        raise TextError(
            f"The texts of {source} are of {n_domains:,} domains, at most {MOST_DOMAINS:,} are "
            "told apart.",
            hint="Name a column of few different values as the domain.",
        )


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
    if source.startswith(("/", "./", "../", "~")) or "\\" in source:
        return True
    path = path_of(source)
    return path.exists() or path.suffix.lower() in _TEXT_SUFFIXES | set(_ROWS)


def _read_path(path: Path, columns: Columns, max_documents: int | None) -> list[Document]:
    if path.is_file():
        name = printable(path.name)
        return list(_read_file(path, printable(path.stem), name, columns))
    if not path.is_dir():
        raise TextError(
            f"There is no file or folder {printable(str(path))}.",
            hint="Check the path for a slip of the pen.",
        )
    documents = []
    for domain, paths in _files_by_domain(path).items():
        domain_documents = (d for p in paths for d in _read_folder_file(p, domain, path, columns))
        documents += list(islice(domain_documents, max_documents))
    if not documents:
        raise TextError(
            f"The folder {path} holds no texts.",
            hint="Put .txt, .md, .py, .jsonl, .csv, .tsv or .parquet files in it, UTF-8 encoded.",
        )
    return documents


def _files_by_domain(folder: Path) -> dict[str, list[Path]]:
    """Return the files of a folder by domain, sorted by name; hidden ones are left out."""
    paths = list(islice(folder.rglob("*"), MOST_FILES + 1))
    if len(paths) > MOST_FILES:
        raise TextError(
            f"The folder {folder} holds over {MOST_FILES:,} files.",
            hint="Give a folder of texts, or join them: a row each in a .jsonl file.",
        )
    files: dict[str, list[Path]] = {}
    for file in sorted(paths):
        parts = file.relative_to(folder).parts
        if file.is_file() and not any(part.startswith((".", "__")) for part in parts):
            domain = parts[0] if len(parts) > 1 else folder.resolve().name
            files.setdefault(printable(domain), []).append(file)
    return files


def _read_folder_file(
    path: Path, domain: str, folder: Path, columns: Columns
) -> Iterator[Document]:
    suffix = path.suffix.lower()
    if suffix in _TEXT_SUFFIXES or suffix in _ROWS or _is_text(path):
        name = printable(path.relative_to(folder).as_posix())
        yield from _read_file(path, domain, name, columns)


def _read_file(path: Path, domain: str, name: str, columns: Columns) -> Iterator[Document]:
    suffix = path.suffix.lower()
    read_rows = _ROWS.get(suffix)
    if suffix == ".json" and json_table(path) is not None:
        read_rows = json_rows
    if read_rows is not None:
        yield from _documents_of(read_rows(path, columns), domain, name, columns)
        return
    text = _read_text(path).strip("\n")
    if text.strip():
        yield Document(text, domain, name)


def _is_text(path: Path) -> bool:
    """Whether a file is text, read by blocks; one that may not be read is told when it is used."""
    try:
        return not text_fault(path)
    except OSError:
        return True


def _read_text(path: Path) -> str:
    content = read_bytes(path, most=MOST_FILE_BYTES, error=TextError)
    return decoded(content, what=str(path), error=TextError).replace("\r\n", "\n")


_ROWS: dict[str, Callable[[Path, Columns], Iterator[Row]]] = {
    ".csv": csv_rows,
    ".jsonl": jsonl_rows,
    ".ndjson": jsonl_rows,
    ".parquet": parquet_rows,
    ".tsv": tsv_rows,
}


def _read_dataset(source: str, columns: Columns, max_rows: int | None) -> list[Document]:
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
        found = datasets.load_dataset(
            name, config or None, split=split or "train", streaming=max_rows is not None
        )
        rows = [dict(row) for row in islice(found, min(max_rows or MOST_ROWS + 1, MOST_ROWS + 1))]
    except Exception as error:
        raise TextError(
            f"{source} is no file or folder here, and no data set came of it: {error}",
            hint="Check the path; for a data set, name:config:split and the network.",
        ) from error
    if len(rows) > MOST_ROWS:
        raise TextError(
            f"{source} has over {MOST_ROWS:,} rows.", hint="Name a part: name:config:train[:1%]."
        )
    if rows:
        columns.check(list(dict.fromkeys(key for row in rows for key in row)), name=name)
    return list(_documents_of(rows, name.rpartition("/")[2], name, columns))


def _documents_of(
    rows: Iterable[Row], domain: str, name: str, columns: Columns
) -> Iterator[Document]:
    """Yield the documents in the rows of a table; rows without text are passed over."""
    texts_of_documents: dict[tuple[str, str], list[str]] = {}
    n_characters = 0
    for number, row in enumerate(rows, 1):
        text = row.get(columns.text)
        row_domain = row.get(columns.domain) if columns.domain else None
        row_name = row.get(columns.document) if columns.document else None
        if isinstance(text, str) and text.strip():
            place = f"row {number} of {name}"
            key = (
                _label(row_domain, domain, what=f"The domain in {place}"),
                _label(row_name, f"{name}, row {number}", what=f"The document's name in {place}"),
            )
            texts_of_documents.setdefault(key, []).append(text)
            n_characters += len(text)
            if n_characters > MOST_CHARACTERS:
                raise TextError(
                    f"The texts up to {place} have over {MOST_CHARACTERS:,} characters.",
                    hint="Give a part of the file.",
                )
        elif not isinstance(text, str) and not _is_missing(text):
            raise TextError(
                f"Row {number} of {name} has a {type(text).__name__} in column {columns.text!r}.",
                hint="Name a column that holds text.",
            )
    for (row_domain, row_name), document_texts in texts_of_documents.items():
        yield Document("\n".join(document_texts), row_domain, row_name)


def _label(value: Any, default: str, *, what: str) -> str:
    """Return the name of a domain or document; `default` where there is none."""
    if _is_missing(value):
        return default
    if isinstance(value, dict | list | set | tuple):
        raise TextError(
            f"{what} is a {type(value).__name__}.", hint="Name a column with one value in each row."
        )
    label = str(value)
    if len(label) > MOST_LABEL:
        raise TextError(
            f"{what} has {len(label):,} characters, at most {MOST_LABEL:,} are read.",
            hint="Name a column of short names.",
        )
    return label or default


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and value != value)
