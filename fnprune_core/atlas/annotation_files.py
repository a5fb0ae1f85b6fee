"""Names, notes and tags of networks as files: JSON and CSV, bounded and checked."""

import csv
import io
import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from fnprune_core.decomposition.fingerprint import KEY, MapsFingerprint, mark_text
from fnprune_core.errors import CorruptArtifactError, TextError

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
_MOST_NETWORKS = 100_000
# A spreadsheet would run a cell that begins with one of these; a quote in front makes it text.
_FORMULA = re.compile(r"^'*[=+\-@\t\r]")
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


def parse(content: bytes) -> Annotations:
    """Return the annotations in a JSON or CSV file.

    Raises
    ------
    TextError
        If the file is too large, cut short, damaged, or of another kind; says where.
    """
    if len(content) > MAX_FILE_BYTES:
        raise TextError(
            f"The file has {len(content) / 1e6:.1f} MB; names and notes have at most "
            f"{MAX_FILE_BYTES / 1e6:.0f} MB.",
            hint="Choose a file that was exported from the names of an atlas.",
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TextError(
            f"The file is not text in UTF-8: byte {error.start} cannot be read.",
            hint="Save it as UTF-8.",
        ) from error
    if not text.strip():
        raise TextError("The file is empty.", hint="Choose a file of names: JSON or CSV.")
    if not text.lstrip().startswith(("{", "[")):
        return _from_csv(text)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise TextError(
            f"The file is not whole JSON: {error}.", hint="Was it cut short? Export it again."
        ) from error
    return from_json(value)


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


def from_json(value: object) -> Annotations:
    """Return the annotations of a JSON value; raises `TextError` if it is of another kind."""
    if not isinstance(value, dict) or value.get("kind") != _KIND:
        raise TextError(
            "The file does not hold names of networks.",
            hint="Choose a file that was exported from the names of an atlas.",
        )
    if value.get("schema_version") != SCHEMA_VERSION:
        raise TextError(
            f"The file has schema version {value.get('schema_version')!r}, this fnprune reads "
            f"{SCHEMA_VERSION}.",
            hint="Export it again with this version.",
        )
    rows = value.get("networks")
    if not isinstance(rows, dict):
        raise TextError("The file has no `networks`.", hint="Was it edited? Export it again.")
    networks = {}
    for number, row in rows.items():
        fields = row if isinstance(row, dict) else {"name": None}
        tags = fields.get("tags", [])
        texts = [fields.get("name", ""), fields.get("note", "")]
        texts += tags if isinstance(tags, list) else [None]
        strings = [text for text in texts if isinstance(text, str)]
        if len(strings) != len(texts):
            raise TextError(f"Network {number!r} of the file is not of name, note and tags.")
        name, note, *tag_texts = strings
        networks[_network_of(number)] = Annotation(name=name, note=note, tags=tuple(tag_texts))
    maps = value.get(KEY)
    return _annotations_of(networks, value, None if maps is None else _marks_of(maps))


def _from_csv(text: str) -> Annotations:
    try:
        rows = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
    except csv.Error as error:
        raise TextError(
            f"The table cannot be read: {error}.", hint="Was it cut short? Export it again."
        ) from error
    if not rows or "network" not in rows[0] or not {"name", "note", "tags"} & rows[0].keys():
        raise TextError(
            "The file is neither JSON nor a table with the columns network, name, note, tags.",
            hint="The first line must hold the names of the columns.",
        )
    networks, marks = {}, {}
    for row in rows:
        if None in row or None in row.values():
            raise TextError(
                f"The line of network {str(row['network'])[:40]!r} has not as many cells as the "
                "first line.",
                hint="Was the file cut short? Export it again.",
            )
        name, note, tags = (
            _unshielded(row.get(column) or "") for column in ("name", "note", "tags")
        )
        annotation = tidied(name=name, note=note, tags=tags)
        networks[_network_of(row["network"] or "")] = annotation
        if row.get("strongest_units"):
            marks[row["network"]] = row["strongest_units"]
    return _annotations_of(networks, rows[0], _marks_of(marks) if marks else None)


def _marks_of(value: object) -> MapsFingerprint:
    try:
        return MapsFingerprint.from_json(value)
    except CorruptArtifactError as error:
        raise TextError(error.message, hint="Export the names again.") from error


def _network_of(text: str) -> int:
    if text.isdecimal() and text.isascii() and len(text) < 10 and int(text) < _MOST_NETWORKS:
        return int(text)
    raise TextError(f"{text[:40]!r} in the file is no number of a network.")


def _annotations_of(
    networks: Mapping[int, Annotation],
    facts: Mapping[str, Any],
    maps_fingerprint: MapsFingerprint | None,
) -> Annotations:
    atlas_id, fingerprint = facts.get("atlas_id"), facts.get("fingerprint")
    n_networks = str(facts.get("n_networks") or 0)
    return Annotations(
        networks=MappingProxyType({k: a for k, a in networks.items() if not a.is_empty}),
        atlas_id=atlas_id if isinstance(atlas_id, str) else "",
        fingerprint=fingerprint if isinstance(fingerprint, str) else "",
        n_networks=int(n_networks) if n_networks.isdecimal() and len(n_networks) < 10 else 0,
        maps_fingerprint=maps_fingerprint,
    )


def shielded(text: str) -> str:
    """Return text for a table: what a spreadsheet would run begins with a quote."""
    return f"'{text}" if _FORMULA.match(text) else text


def _unshielded(text: str) -> str:
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text
