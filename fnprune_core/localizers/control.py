"""A localizer's networks beside random directions, and beside what tokens per word explain.

Nearly any direction in a model's units answers to texts that differ as much as two conditions do,
and a network may answer to words that are cut into many tokens rather than to what they mean.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fnprune_core.atlas.chance.beside import Beside
from fnprune_core.atlas.chance.directions import permuted_maps, rotated
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.errors import SettingsError
from fnprune_core.localizers.decoding import Decoding, DecodingSettings, decode
from fnprune_core.localizers.glm import LEVEL, Contrast, design_matrix, first_level, second_level
from fnprune_core.localizers.results import COVARIATES, LocalizerResult
from fnprune_core.localizers.stimuli import Block, Localizer
from fnprune_core.progress import NEVER, CancelToken, Progress, ignore

#: Kinds of random directions, and their maps. Shifted units are no control here: a shift within a
#: block leaves the block's mean, which is what is contrasted.
MAPS: Mapping[str, Callable[[NetworkAtlas], NDArray[np.float32]]] = {
    "permuted": permuted_maps,
    "rotated": lambda atlas: rotated(atlas)[0],
}
WORD_LENGTH = "tokens per word"
#: Why a result has no control, in words.
BEFORE = "it was run before random directions were read with localizers"
_ACCURACY_ONLY = 1  # permutation: the p of a control is not read


def fit(
    localizer: Localizer,
    blocks: Sequence[Block],
    tokens: pd.DataFrame,
    strengths: NDArray[np.floating],
    *,
    settings: DecodingSettings,
    progress: Progress = ignore,
    cancel: CancelToken = NEVER,
) -> tuple[NDArray[np.float64], Decoding]:
    """Return first-level weights (blocks + covariates, K), and the decoding of items.

    Parameters
    ----------
    tokens : DataFrame
        With block, item, is_dummy and the covariates; `WORD_LENGTH` is one where it is there.
    strengths : ndarray (K, n_tokens)
    """
    usable = tokens[~tokens["is_dummy"]]
    covariates = [*COVARIATES, *({WORD_LENGTH} & set(usable))]
    block, item = (usable[name].to_numpy() for name in ("block", "item"))
    design = design_matrix(block, {name: usable[name].to_numpy() for name in covariates})
    courses = strengths[:, ~tokens["is_dummy"].to_numpy()].T
    weights = first_level(design, courses)
    # What the covariates explain is taken off; the blocks' boxcars share it out, not the labels.
    adjusted = courses - design.to_numpy()[:, len(blocks) :] @ weights[len(blocks) :]
    features, block_of_item = item_means(adjusted, item, block)
    decoding = decode(
        localizer, blocks, features, block_of_item,
        settings=settings, progress=progress, cancel=cancel,
    )  # fmt: skip
    return weights, decoding


def item_means(
    strengths: NDArray[np.floating], item: NDArray[np.integer], block: NDArray[np.integer]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return each item's mean over its tokens (n_items, K), and the block that it is in.

    Parameters
    ----------
    strengths : ndarray (n_tokens, K)
    item, block : ndarray (n_tokens,)
    """
    numbers, first_token, inverse, counts = np.unique(
        item, return_index=True, return_inverse=True, return_counts=True
    )
    sums = np.zeros((len(numbers), strengths.shape[1]))
    np.add.at(sums, inverse, strengths)
    return sums / counts[:, None], np.asarray(block[first_token], dtype=np.int64)


