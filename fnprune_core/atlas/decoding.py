"""Decoding of networks: domains, token classes and positions, and the tokens they promote.

Correlation is not function: a network that is strong in a domain need not be needed for it.
"""

import math
import re
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.errors import SettingsError
from fnprune_core.models.architectures import (
    layers_of,
    output_projections,
    through_norm,
    to_unembedding,
)
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.models.projections import weight_of
from fnprune_core.recording.sessions import document_codes

_CLASSES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("line break", re.compile(r"^\s*\n\s*$")),
    ("white space", re.compile(r"^\s*$")),
    ("number", re.compile(r"^\s*\d+$")),
    ("punctuation", re.compile(r"^\s*[.,;:!?'\"()\[\]{}…—–-]+$")),
    ("symbol", re.compile(r"^\s*(?:[^\w\s]|_)+\s*$")),
    ("capitalised word", re.compile(r"^\s+[^\W\d_a-zà-ÿ]\w*$")),
    ("word", re.compile(r"^\s+[^\W\d_]\w*$")),
    ("word piece", re.compile(r"^\w+$")),
)
OTHER_CLASS = "other"
TAG_LIMIT = 0.3
#: Most that median lengths of domains may differ, times, for whole documents to be compared.
MOST_UNEQUAL = 1.5


def token_class(text: str) -> str:
    """Return the class of a token's text, by its shape alone."""
    for name, pattern in _CLASSES:
        if pattern.match(text):
            return name
    return OTHER_CLASS


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """A trivial property of the text that a network follows, as in ICA-AROMA, with its measure.

    Parameters
    ----------
    name : str
        ``position``, ``attention sink``, ``punctuation`` or ``overall activation``.
    measure : str
        Name of the measure.
    value : float
    """

    name: str
    measure: str
    value: float


def token_classes(atlas: NetworkAtlas) -> NDArray[np.str_]:
    """Return the class of each token: (n_tokens,)."""
    unique, inverse = np.unique(atlas.tokens["text"].to_numpy(dtype=str), return_inverse=True)
    return np.array([token_class(text) for text in unique])[inverse]


def class_effects(atlas: NetworkAtlas, network: int) -> pd.DataFrame:
    """Return a network's mean strength by token class: class, mean, sd, count; largest first."""
    usable = ~atlas.is_dummy
    frame = pd.DataFrame(
        {
            "class": token_classes(atlas)[usable],
            "strength": atlas.time_courses[atlas.check_network(network)][usable],
        }
    )
    grouped = frame.groupby("class")["strength"].agg(["mean", "std", "count"]).reset_index()
    order = grouped["mean"].abs().sort_values(ascending=False, kind="stable").index
    return grouped.loc[order].reset_index(drop=True)


