"""Cached data of a network's page: thresholds, statistics, passages, decoding."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from app.figures.distinct import colour_distances
from app.shell import resources, wording
from app.shell.caches import trust
from app.shell.caches.colours import network_colours
from app.shell.caching import cached
from fnprune_core.atlas import decoding, spectra, thresholds
from fnprune_core.atlas import probe as probing
from fnprune_core.atlas.chance.calibration import FOLDER, Calibration, read_calibration
from fnprune_core.atlas.decoding import DomainTest, LogitEffect, Tag
from fnprune_core.atlas.network_atlas import Passage
from fnprune_core.atlas.spectra import Spectrum
from fnprune_core.atlas.statistics import experts
from fnprune_core.atlas.statistics.networks import network_statistics, strong_magnitude
from fnprune_core.atlas.thresholds import MixtureFit, Suggestion
from fnprune_core.atlas.topography import glance
from fnprune_core.errors import CorruptArtifactError
from fnprune_core.matching import identities
from fnprune_core.matching.identities import Identity
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.scores import network_heads
from fnprune_core.scores.network_heads import NetworkHeads


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
def passages(id: str, network: int, pole: int = 0) -> list[Passage]:
    """Return a network's strongest passages, of one pole or both."""
    return resources.atlas(id).top_passages(network, pole=pole)


@cached(max_entries=4)
def tags(id: str) -> list[tuple[Tag, ...]]:
    """Return the trivial things that each network follows."""
    return decoding.trivial_tags(resources.atlas(id))


@cached(max_entries=256)
def strength(id: str, network: int) -> float:
    """Return the strength that gets the full colour in a network's texts."""
    return strong_magnitude(resources.atlas(id), network)


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


@cached(max_entries=8, made_of=trust.assessment_key)
def statistics(id: str) -> pd.DataFrame:
    """Return one row per network: all statistics that a picture can set against one another."""
    return trust.network_table(id).join(network_statistics(resources.atlas(id)))


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


@cached(max_entries=4)
def signature(id: str) -> list[int]:
    """Return a handful of networks that show an atlas at a glance, far apart in both modes."""
    cortex = resources.cortex(id)
    if cortex is None:
        return []

    def unlike(networks: list[int]) -> list[NDArray[np.float64]]:
        colours = (network_colours(id, mode) for mode in ("dark", "light"))
        return [colour_distances([palette[k] for k in networks]) for palette in colours]

    table = trust.network_table(id)
    return glance.networks_at_a_glance(resources.atlas(id), cortex, table, unlike=unlike)


@cached(max_entries=32)
def expert_routing(id: str, network: int, domain: str) -> NDArray[np.float64]:
    """Return the share of tokens that each expert saw: of a domain, of a network, or of all."""
    atlas = resources.atlas(id)
    recording = resources.recording(atlas.decomposition.recording_id)
    if domain:
        return experts.routing(recording, experts.domain_weights(recording, domain))
    if network >= 0:
        return experts.routing(recording, experts.network_weights(atlas, recording, network))
    return experts.routing(recording)


def earlier_networks(atlas_id: str) -> dict[int, Identity]:
    """Return each network's origin in an earlier atlas; a small file, read anew each time."""
    return identities.read_identities(resources.workspace(), atlas_id)
