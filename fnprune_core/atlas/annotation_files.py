"""Names, notes and tags of networks as files: JSON and CSV, bounded and checked."""

import csv
import io
import json
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from fnprune_core.decomposition.fingerprint import KEY, MapsFingerprint, mark_text, network_number
from fnprune_core.errors import CorruptArtifactError, TextError
from fnprune_core.foreign_text import shielded, unshielded
from fnprune_core.inputs.files import decoded
from fnprune_core.inputs.json_values import parse_json
from fnprune_core.inputs.numbers import MOST_NETWORKS

SCHEMA_VERSION = 1
MAX_NAME = 80
MAX_NOTE = 4000
MAX_TAG = 40
MAX_TAGS = 12
MAX_FILE_BYTES = 16_000_000

_KIND = "fnprune annotations"
_COLUMNS = (
    "network", "name", "note", "tags", "atlas_id", "fingerprint", "n_networks", "strongest_units",
)  # fmt: skip
_MOST_COLUMNS = 64
# Characters that turn the direction of all the text around them.
_DIRECTION = {chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """A person's name, note and tags for a network; each may be empty.

    Parameters
    ----------
    name : str
        One line of at most `MAX_NAME` characters.
    note : str
        At most `MAX_NOTE` characters; lines and tabs are allowed.
    tags : tuple of str
        At most `MAX_TAGS` of at most `MAX_TAG` characters, without comma or semicolon.

    Raises
    ------
    TextError
        If a text is too long or holds control characters. Text is otherwise kept as given:
        whoever shows it must escape it.
    """

    name: str = ""
    note: str = ""
    tags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_text(self.name, what="name", longest=MAX_NAME)
        check_text(self.note, what="note", longest=MAX_NOTE, allowed="\n\t")
        if len(self.tags) > MAX_TAGS:
            raise TextError(f"A network has at most {MAX_TAGS} tags, got {len(self.tags)}.")
        for tag in self.tags:
            check_text(tag, what="tag", longest=MAX_TAG)
            if not tag or "," in tag or ";" in tag:
                raise TextError(f"{tag!r} is not a tag: tags are words without comma or semicolon.")

    @property
    def is_empty(self) -> bool:
        """Whether name, note and tags are all empty."""
        return not (self.name or self.note or self.tags)


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotations:
    """The annotations of an atlas's networks.

    Parameters
    ----------
    networks : mapping of int to Annotation
        Only the networks that have one.
    atlas_id, fingerprint : str
        The atlas, and the model that it is of; empty where a file does not tell.
    n_networks : int
        Networks of that atlas; 0 where a file does not tell.
    maps_fingerprint : MapsFingerprint or None
        The strongest units of the networks, of all or of those that are named.
    unmatched : Annotations or None
        Annotations that are stored with the atlas, but were given to networks that have other
        numbers here: what would be said of a wrong network is said of none.
    """

    networks: Mapping[int, Annotation]
    atlas_id: str = ""
    fingerprint: str = ""
    n_networks: int = 0
    maps_fingerprint: MapsFingerprint | None = None
    unmatched: "Annotations | None" = None

    def of(self, network: int) -> Annotation:
        """Return a network's annotation, empty if it has none."""
        return self.networks.get(network, Annotation())


def tidied(*, name: str, note: str, tags: str = "") -> Annotation:
    """Return typed texts as an annotation: outer space removed, tags split at commas."""
    words = (word.strip() for word in re.split("[,;]", tags))
    return Annotation(
        name=name.strip(),
        note=note.replace("\r\n", "\n").strip(),
        tags=tuple(dict.fromkeys(word for word in words if word)),
    )


def to_json(annotations: Annotations) -> str:
    """Return annotations as the text of a JSON file."""
    return json.dumps(as_value(annotations), indent=1, ensure_ascii=False)


def to_csv(annotations: Annotations) -> str:
    """Return annotations as a table; cells that a spreadsheet would run begin with a quote."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(_COLUMNS)
    origin = (annotations.atlas_id, annotations.fingerprint, annotations.n_networks)
    maps = annotations.maps_fingerprint
    marks = None if maps is None else maps.marks
    for network, annotation in sorted(annotations.networks.items()):
        texts = (annotation.name, annotation.note, "; ".join(annotation.tags))
        units = "" if marks is None or network not in marks else mark_text(marks[network])
        writer.writerow([network, *(shielded(text) for text in texts), *origin, units])
    return stream.getvalue()


def parse(content: bytes, *, name: str = "The file") -> Annotations:
    """Return the annotations in a JSON or CSV file.

    Parameters
    ----------
    name : str
        What errors call the file.

    Raises
    ------
    TextError
        If the file is too large, cut short, damaged, or of another kind; says where.
    """
    if len(content) > MAX_FILE_BYTES:
        raise TextError(
            f"{name} has {len(content) / 1e6:.1f} MB; names and notes have at most "
            f"{MAX_FILE_BYTES / 1e6:.0f} MB.",
            hint="Choose a file that was exported from the names of an atlas.",
        )
    text = decoded(content, what=name, error=TextError)
    if not text.strip():
        raise TextError(f"{name} is empty.", hint="Choose a file of names: JSON or CSV.")
    if not text.lstrip().startswith(("{", "[")):
        return _from_csv(text, name)
    try:
        value = parse_json(text)
    except ValueError as error:
        raise TextError(
            f"{name} is not whole JSON: {error}.", hint="Was it cut short? Export it again."
        ) from error
    return from_json(value, name=name)


def check_text(text: str, *, what: str, longest: int, allowed: str = "") -> None:
    """Raise `TextError` if a text is too long or holds control characters, saying where."""
    if len(text) > longest:
        raise TextError(
            f"A {what} has at most {longest:,} characters, got {len(text):,}.",
            hint="Shorten it; nothing was changed.",
        )
    for place, character in enumerate(text):
        kind = unicodedata.category(character)
        is_control = kind in ("Cc", "Cs", "Zl", "Zp") or character in _DIRECTION
        if is_control and character not in allowed:
            raise TextError(
                f"The {what} holds the control character U+{ord(character):04X} at place "
                f"{place + 1}.",
                hint="Remove it; nothing was changed.",
            )


def as_value(annotations: Annotations) -> dict[str, Any]:
    """Return annotations as a JSON value."""
    maps = annotations.maps_fingerprint
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": _KIND,
        "atlas_id": annotations.atlas_id,
        "fingerprint": annotations.fingerprint,
        "n_networks": annotations.n_networks,
        **({} if maps is None else {KEY: maps.to_json()}),
        "networks": {
            str(network): {
                "name": annotation.name,
                "note": annotation.note,
                "tags": list(annotation.tags),
            }
            for network, annotation in sorted(annotations.networks.items())
        },
    }


def of_kind(
    value: object, *, kind: str, version: int, what: str, of: str, name: str
) -> dict[str, Any]:
    """Return a JSON value that says it is of a kind and version; else raise `TextError`.

    Parameters
    ----------
    what, of : str
        What files of this kind hold, and of what: ``"names"`` of ``"networks"``.
    name : str
        What errors call the file.
    """
    if not isinstance(value, dict) or value.get("kind") != kind:
        raise TextError(
            f"{name} does not hold {what} of {of}.",
            hint=f"Choose a file that was exported from the {what} of an atlas.",
        )
    if value.get("schema_version") != version:
        raise TextError(
            f"{name} has schema version {str(value.get('schema_version'))[:40]}, this fnprune "
            f"reads {version}.",
            hint="Export it again with this version.",
        )
    return value


def from_json(value: object, *, name: str = "The file") -> Annotations:
    """Return the annotations of a JSON value; raises `TextError` if it is of another kind."""
    value = of_kind(
        value, kind=_KIND, version=SCHEMA_VERSION, what="names", of="networks", name=name
    )
    rows = value.get("networks")
    if not isinstance(rows, dict):
        raise TextError(f"{name} has no `networks`.", hint="Was it edited? Export it again.")
    networks: dict[int, Annotation] = {}
    for number, row in rows.items():
        place = f"{name}, Network {number[:40]!r}"
        _take(networks, number, _annotation_in(row, place), place)
    maps = value.get(KEY)
    return _annotations_of(networks, value, None if maps is None else _marks_of(maps, name))


def _annotation_in(row: object, place: str) -> Annotation:
    fields = row if isinstance(row, dict) else {"name": None}
    tags = fields.get("tags", [])
    texts = [fields.get("name", ""), fields.get("note", "")]
    texts += tags if isinstance(tags, list) else [None]
    strings = [text for text in texts if isinstance(text, str)]
    if len(strings) != len(texts):
        raise TextError(
            f"{place} is not of name, note and tags.",
            hint='Write each as {"name": "…", "note": "…", "tags": ["…"]}.',
        )
    name, note, *tag_texts = strings
    with _at(place):
        return Annotation(name=name, note=note, tags=tuple(tag_texts))


@contextmanager
def _at(place: str) -> Iterator[None]:
    """Add the place in a file to an error of a text."""
    try:
        yield
    except TextError as error:
        raise TextError(f"{place}: {error.message}", hint=error.hint) from error


def _take(networks: dict[int, Annotation], number: str, annotation: Annotation, place: str) -> None:
    """Add a network's annotation; one that stands there already is an error, not overwritten."""
    with _at(place):
        network = _network_of(number)
    if network in networks:
        raise TextError(
            f"{place}: network {network} stands in the file already.",
            hint="Leave one of the two.",
        )
    networks[network] = annotation


def _from_csv(text: str, name: str) -> Annotations:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    networks: dict[int, Annotation] = {}
    marks: dict[str, str] = {}
    first: dict[str, str] = {}
    line = 1
    try:
        columns = _columns_in(next(reader), name)
        line = reader.line_num + 1
        for cells in reader:
            if cells:
                place = f"{name}, line {line}"
                row = _row_of(columns, cells, place)
                first = first or row
                texts = (unshielded(row.get(column, "")) for column in ("name", "note", "tags"))
                with _at(place):
                    annotation = tidied(**dict(zip(("name", "note", "tags"), texts, strict=True)))
                _take(networks, row["network"], annotation, place)
                if row.get("strongest_units"):
                    marks[row["network"]] = row["strongest_units"]
            line = reader.line_num + 1
    except csv.Error as error:
        raise TextError(
            f"The table {name} cannot be read: {error}, in the row that begins in line {line}.",
            hint="Was it cut short? Export it again.",
        ) from error
    if not first:
        raise _no_table(name)
    return _annotations_of(networks, first, _marks_of(marks, name) if marks else None)


def _marks_of(value: object, name: str) -> MapsFingerprint:
    try:
        return MapsFingerprint.from_json(value)
    except CorruptArtifactError as error:
        raise TextError(f"{name}: {error.message}", hint="Export the names again.") from error


def _columns_in(cells: Sequence[str], name: str) -> list[str]:
    columns = list(cells)
    if "network" not in columns or not {"name", "note", "tags"} & set(columns):
        raise _no_table(name)
    if len(columns) > _MOST_COLUMNS or len(set(columns)) < len(columns):
        raise TextError(
            f"The first line of {name} names {len(columns):,} columns, some of them twice or over "
            f"{_MOST_COLUMNS}.",
            hint="Leave network, name, note and tags, once each.",
        )
    return columns


def _no_table(name: str) -> TextError:
    return TextError(
        f"{name} is neither JSON nor a table with the columns network, name, note, tags.",
        hint="The first line must hold the names of the columns, and others their values.",
    )


def _row_of(columns: Sequence[str], cells: Sequence[str], place: str) -> dict[str, str]:
    if len(cells) != len(columns):
        raise TextError(
            f"{place}, of network {cells[0][:40]!r}, has not as many cells as the first line: "
            f"{len(cells)}, expected {len(columns)}.",
            hint="Was the file cut short? Export it again.",
        )
    return dict(zip(columns, cells, strict=True))


def _network_of(text: str) -> int:
    try:
        return network_number(text)
    except ValueError as error:
        raise TextError(
            f"{error}.", hint=f"Networks are numbered from 0 to at most {MOST_NETWORKS - 1:,}."
        ) from error


def _annotations_of(
    networks: Mapping[int, Annotation],
    facts: Mapping[str, Any],
    maps_fingerprint: MapsFingerprint | None,
) -> Annotations:
    atlas_id, fingerprint = facts.get("atlas_id"), facts.get("fingerprint")
    n_networks = str(facts.get("n_networks") or 0)[:20]
    return Annotations(
        networks=MappingProxyType({k: a for k, a in networks.items() if not a.is_empty}),
        atlas_id=atlas_id if isinstance(atlas_id, str) else "",
        fingerprint=fingerprint if isinstance(fingerprint, str) else "",
        n_networks=int(n_networks) if n_networks.isdecimal() and len(n_networks) < 10 else 0,
        maps_fingerprint=maps_fingerprint,
    )
