"""Bookmarks: named lists of networks and units, kept with the atlas as its names are.

One JSON file an atlas, ``<workspace>/lists/<atlas id>.json``. It is a person's own work and
outlives the atlas. A unit is named by its flat index, which belongs to the model; a network by its
number, which is checked by its map.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import Field

from fnprune_core.atlas.annotation_files import MAX_FILE_BYTES, MAX_NAME, check_text, of_kind
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.decomposition.fingerprint import KEY, MapsFingerprint, compare, maps_in
from fnprune_core.decomposition.numbering import renumbering_here
from fnprune_core.errors import CorruptArtifactError, SettingsError, TextError
from fnprune_core.inputs.files import decoded
from fnprune_core.inputs.json_values import parse_json
from fnprune_core.inputs.records import record_of
from fnprune_core.storage.folders import storage_errors
from fnprune_core.storage.json_files import read_checked_json, write_checked_json
from fnprune_core.storage.locks import locked
from fnprune_core.storage.workspace import Workspace

FOLDER = "lists"
BOOKMARKS = "Bookmarks"
MOST_LISTS, MOST_ITEMS = 64, 2000
_KIND, _SCHEMA_VERSION = "fnprune lists", 1
_Kind = Literal["network", "unit"]
_Rows = dict[str, list[tuple[_Kind, Annotated[int, Field(ge=0)]]]]


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Item:
    """A network by its number, or a unit by its flat index."""

    kind: _Kind
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Lists:
    """The lists of an atlas.

    Parameters
    ----------
    items : mapping of str to tuple of Item
        By name, in the order in which they were put there; no list is empty.
    fingerprint : str
        Of the model; empty where a file does not tell.
    maps_fingerprint : MapsFingerprint or None
        Of the atlas whose networks the numbers mean.
    lost : tuple of int
        Networks in the stored lists that are not in the atlas any more.
    """

    items: Mapping[str, tuple[Item, ...]] = field(default_factory=lambda: MappingProxyType({}))
    fingerprint: str = ""
    maps_fingerprint: MapsFingerprint | None = None
    lost: tuple[int, ...] = ()

    def holds(self, item: Item, *, name: str = BOOKMARKS) -> bool:
        """Whether an item is in a list."""
        return item in self.items.get(name, ())


def path_of(workspace: Workspace, atlas_id: str) -> Path:
    """Return the path of an atlas's lists, whether or not there are any."""
    return workspace.beside(FOLDER, "decompositions", atlas_id)


def read_lists(workspace: Workspace, atlas_id: str) -> Lists:
    """Return an atlas's lists, its networks numbered as here; those not found here are `lost`.

    Raises
    ------
    CorruptArtifactError
        If the file is damaged.
    """
    path = path_of(workspace, atlas_id)
    try:
        stored = from_json(read_checked_json(path), name=str(path))
    except FileNotFoundError:
        return Lists()
    except TextError as error:
        raise CorruptArtifactError(
            f"The lists of this atlas cannot be read: {error.message}",
            hint="Bring the file back from a copy, or delete it.",
        ) from error
    renumbering = renumbering_here(stored.maps_fingerprint, workspace, atlas_id)
    return stored if renumbering is None else _numbered(stored, renumbering.numbers)


def _numbered(lists: Lists, numbers: Mapping[int, int]) -> Lists:
    """Return lists with the networks' numbers here; those without one are left out, and told."""
    moved: dict[str, tuple[Item, ...]] = {}
    lost: set[int] = set()
    for name, items in lists.items.items():
        kept = []
        for item in items:
            if item.kind == "unit":
                kept.append(item)
            elif item.number in numbers:
                kept.append(replace(item, number=numbers[item.number]))
            else:
                lost.add(item.number)
        moved[name] = tuple(kept)
    return replace(lists, items=_tidied(moved), lost=tuple(sorted(lost)))


def _tidied(items: Mapping[str, Iterable[Item]]) -> Mapping[str, tuple[Item, ...]]:
    """Return lists without doubles and without empty ones; checks names and numbers of items."""
    tidied = {name: tuple(dict.fromkeys(of_list)) for name, of_list in items.items()}
    tidied = {name: of_list for name, of_list in tidied.items() if of_list}
    if len(tidied) > MOST_LISTS:
        raise SettingsError(f"An atlas has at most {MOST_LISTS} lists, got {len(tidied)}.")
    for name, of_list in tidied.items():
        check_text(name, what="name of a list", longest=MAX_NAME)
        if not name.strip():
            raise TextError("A list has no name.", hint="Name it.")
        if len(of_list) > MOST_ITEMS:
            raise SettingsError(f"A list has at most {MOST_ITEMS:,} items, got {len(of_list):,}.")
    return MappingProxyType(tidied)


