"""Cached data of a network's page: colour limits, statistics, passages, decoding."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from app.figures import raster
from app.figures.theme import colour_distances
from app.shell import resources, wording
from app.shell.caches.colours import network_colours
from app.shell.caching import cached
from fnprune_core.atlas import cortex, decoding, spectra, thresholds
from fnprune_core.atlas import probe as probing
from fnprune_core.atlas.chance.calibration import FOLDER, Calibration, read_calibration
from fnprune_core.atlas.decoding import DomainTest, LogitEffect
from fnprune_core.atlas.membership import HIGH
from fnprune_core.atlas.network_atlas import Passage
from fnprune_core.atlas.spectra import Spectrum
from fnprune_core.atlas.statistics.networks import network_statistics
from fnprune_core.atlas.thresholds import MixtureFit, Suggestion
from fnprune_core.atlas.topography import pieces
from fnprune_core.errors import CorruptArtifactError
from fnprune_core.matching import identities
from fnprune_core.matching.identities import Identity
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.scores import network_heads
from fnprune_core.scores.network_heads import NetworkHeads

STABLE, COMPACT = 0.9, 0.5


def own_limit(id: str, z: float, network: int) -> float:
    """Return the |z| of the strongest colour of a network by itself."""
    return raster.colour_limit(resources.atlas(id).maps[network], z)


@cached(max_entries=64)
def mixture(id: str, network: int) -> MixtureFit:
    """Return the mixture fitted to a network's map."""
    return thresholds.fit_mixture(alive_z(id, network))


@cached(max_entries=64)
def suggestions(id: str, network: int) -> list[Suggestion]:
    """Return thresholds for a network's map, with the units beyond each."""
    return thresholds.suggested_thresholds(alive_z(id, network), fit=mixture(id, network))


def _calibrated_ns(id: str) -> int:
    path = resources.workspace().root / FOLDER / f"{resources.atlas(id).id}.json"
    return resources.changed(path)[1]


@cached(max_entries=4, made_of=_calibrated_ns)
def calibration(id: str) -> Calibration | None:
    """Return the calibrated thresholds of an atlas; None if they were not made yet."""
    try:
        return read_calibration(resources.workspace(), resources.atlas(id))
    except CorruptArtifactError:  # a page needs none; measuring it anew says what is wrong
        return None


def alive_z(id: str, network: int) -> NDArray[np.float32]:
    """Return a map over alive units: (n_alive,)."""
    atlas = resources.atlas(id)
    return np.asarray(atlas.maps[network, atlas.decomposition.alive], dtype=np.float32)


@cached(max_entries=64)
def spectrum(id: str, network: int) -> Spectrum:
    """Return the spectrum of a network's time course."""
    return spectra.spectrum(resources.atlas(id), network)


@cached(max_entries=64)
def passages(id: str, network: int, pole: int) -> list[Passage]:
    """Return a network's strongest passages, of one pole or both."""
    return resources.atlas(id).top_passages(network, pole=pole)


@cached(max_entries=64)
def deciles(id: str, network: int, pole: int) -> list[Passage]:
    """Return the strongest passage and one from each decile of strength."""
    return resources.atlas(id).decile_passages(network, pole=pole)


@cached(max_entries=4, spinner="Permuting domains")
def domain_test(id: str) -> DomainTest:
    """Return whether domains differ in each network's strength."""
    return decoding.domain_test(resources.atlas(id))


@cached(max_entries=64)
def class_effects(id: str, network: int) -> pd.DataFrame:
    """Return a network's mean strength by token class."""
    return decoding.class_effects(resources.atlas(id), network)


@cached(max_entries=64)
def logit_effects(
    id: str, network: int, z: float | None, model: LanguageModel
) -> tuple[list[LogitEffect], list[LogitEffect]]:
    """Return the tokens that a network's own units promote and suppress: members, or beyond z."""
    atlas = resources.atlas(id)
    std = resources.recording(atlas.decomposition.recording_id).std
    weights = decoding.network_weights(atlas, std, network, z=z)
    with model.lock:
        return decoding.logit_effects(model, weights)


@cached(max_entries=64)
def strongest_units(id: str, network: int, pole: int, n: int = 15) -> pd.DataFrame:
    """Return the units of largest z of a pole: unit (flat), layer, index, z."""
    atlas = resources.atlas(id)
    z = atlas.maps[network]
    order = np.argsort(-pole * z, kind="stable")[:n]
    order = order[pole * z[order] > 0]
    layer, index = atlas.layout.locate(order)
    return pd.DataFrame({"unit": order, "layer": layer, "index": index, "z": z[order].round(2)})