def _words(tokens: pd.DataFrame) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Return which tokens have letters or digits, and the number of the word that each is in."""
    text, item = tokens["text"].astype(str), tokens["item"]
    has_letters = text.str.contains(r"\w").to_numpy()
    follows_letters = np.concatenate([[False], has_letters[:-1]])
    begins = text.str.match(r"\s").to_numpy() | (item != item.shift()).to_numpy()
    return has_letters, np.cumsum(begins | ~has_letters | ~follows_letters)


def word_lengths(tokens: pd.DataFrame) -> NDArray[np.float64]:
    """Return how many tokens the word of each token has; 1 for marks and spaces: (n_tokens,)."""
    _, word = _words(tokens)
    return np.bincount(word)[word].astype(np.float64)


def tokens_per_word(result: LocalizerResult) -> dict[str, float]:
    """Return tokens per word in each condition, over the tokens that count."""
    has_letters, word = _words(result.tokens)
    counted = has_letters & ~result.tokens["is_dummy"].to_numpy()
    of_token = _conditions(result)
    return {
        name: float(chosen.sum() / max(len(np.unique(word[chosen])), 1))
        for name in result.localizer.conditions
        for chosen in (counted & (of_token == name),)
    }


def slope_shares(result: LocalizerResult) -> dict[str, float]:
    """Return how much of the adjustment for tokens per word rests on each condition.

    Its slope is fitted within blocks, so that a condition whose words are all of one token adds
    nothing: the share of the squared deviations from blocks' means, which sum to 1.
    """
    usable = ~result.tokens["is_dummy"].to_numpy()
    lengths = pd.Series(word_lengths(result.tokens)[usable])
    deviations = lengths - lengths.groupby(result.tokens["block"].to_numpy()[usable]).transform(
        "mean"
    )
    sums = deviations.pow(2).groupby(_conditions(result)[usable]).sum()
    total = float(sums.sum())
    return {
        name: float(sums[name]) / total if total else 0.0 for name in result.localizer.conditions
    }


def _conditions(result: LocalizerResult) -> NDArray[np.str_]:
    """Return the condition of each token: (n_tokens,)."""
    conditions = np.array([block.condition for block in result.blocks])
    return np.asarray(conditions[result.tokens["block"].to_numpy()])


def _fitted(
    result: LocalizerResult, strengths: NDArray[np.floating], *, is_adjusted: bool
) -> tuple[Contrast, Decoding]:
    tokens = result.tokens
    if is_adjusted:
        tokens = tokens.assign(**{WORD_LENGTH: word_lengths(tokens)})
    weights, decoding = fit(
        result.localizer, result.blocks, tokens, strengths,
        settings=DecodingSettings(n_permutations=_ACCURACY_ONLY, seed=result.seed),
    )  # fmt: skip
    return second_level(result.localizer, result.blocks, weights[: len(result.blocks)]), decoding


def controls(result: LocalizerResult) -> pd.DataFrame:
    """Return one row for the networks and each kind of random directions, plain and adjusted.

    Columns: of, adjusted (for tokens per word), responding (q below 0.05), accuracy and
    standard_error of decoding. Words of many tokens are taken off linearly, with the slope that
    they have within blocks. A localizer that was run before the control has the networks alone.
    """
    rows = []
    for name, strengths in {"networks": result.strengths, **result.directions}.items():
        for is_adjusted in (False, True):
            contrast, decoding = _fitted(result, strengths, is_adjusted=is_adjusted)
            rows.append(
                {
                    "of": name,
                    "adjusted": is_adjusted,
                    "responding": int((contrast.q < LEVEL).sum()),
                    "accuracy": decoding.accuracy,
                    "standard_error": decoding.standard_error,
                }
            )
    return pd.DataFrame(rows)


def beside(result: LocalizerResult) -> Beside:
    """Return |t| of each network beside that of random directions.

    Raises
    ------
    SettingsError
        If the localizer was run before random directions were read with it.
    """
    if not result.directions:
        raise SettingsError(f"This localizer has no control: {BEFORE}.", hint="Run it again.")
    return Beside(
        networks=np.abs(result.networks.t),
        control={
            kind: np.abs(_fitted(result, strengths, is_adjusted=False)[0].t)
            for kind, strengths in result.directions.items()
        },
    )


def sentences(result: LocalizerResult, table: pd.DataFrame) -> tuple[str, str]:
    """Return in words what responds beside random directions, and after tokens per word.

    Parameters
    ----------
    table : DataFrame
        As `controls` returns it.
    """
    rows = {(row["of"], row["adjusted"]): row for row in table.to_dict("records")}
    return _beside_text(result, rows), _adjusted_text(result, rows)


def _beside_text(
    result: LocalizerResult, rows: Mapping[tuple[str, bool], Mapping[Any, Any]]
) -> str:
    own = rows["networks", False]
    text = f"{own['responding']} of {result.n_networks} networks respond"
    if not result.directions:
        return f"{text}. The control is missing, for {BEFORE}."
    others = [rows[kind, False] for kind in MAPS]
    differences = " and ".join(f"{own['responding'] - row['responding']:+d}" for row in others)
    as_good = max(row["accuracy"] for row in others) >= own["accuracy"]
    decoded = " and ".join(f"{100 * row['accuracy']:.0f} %" for row in others)
    no_evidence = ", so that it is no evidence for networks" if as_good else ""
    return (
        f"{text}, and of as many random directions {_counts(rows, is_adjusted=False)} (differences "
        f"of {differences.replace('-', '−')}). Decoding is {100 * own['accuracy']:.0f} % from "
        f"networks, {decoded} from these{no_evidence}."
    )


def _adjusted_text(
    result: LocalizerResult, rows: Mapping[tuple[str, bool], Mapping[Any, Any]]
) -> str:
    own = rows["networks", True]
    lengths = ", ".join(f"{name} {each:.1f}" for name, each in tokens_per_word(result).items())
    shares = slope_shares(result)
    most = max(shares, key=lambda name: shares[name])
    beside = f" ({_counts(rows, is_adjusted=True)})" if result.directions else ""
    text = (
        f"Tokens per word: {lengths}. Adjusted for that, {own['responding']} networks respond"
        f"{beside}, and decoding is {100 * own['accuracy']:.0f} %."
    )
    if not shares[most]:
        return text
    return (
        f"{text} The adjustment is fitted to differences within blocks, "
        f"{100 * shares[most]:.0f} % of them among {most}."
    )


def _counts(rows: Mapping[tuple[str, bool], Mapping[Any, Any]], *, is_adjusted: bool) -> str:
    return " and ".join(f"{rows[kind, is_adjusted]['responding']} {kind}" for kind in MAPS)