def put(
    workspace: Workspace, atlas: NetworkAtlas, item: Item, *, name: str = BOOKMARKS, is_in: bool
) -> Lists:
    """Put an item into a list, or take it out; return all lists of the atlas.

    Raises
    ------
    SettingsError
        If there is no such network or unit.
    """
    _check_item(atlas, item)

    def changed(items: dict[str, tuple[Item, ...]]) -> None:
        others = tuple(each for each in items.get(name, ()) if each != item)
        items[name] = (*others, item) if is_in else others

    return _change(workspace, atlas, changed)


def delete(workspace: Workspace, atlas: NetworkAtlas, name: str) -> Lists:
    """Delete a list; return the others."""
    return _change(workspace, atlas, lambda items: items.pop(name, None))


def merge(workspace: Workspace, atlas: NetworkAtlas, imported: Lists) -> Lists:
    """Add the lists of a file to those of an atlas, nothing is taken away; return all.

    Networks are found by their maps, where the file holds what those were like.

    Raises
    ------
    SettingsError
        If the lists are of another model, or hold nothing that is here.
    """
    if imported.fingerprint and imported.fingerprint != atlas.decomposition.fingerprint:
        raise SettingsError(
            "These lists are of another model.", hint="Open the atlas that they were made for."
        )
    here = imported
    if imported.maps_fingerprint is not None:
        numbers = compare(imported.maps_fingerprint, atlas.maps_fingerprint).numbers
        here = _numbered(imported, numbers)
    fitting = {
        name: [item for item in items if _is_here(atlas, item)]
        for name, items in here.items.items()
    }
    if not any(fitting.values()):
        raise SettingsError("The file lists no network or unit of this atlas.")

    def changed(items: dict[str, tuple[Item, ...]]) -> None:
        for name, new in fitting.items():
            items[name] = (*items.get(name, ()), *new)

    return replace(_change(workspace, atlas, changed), lost=here.lost)


def _change(workspace: Workspace, atlas: NetworkAtlas, change: Any) -> Lists:
    path = path_of(workspace, atlas.id)
    with locked(path):
        items = dict(read_lists(workspace, atlas.id).items)
        change(items)
        lists = Lists(
            items=_tidied(items),
            fingerprint=atlas.decomposition.fingerprint,
            maps_fingerprint=atlas.maps_fingerprint,
        )
        with storage_errors(path):
            write_checked_json(path, as_value(lists))
        return lists


def _is_here(atlas: NetworkAtlas, item: Item) -> bool:
    most = atlas.n_networks if item.kind == "network" else atlas.layout.n_units
    return 0 <= item.number < most


def _check_item(atlas: NetworkAtlas, item: Item) -> None:
    if not _is_here(atlas, item):
        raise SettingsError(f"There is no {item.kind} {item.number} in this atlas.")


def as_value(lists: Lists) -> dict[str, Any]:
    """Return lists as a JSON value."""
    maps = lists.maps_fingerprint
    return {
        "kind": _KIND,
        "schema_version": _SCHEMA_VERSION,
        "fingerprint": lists.fingerprint,
        **({} if maps is None else {KEY: maps.to_json()}),
        "lists": {
            name: [[item.kind, item.number] for item in items]
            for name, items in lists.items.items()
        },
    }


def to_json(lists: Lists) -> str:
    """Return lists as the text of a JSON file."""
    return json.dumps(as_value(lists), indent=1, ensure_ascii=False)


def parse(content: bytes, *, name: str = "The file") -> Lists:
    """Return the lists in a JSON file; raises `TextError` if it is too large or of another kind."""
    if len(content) > MAX_FILE_BYTES:
        raise TextError(
            f"{name} has {len(content) / 1e6:.1f} MB, too many for lists.",
            hint="Choose a file that was exported from the lists of an atlas.",
        )
    try:
        value = parse_json(decoded(content, what=name, error=TextError))
    except ValueError as error:
        raise TextError(f"{name} is not whole JSON: {error}.", hint="Export it again.") from error
    return from_json(value, name=name)


def from_json(value: object, *, name: str = "The file") -> Lists:
    """Return the lists of a JSON value; raises `TextError` if it is of another kind."""
    value = of_kind(
        value, kind=_KIND, version=_SCHEMA_VERSION, what="lists", of="networks and units", name=name
    )
    try:
        rows = record_of(_Rows, value.get("lists"))
    except ValueError as error:
        raise TextError(
            f"{name} has no `lists` that can be read: {error}.",
            hint='Write each as {"name": [["network", 5], ["unit", 7]]}.',
        ) from error
    try:
        items = _tidied({key: [Item(kind=k, number=n) for k, n in rows[key]] for key in rows})
        maps = maps_in(value)
    except (CorruptArtifactError, SettingsError) as error:
        raise TextError(f"{name}: {error.message}", hint=error.hint) from error
    fingerprint = value.get("fingerprint")
    return Lists(
        items=items,
        fingerprint=fingerprint if isinstance(fingerprint, str) else "",
        maps_fingerprint=maps,
    )