def pole_facts(id: str, network: int, pole: int, z: float | None) -> dict[str, Any]:
    """Return the facts on a pole: its members or units beyond z, peak layer, and largest |z|."""
    atlas = resources.atlas(id)
    values = pole * atlas.maps[network]
    return {
        "n_units": int((values[atlas.members(network, z=z)] > 0).sum()),
        "peak_layer": int(atlas.layout.layer_of_unit[values.argmax()]),
        "largest": float(values.max()),
    }


def pole_sentence(id: str, network: int, pole: int, z: float | None) -> str:
    """Return in words how many units a pole has, and where the strongest is."""
    facts = pole_facts(id, network, pole, z)
    if z is None:
        sign = "positive" if pole > 0 else "negative"
        counted = f"{wording.count(facts['n_units'], 'member')} with {sign} z"
    else:
        beyond = f"z above {z:g}" if pole > 0 else f"z below −{z:g}"
        counted = f"{wording.count(facts['n_units'], 'unit')} with {beyond}"
    place = f", the strongest in layer {facts['peak_layer']}" if facts["n_units"] else ""
    return f"{counted}{place}"


@cached(max_entries=8, made_of=resources.assessment_key)
def statistics(id: str) -> pd.DataFrame:
    """Return one row a network: all statistics that a picture can set against one another."""
    return resources.network_table(id).join(network_statistics(resources.atlas(id)))


@cached(max_entries=8)
def usual_strength(id: str) -> NDArray[np.float64]:
    """Return each network's root mean square strength over the recording: (K,)."""
    return np.maximum(probing.usual_strength(resources.atlas(id)), 1e-12)


def _heads_read(id: str) -> object:
    path = network_heads.path_of(resources.workspace(), id)
    return resources.changed(path), resources.made_ns(id)


@cached(max_entries=4, made_of=_heads_read)
def heads(id: str) -> NetworkHeads | None:
    """Return which heads carry the networks of an atlas, or None if that was not measured."""
    return network_heads.read_heads(resources.workspace(), id)


@cached(max_entries=64)
def found_words(id: str, words: str) -> NDArray[np.int64]:
    """Return the tokens of the recording at which words begin."""
    return resources.atlas(id).find(words)


@cached(max_entries=8)
def session_titles(id: str) -> list[str]:
    """Return the title of each session of an atlas's recording."""
    return titles_of(resources.atlas(id).tokens)


def titles_of(tokens: pd.DataFrame) -> list[str]:
    """Return the title of each session: its number, domain and document."""
    first_tokens = tokens.groupby("session", observed=True).first()
    return [
        f"{number}: {domain}, {document}"
        for number, domain, document in zip(
            first_tokens.index, first_tokens["domain"], first_tokens["document"], strict=True
        )
    ]


_N_SIGNATURE = 6  # networks that show an atlas at a glance


@cached(max_entries=4)
def signature(id: str) -> list[int]:
    """Return a handful of networks that show an atlas at a glance: stable, compact, far apart.

    Those on which runs agree at 0.9 or more, and halves of the documents (split-half r of 0.7 or
    more), where that is known, of which at least half of the surface is one piece; the one of
    most variance first, then in turn the one that is farthest from those in place and colour, each
    as a share of the largest distance.
    """
    atlas, table = resources.atlas(id), resources.network_table(id)
    agreement = table["run_agreement"].to_numpy()
    order = np.argsort(-table["variance_alone"].to_numpy(), kind="stable")
    order = order[(agreement[order] >= STABLE) | np.isnan(agreement[order])]
    if (r := table.get("reproducibility")) is not None and (r >= HIGH).sum() >= _N_SIGNATURE:
        order = order[r.to_numpy()[order] >= HIGH]
    atlas_cortex = resources.cortex(id)
    if atlas_cortex is None:
        return []
    compact, centres = [], []
    for network in order:
        smoothed = cortex.smoothed(atlas_cortex.volume(atlas.maps[network]))
        share, centre = pieces.largest_piece(smoothed, float(np.quantile(smoothed, 0.985)))
        if share >= COMPACT:
            compact.append(int(network))
            centres.append(centre)
    places = np.array(centres).reshape(-1, 3)
    apart = np.linalg.norm(places[:, None] - places[None], axis=-1)
    unlike = [
        colour_distances([network_colours(id, mode)[k] for k in compact])
        for mode in ("dark", "light")
    ]
    distances = [each / max(each.max(initial=0), 1e-9) for each in (apart, *unlike)]
    return [compact[i] for i in pieces.far_apart(sum(distances), _N_SIGNATURE)]


def earlier_networks(atlas_id: str) -> dict[int, Identity]:
    """Return each network's origin in an earlier atlas; a small file, read anew each time."""
    return identities.read_identities(resources.workspace(), atlas_id)