def explained_by(groups: NDArray[np.generic], values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return η², the share of each row's variance that lies between groups of tokens: (K,).

    Parameters
    ----------
    groups : ndarray (n_tokens,)
    values : ndarray (K, n_tokens)
    """
    _, code = np.unique(groups, return_inverse=True)
    membership = np.eye(code.max() + 1)[code]
    counts = membership.sum(axis=0)
    means = values @ membership / counts
    grand_mean = values.mean(axis=1, keepdims=True)
    between = np.square(means - grand_mean) @ counts
    total = np.square(values - grand_mean).sum(axis=1)
    return np.asarray(between / np.where(total > 0, total, 1.0), dtype=np.float64)


def _correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return r between the rows of `a` and those of `b`, or its one row: (n,)."""
    a = a - a.mean(axis=1, keepdims=True)
    b = b - b.mean(axis=1, keepdims=True)
    scale = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return np.asarray((a * b).sum(axis=1) / np.where(scale > 0, scale, 1.0), dtype=np.float64)


def trivial_tags(atlas: NetworkAtlas) -> list[tuple[Tag, ...]]:
    """Return the tags of each network: the trivial properties of the text that it follows.

    A network is tagged when |r| of its time course with log position, or of its strength with
    the strength of all others together, is above 0.3; when punctuation or line breaks explain
    over 0.3 of its variance; or when its energy per dummy token, relative to that per other token,
    is over 10 times the networks' median.
    """
    usable = ~atlas.is_dummy
    courses = atlas.time_courses.astype(np.float64)
    s = courses[:, usable]
    position = np.log1p(atlas.tokens["position"].to_numpy(dtype=np.float64)[usable])
    with_position = _correlation(s, position[None])
    classes = token_classes(atlas)[usable]
    by_punctuation = explained_by(np.isin(classes, ("punctuation", "line break", "white space")), s)
    energy = np.square(s)
    others = np.log(np.maximum(energy.sum(axis=0) - energy, 1e-12))
    log_energy = np.log(np.maximum(energy, 1e-12))
    overall = _correlation(log_energy, others)
    sink = np.zeros(len(s))
    if atlas.is_dummy.any():
        on_dummy = np.square(courses[:, atlas.is_dummy]).mean(axis=1)
        ratio = on_dummy / np.maximum(energy.mean(axis=1), 1e-12)
        # Massive activations reach every map, so each is compared with the median.
        sink = ratio / np.median(ratio)
    tags: list[tuple[Tag, ...]] = []
    for k in range(len(s)):
        network_tags = []
        if abs(with_position[k]) > TAG_LIMIT:
            network_tags.append(
                Tag(name="position", measure="r with log position", value=float(with_position[k]))
            )
        if sink[k] > 10:
            network_tags.append(
                Tag(
                    name="attention sink",
                    measure="× the median share on dummy tokens",
                    value=float(sink[k]),
                )
            )
        if by_punctuation[k] > TAG_LIMIT:
            network_tags.append(
                Tag(name="punctuation", measure="η² of punctuation", value=float(by_punctuation[k]))
            )
        if overall[k] > TAG_LIMIT:
            network_tags.append(
                Tag(name="overall activation", measure="r with all others", value=float(overall[k]))
            )
        tags.append(tuple(network_tags))
    return tags


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DomainTest:
    """Whether domains differ in a network's strength.

    Parameters
    ----------
    statistic : ndarray (K,)
        η² of domains in the mean energy of documents.
    p_value : ndarray (K,)
        By permuting domains over documents.
    p_corrected : ndarray (K,)
        Over networks, Benjamini–Hochberg.
    n_documents, n_permutations : int
    lengths : tuple of int
        The least and the largest median length of a domain's documents, in tokens.
    n_first : int
        How many first tokens of each document count; 0 where all do.
    """

    statistic: NDArray[np.float64]
    p_value: NDArray[np.float64]
    p_corrected: NDArray[np.float64]
    n_documents: int
    n_permutations: int
    lengths: tuple[int, int]
    n_first: int

    def length_note(self) -> str:
        """Return how unequal lengths were dealt with, a sentence; empty where lengths are alike."""
        if not self.n_first:
            return ""
        return (
            f"Documents of the domains differ in length (medians of {self.lengths[0]:,} to "
            f"{self.lengths[1]:,} tokens), and the energy of a short one scatters more: so each "
            f"counts with its first {self.n_first:,} tokens."
        )


def domain_test(atlas: NetworkAtlas, *, n_permutations: int = 2000, seed: int = 0) -> DomainTest:
    """Test whether domains differ in each network's energy; documents are the unit of resampling.

    Parts of one text are one document. Where the median lengths of the domains' documents differ
    by more than `MOST_UNEQUAL` times, each document counts with as many first tokens as the
    shortest median: else the wider scatter of short documents looks like a domain.

    Raises
    ------
    SettingsError
        If there are fewer than two domains, or as few documents as domains.
    """
    usable = ~atlas.is_dummy
    document = document_codes(atlas.tokens)[usable]
    domain = atlas.tokens["domain"].cat.codes.to_numpy()[usable]
    unique, first, code = np.unique(document, return_index=True, return_inverse=True)
    labels = domain[first]
    if len(np.unique(labels)) < 2 or len(unique) <= len(np.unique(labels)):
        raise SettingsError(
            f"{len(unique)} documents in {len(np.unique(labels))} domains are too few to compare "
            "domains.",
            hint="Record several documents of at least two domains.",
        )
    medians = [float(np.median(np.bincount(code)[labels == d])) for d in np.unique(labels)]
    squares = np.square(atlas.time_courses[:, usable].astype(np.float64))
    n_first = round(min(medians)) if max(medians) > MOST_UNEQUAL * min(medians) else 0
    if n_first:
        order = np.argsort(code, kind="stable")
        starts = np.concatenate([[0], np.cumsum(np.bincount(code))[:-1]])
        place = np.empty(len(code), dtype=np.int64)
        place[order] = np.arange(len(code)) - starts[code[order]]
        code, squares = code[place < n_first], squares[:, place < n_first]
    counts = np.bincount(code)
    sums = np.stack([np.bincount(code, weights=row, minlength=len(unique)) for row in squares])
    energy = np.log(np.maximum(sums / counts, 1e-12))  # multiplicative differences, near Gaussian
    observed = explained_by(labels, energy)
    rng = np.random.default_rng(seed)
    n_at_least = np.ones(len(energy))
    for _ in range(n_permutations):
        n_at_least += explained_by(rng.permutation(labels), energy) >= observed - 1e-12
    p_value = np.maximum(n_at_least / (n_permutations + 1), 1 / n_arrangements(labels))
    return DomainTest(
        statistic=observed,
        p_value=p_value,
        p_corrected=benjamini_hochberg(p_value),
        n_documents=len(unique),
        n_permutations=n_permutations,
        lengths=(round(min(medians)), round(max(medians))),
        n_first=n_first,
    )


def n_arrangements(labels: NDArray[np.generic]) -> int:
    """Return how many different arrangements permutations of labels have."""
    counts = np.unique(labels, return_counts=True)[1]
    return math.factorial(len(labels)) // math.prod(math.factorial(int(n)) for n in counts)


def benjamini_hochberg(p_values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return p-values corrected for the false discovery rate (Benjamini & Hochberg 1995)."""
    n = len(p_values)
    order = np.argsort(p_values)
    scaled = p_values[order] * n / np.arange(1, n + 1)
    corrected = np.empty(n)
    corrected[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return corrected


@dataclass(frozen=True, slots=True, kw_only=True)
class LogitEffect:
    """A token that a network's output direction makes more or less probable."""

    text: str
    effect: float


def output_direction(
    language_model: LanguageModel, weights: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Return Σ_j weight_j W[:, j] over the units of all layers: (hidden,), float64.

    Where a family has a norm between the MLP and the residual stream, its gain is applied.
    """
    layer_weights = language_model.layout.split(np.asarray(weights, dtype=np.float64))
    total = torch.zeros(int(language_model.config.hidden_size), dtype=torch.float64)
    architecture = language_model.architecture
    projections = output_projections(language_model.model, architecture)
    layers = layers_of(language_model.model, architecture)
    with torch.no_grad():
        for layer, module, weights_here in zip(layers, projections, layer_weights, strict=True):
            if weights_here.any():
                weight = weight_of(module)
                column_weights = torch.from_numpy(weights_here).to(weight.device, torch.float32)
                direction = (weight.float() @ column_weights).double().cpu()
                if architecture.output_norm:
                    norm = layer.get_submodule(architecture.output_norm)
                    direction = through_norm(architecture, norm, direction)
                total += direction
    result: NDArray[np.float64] = total.numpy()
    return result


def logit_effects(
    language_model: LanguageModel, weights: NDArray[np.floating], *, n: int = 10
) -> tuple[list[LogitEffect], list[LogitEffect]]:
    """Return the tokens that units' output directions promote and suppress, strongest first.

    The direction goes through the final norm's linear part and the unembedding (the direct path;
    what later layers make of it is left out). Effects are z over the vocabulary.

    Parameters
    ----------
    weights : ndarray (n_units,)
        A unit's activation per unit of network strength, σ_j z_kj; or one unit alone.
    """
    direction = output_direction(language_model, weights)
    scaled = to_unembedding(
        language_model.model, language_model.architecture, torch.from_numpy(direction)
    )
    with torch.no_grad():
        head = weight_of(language_model.model.get_output_embeddings())
        scaled = scaled.to(head.device, torch.float32)
        logits = (head.float() @ scaled).double().cpu().numpy()
    z = (logits - logits.mean()) / max(float(logits.std()), 1e-12)
    order = np.argsort(z)

    def effects_of(index: NDArray[np.int64]) -> list[LogitEffect]:
        decode = language_model.tokenizer.decode
        return [LogitEffect(text=str(decode([int(i)])), effect=float(z[i])) for i in index]

    return effects_of(order[::-1][:n]), effects_of(order[:n])


def network_weights(
    atlas: NetworkAtlas, std: NDArray[np.floating], network: int, *, z: float | None = None
) -> NDArray[np.float64]:
    """Return σ_j z_kj of a network's own units, 0 elsewhere: (n_units,).

    Its own are those that `NetworkAtlas.members` returns; z = 0 takes all.
    """
    units = atlas.members(network, z=z)
    weights = np.zeros(atlas.layout.n_units)
    weights[units] = atlas.maps[network, units].astype(np.float64) * std[units]
    return weights
