"""Identities of networks when an atlas is made anew: "was network 12 of …, r 0.93".

One JSON file an atlas, ``<workspace>/identities/<atlas id>.json``, beside the names that people
gave: it outlives the earlier atlas, and is written with the same care.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, TypeAdapter

from fnprune_core.atlas.annotations import merge, read_annotations
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.errors import CorruptArtifactError, SettingsError
from fnprune_core.inputs.records import record_of
from fnprune_core.matching.atlases import IDENTITY_R, Match, is_same_model
from fnprune_core.storage.folders import storage_errors
from fnprune_core.storage.json_files import read_checked_json, write_checked_json
from fnprune_core.storage.locks import locked
from fnprune_core.storage.workspace import Workspace

FOLDER = "identities"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The network of an earlier atlas that a network is, with r; negative if its sign turned.

    `applied` says that it is that network because the earlier atlas was applied, r being the
    correlation of its map with the earlier one.
    """

    atlas_id: str
    network: int
    r: Annotated[float, Field(allow_inf_nan=False)]
    applied: bool = False

    def sentence(self) -> str:
        """Return the identity in words."""
        sign = ", with its sign turned" if self.r < 0 else ""
        verb = "is" if self.applied else "was"
        return f"{verb} network {self.network} of atlas {self.atlas_id}, r {self.r:.2f}{sign}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Identities:
    """The file of an atlas's identities."""

    atlas_id: str
    networks: dict[Annotated[int, Field(ge=0)], Identity]
    schema_version: Literal[1] = 1
    kind: Literal["fnprune identities"] = "fnprune identities"


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """The identities and names that were carried over from an earlier atlas.

    Parameters
    ----------
    identities : mapping of int to Identity
        Network → its earlier one; pairs below the threshold are not the same network.
    n_names : int
        Networks whose names, notes or tags came along.
    left_behind : tuple of int
        Networks of the earlier atlas with a name, note or tag that no network here continues.
    """

    identities: Mapping[int, Identity]
    n_names: int
    left_behind: tuple[int, ...]

    def sentence(self) -> str:
        """Return a summary in words."""
        n = len(self.identities)
        text = f"{n} network{'' if n == 1 else 's'} kept their identity; "
        text += f"names or notes of {self.n_names} came along."
        if self.left_behind:
            which = ", ".join(str(k) for k in self.left_behind)
            text += f" No network here continues {which} of the earlier atlas: what is said of "
            text += "them stays there."
        return text


def path_of(workspace: Workspace, atlas_id: str) -> Path:
    """Return the path of the identities of an atlas's networks."""
    return workspace.beside(FOLDER, "decompositions", atlas_id)


def read_identities(workspace: Workspace, atlas_id: str) -> dict[int, Identity]:
    """Return the earlier identity of each network of an atlas; empty if none was carried over.

    Raises
    ------
    CorruptArtifactError
        If the file is damaged.
    """
    path = path_of(workspace, atlas_id)
    try:
        return record_of(_Identities, read_checked_json(path)).networks
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise CorruptArtifactError(
            f"{path} is damaged: it does not hold the identities of networks.",
            hint="Delete it and carry the names over again.",
        ) from error


def carry_over(
    workspace: Workspace,
    atlas: NetworkAtlas,
    earlier: NetworkAtlas,
    match: Match,
    *,
    threshold: float = IDENTITY_R,
) -> Carried:
    """Let networks keep the identity and the names that they had in an earlier atlas.

    Names that a network here has already been given are replaced, as an import replaces them;
    annotations that only this atlas has stay.

    Parameters
    ----------
    match : Match
        Of `atlas` with `earlier`, by maps.
    threshold : float
        Smallest |r| of maps of one and the same network.

    Raises
    ------
    SettingsError
        If the atlases are of different models, the match is not by maps, or no pair reaches the
        threshold.
    """
    if not is_same_model(atlas, earlier):
        raise SettingsError(
            "The two atlases are of different models: networks that are active together are not "
            "one and the same network.",
            hint="Carry names over between atlases of one model.",
        )
    if match.by != "maps":
        raise SettingsError("Identity is carried over by maps only.", hint="Match by maps.")
    partners = match.identities(threshold=threshold)
    if not partners:
        raise SettingsError(
            f"No pair of networks reaches |r| {threshold:g}; the best has "
            f"{np.abs(match.r).max():.2f}.",
            hint="Lower the threshold, or take these for other networks.",
        )
    return _carry_names(workspace, atlas, earlier, partners, applied=False)


def carry_applied(workspace: Workspace, atlas: NetworkAtlas, template: NetworkAtlas) -> Carried:
    """Let the networks of an applied atlas keep the template's identity and names."""
    a, b = atlas.decomposition, template.decomposition
    alive = a.alive & b.alive
    map_pairs = zip(a.spatial_maps[:, alive], b.spatial_maps[:, alive], strict=True)
    r = [
        float(np.nan_to_num(np.corrcoef(x, y)[0, 1])) if x.std() > 0 else 0.0 for x, y in map_pairs
    ]
    return _carry_names(workspace, atlas, template, dict(enumerate(enumerate(r))), applied=True)


def _carry_names(
    workspace: Workspace,
    atlas: NetworkAtlas,
    earlier: NetworkAtlas,
    partners: Mapping[int, tuple[int, float]],
    *,
    applied: bool,
) -> Carried:
    new_identities = {
        network: Identity(atlas_id=earlier.id, network=earlier_network, r=r, applied=applied)
        for network, (earlier_network, r) in partners.items()
    }
    annotations = read_annotations(workspace, earlier.id)
    numbers = {identity.network: network for network, identity in new_identities.items()}
    named_networks = [network for network in annotations.networks if network in numbers]
    path = path_of(workspace, atlas.id)
    with locked(path):
        identities = {**read_identities(workspace, atlas.id), **new_identities}
        if named_networks:  # before the identities, whose file says that all was carried over
            merge(workspace, atlas, annotations, numbers=numbers)
        rounded = {k: replace(i, r=round(i.r, 6)) for k, i in sorted(identities.items())}
        with storage_errors(path):
            stored = _Identities(atlas_id=atlas.id, networks=rounded)
            write_checked_json(path, TypeAdapter(_Identities).dump_python(stored, mode="json"))
    return Carried(
        identities=MappingProxyType(new_identities),
        n_names=len(named_networks),
        left_behind=tuple(sorted({*annotations.networks} - {*named_networks})),
    )
