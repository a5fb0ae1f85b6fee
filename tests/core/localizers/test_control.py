"""A localizer beside random directions, and after what tokens per word explain."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from toy_localizer import toy

from fnprune_core.errors import SettingsError
from fnprune_core.localizers import control
from fnprune_core.localizers.decoding import DecodingSettings
from fnprune_core.localizers.results import LocalizerResult
from fnprune_core.models.layout import UnitLayout

RNG = np.random.default_rng(4)
N_TOKENS = 24  # of each block, four items


def result_of(*, by_condition: float, by_length: float) -> LocalizerResult:
    """Two networks of noise, the first with a part of each; the second condition has long words."""
    localizer = toy()
    blocks = localizer.blocks()
    is_up = np.repeat([block.condition == "up" for block in blocks], N_TOKENS)
    starts = RNG.random(len(is_up)) < np.where(is_up, 0.9, 0.4)
    tokens = pd.DataFrame(
        {
            "block": np.repeat(np.arange(len(blocks)), N_TOKENS),
            "item": np.repeat(np.concatenate([block.items for block in blocks]), N_TOKENS // 4),
            "text": np.where(starts, " ab", "cd"),
            "is_dummy": False,
            "log frequency": RNG.standard_normal(len(is_up)),
            "position": np.tile(np.arange(N_TOKENS), len(blocks)) / 100,
        }
    )
    strengths = RNG.standard_normal((2, len(tokens)))
    strengths[0] += by_condition * is_up + by_length * control.word_lengths(tokens)
    settings = DecodingSettings(n_permutations=9)
    weights, decoding = control.fit(localizer, blocks, tokens, strengths, settings=settings)
    return LocalizerResult(
        localizer=localizer,
        blocks=blocks,
        tokens=tokens,
        strengths=strengths.astype(np.float32),
        network_effects=weights,
        unit_effects=np.zeros((len(blocks), 2), dtype=np.float32),
        alive=np.ones(2, dtype=bool),
        decoding=decoding,
        layout=UnitLayout((2,)),
        decomposition_id="a",
        directions={kind: RNG.standard_normal((2, len(tokens))) for kind in control.MAPS},
    )


def test_a_word_is_its_tokens_and_marks_stand_alone() -> None:
    text = [" un", "believ", "able", " cat", ".", "\n", "A", " b"]
    tokens = pd.DataFrame({"text": text, "item": [0, 0, 0, 0, 0, 1, 1, 1]})
    assert control.word_lengths(tokens).tolist() == [3, 3, 3, 1, 1, 1, 1, 1]


def test_what_only_long_words_bring_about_goes_when_it_is_adjusted_for() -> None:
    table = control.controls(result_of(by_condition=0, by_length=3)).set_index(["of", "adjusted"])
    assert table.loc[("networks", False), "responding"] == 1
    assert table.loc[("networks", True), "responding"] == 0
    assert table.loc[("networks", False), "accuracy"] > 0.8
    assert table.loc[("networks", True), "accuracy"] < 0.65


def test_what_conditions_bring_about_stays_and_stands_beside_random_directions() -> None:
    found = result_of(by_condition=2, by_length=0)
    table = control.controls(found)
    rows = table.set_index(["of", "adjusted"])["responding"]
    assert rows["networks"].tolist() == [1, 1]
    assert rows["permuted"].tolist() == [0, 0]
    beside = control.beside(found)
    assert set(beside.control) == {"permuted", "rotated"}
    assert beside.is_above()[0]
    assert beside.networks[0] > 10 * beside.limit()
    says, _ = control.sentences(found, table)
    assert "1 of 2 networks respond" in says
    assert "random directions 0 permuted and 0 rotated (differences of +1 and +1)" in says
    assert "no evidence" not in says
    lengths = control.tokens_per_word(found)
    assert lengths["up"] < 1.2 < lengths["down"]


def test_decoding_that_random_directions_reach_is_no_evidence_for_networks() -> None:
    found = result_of(by_condition=2, by_length=0)
    found = replace(found, directions=dict.fromkeys(control.MAPS, found.strengths))
    says, _ = control.sentences(found, control.controls(found))
    assert "so that it is no evidence for networks" in says


def test_the_adjustment_rests_on_the_condition_whose_words_differ_in_length() -> None:
    found = result_of(by_condition=0, by_length=0)
    is_up = found.tokens["block"].isin(
        [n for n, b in enumerate(found.blocks) if b.condition == "up"]
    )
    short = replace(found, tokens=found.tokens.assign(text=found.tokens["text"].mask(is_up, " ab")))
    assert control.slope_shares(short) == {"up": 0, "down": 1}
    assert sum(control.slope_shares(found).values()) == pytest.approx(1)
    assert "100 % of them among down" in control.sentences(short, control.controls(short))[1]


def test_a_result_of_before_has_no_directions_to_stand_beside() -> None:
    found = replace(result_of(by_condition=2, by_length=0), directions={})
    assert set(control.controls(found)["of"]) == {"networks"}
    assert "The control is missing" in control.sentences(found, control.controls(found))[0]
    with pytest.raises(SettingsError):
        control.beside(found)
