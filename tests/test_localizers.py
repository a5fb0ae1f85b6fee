"""Localizers: stimuli, the general linear model, decoding, and the run as a whole."""

import shutil
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tiny
from scipy import stats
from transformers import AutoTokenizer

from fnprune_core.cli import main
from fnprune_core.decomposition import group_ica
from fnprune_core.decomposition.group_ica import GroupICA
from fnprune_core.errors import NotConvergedWarning, SettingsError, TextError
from fnprune_core.localizers import ready_made
from fnprune_core.localizers.blocks import present
from fnprune_core.localizers.decoding import DecodingSettings, decode
from fnprune_core.localizers.glm import Sums, design_matrix, first_level, second_level
from fnprune_core.localizers.run import localize, localizers_of, open_localizer
from fnprune_core.localizers.stimuli import Item, Localizer, localizer_of, read_localizer
from fnprune_core.matching import dual_regression
from fnprune_core.progress import Cancelled, CancelToken
from fnprune_core.recording import record
from fnprune_core.recording.recording import RecordingSettings

QUICK = DecodingSettings(n_permutations=99)


def toy(
    *,
    n_templates: int = 8,
    n_items: int = 4,
    n_words: int = 5,
    conditions=("up", "down"),
    **options,
) -> Localizer:
    """Return items of toy words; the first condition likes the first half of the vocabulary."""
    rng = np.random.default_rng(3)
    items = []
    for place, condition in enumerate(conditions):
        words = np.array_split(np.array(tiny.WORDS[1:]), len(conditions))[place]
        for template in range(n_templates):
            items += [
                Item(
                    condition=condition,
                    template=f"{template}",
                    text=" ".join(rng.choice(words, n_words)),
                )
                for _ in range(n_items)
            ]
    return localizer_of(items, name="toy", **{"has_templates": True, **options})


# Stimuli ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ready_made.READY)
def test_shipped_stimuli_are_enough_and_differ(name) -> None:
    found = ready_made.load(name)
    assert found.is_paired
    assert {item.condition for item in found.items} == set(found.conditions)
    for condition in found.conditions:
        assert len(found.texts(condition)) >= 60
        assert len(found.templates(condition)) >= 8
        assert len(set(found.texts(condition))) == len(found.texts(condition))


@pytest.fixture(scope="module")
def embedded_tokenizer(need_embedded_model):
    return AutoTokenizer.from_pretrained(need_embedded_model)


@pytest.mark.parametrize("name", ready_made.READY)
def test_shipped_stimuli_are_balanced_in_tokens(name, embedded_tokenizer) -> None:
    found = ready_made.load(name)
    shown = present(found, embedded_tokenizer, window=512, n_dummy_tokens=4)
    lengths: dict[str, set[int]] = {}
    for block, length in zip(shown.blocks, np.diff(shown.windows.starts), strict=True):
        lengths.setdefault(block.template, set()).add(int(length))
    assert all(len(each) == 1 for each in lengths.values()), lengths
    assert len(set(shown.tokens_by_condition().values())) == 1


def test_blocks_alternate_and_hold_each_item_once() -> None:
    found = toy(conditions=("a", "b", "c"), positive=("a", "b"))
    blocks = found.blocks(seed=1)
    assert [block.condition for block in blocks[:6]] == ["a", "b", "c"] * 2
    assert sorted(i for block in blocks for i in block.items) == list(range(len(found.items)))
    for i in range(0, len(blocks), 3):  # the same template in each condition
        assert len({block.template for block in blocks[i : i + 3]}) == 1
    assert found.blocks(seed=1) == blocks
    assert found.blocks(seed=2) != blocks
    assert found.contrast == "a and b against c"


def test_windows_hold_the_items_that_they_say(llama) -> None:
    found = toy()
    shown = present(found, llama.tokenizer, window=32, n_dummy_tokens=2)
    assert shown.windows.n_windows == 16
    for number, item in enumerate(found.items):
        ids = shown.windows.token_ids[shown.item == number]
        assert llama.tokenizer.decode(ids) == item.text
    assert shown.windows.is_dummy.sum() == 32
    bpe = tiny.bpe_tokenizer()  # where line breaks are tokens
    text = bpe.decode(present(found, bpe, window=512, n_dummy_tokens=2).windows.window_ids(0))
    expected = [found.items[i].text for i in found.blocks()[0].items]
    assert text.removeprefix("<|start|>").split("\n") == expected


@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
def test_a_file_of_ones_own_is_read(delimiter, tmp_path) -> None:
    rows = [(c, f'"x one{delimiter} two {i}"') for c in "ab" for i in range(24)]
    path = tmp_path / "mine.tsv"
    path.write_text("\n".join(delimiter.join(row) for row in rows))
    found = read_localizer(path)
    assert found.name == "mine"
    assert found.conditions == ("a", "b")
    assert (found.unit, found.is_paired) == ("blocks", False)
    assert len(found.templates("a")) == 4
    assert found.texts("b")[3] == f"x one{delimiter} two 3"
    titled = "text,condition,template\n" + "\n".join(
        f"go {i},{c},{i % 6}" for c in "ab" for i in range(12)
    )
    with_templates = read_localizer(titled.encode(), negative=("a",))
    assert (with_templates.unit, with_templates.is_paired) == ("templates", True)
    assert with_templates.conditions == ("b", "a")


LINES = [f"{c},some words {i}" for c in "ab" for i in range(12)]


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("", "empty", "condition and text"),
        ("\n".join(line for line in LINES if line[0] == "a"), "two conditions", "second condition"),
        ("\n".join([*LINES, "a,b,c"]), "Line 25 has a number of columns other than 2", "quotes"),
        (
            "\n".join([*LINES[:4], "a,", *LINES[4:], ",x y"]),
            "Line 26 has an empty condition",
            "Fill",
        ),
        ("\n".join([*LINES, "a,"]), "Line 25 has an empty text", "Fill it in"),
        ("\n".join(line[2:] for line in LINES), "one column only", "two columns"),
        ("\n".join(LINES[:14]), "Condition 'b' has 1 blocks; 4 are the least", "Give 8 items"),
        (
            "condition,template,text\n"
            + "\n".join(f"{c},{i % 3},x y" for c in "ab" for i in range(9)),
            "has 3 templates",
            "more frames",
        ),
        ('a,"never closed', "no table", "condition and text"),
    ],
)
def test_a_wrong_file_says_what_is_missing_and_what_would_do(text, message, hint) -> None:
    with pytest.raises(TextError) as caught:
        read_localizer(text.encode())
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_wrong_contrasts_and_names_are_told() -> None:
    with pytest.raises(TextError, match="no condition 'z'"):
        toy(positive=("z",))
    with pytest.raises(TextError, match="both sides"):
        toy(positive=("up",), negative=("up", "down"))
    with pytest.raises(SettingsError, match="no ready localizer 'nope'"):
        ready_made.load("nope")
    with pytest.raises(TextError, match="UTF-8"):
        read_localizer(b"\xff\xfe\x00a")


def test_a_file_named_like_a_ready_localizer_has_another_name() -> None:
    assert ready_made.own_name("mine") == "mine"
    assert all(ready_made.own_name(name) not in ready_made.READY for name in ready_made.READY)


def test_the_command_tells_which_localizers_there_are(monkeypatch, capsys) -> None:
    monkeypatch.setattr(sys, "argv", ["fnprune", "localize", "latest", "nope"])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 2
    assert "sentiment" in capsys.readouterr().err


def test_items_and_blocks_must_have_room_for_a_response(llama) -> None:
    one = toy(n_words=1, n_items=6)
    with pytest.raises(TextError, match="96 items have one token only"):
        present(one, llama.tokenizer, window=32, n_dummy_tokens=2)
    with pytest.raises(TextError, match="have 4 tokens together; 6 are the least"):
        present(toy(n_words=2, n_items=2), llama.tokenizer, window=32, n_dummy_tokens=4)
    with pytest.raises(TextError, match="have 20 tokens together, a window has 16"):
        present(toy(), llama.tokenizer, window=16, n_dummy_tokens=2)


# The model ---------------------------------------------------------------------------------------


def simulated(
    localizer: Localizer, *, n: int, n_tokens: int = 30, seed: int = 0, block_sd: float = 1.0
):
    """Return blocks, blocks of tokens, covariates, and noise whose blocks differ by themselves."""
    rng = np.random.default_rng(seed)
    blocks = localizer.blocks()
    block = np.repeat(np.arange(len(blocks)), n_tokens)
    covariates = {
        "log frequency": rng.normal(size=len(block)),
        "position": np.tile(np.arange(n_tokens) / 100, len(blocks)),
    }
    noise = rng.normal(size=(len(block), n)) + block_sd * rng.normal(size=(len(blocks), n))[block]
    return blocks, block, covariates, noise


@pytest.mark.parametrize("n_tokens", [2, 3, 7, 9, 50])
def test_boxcars_are_exact_for_blocks_of_any_length(n_tokens) -> None:
    block = np.repeat(np.arange(12), n_tokens)
    block = block[n_tokens - 1 :]  # the first is as short as can be
    design = design_matrix(block, {"position": np.arange(len(block), dtype=float)})
    expected = (block[:, None] == np.arange(12)).astype(float)
    np.testing.assert_array_equal(design.to_numpy()[:, :12], expected)


def test_weights_are_plain_least_squares() -> None:
    _, block, covariates, signals = simulated(toy(), n=7)
    design = design_matrix(block, covariates)
    boxcars = (block[:, None] == np.arange(16)).astype(float)
    plain = np.column_stack([boxcars, *(v - v.mean() for v in covariates.values())])
    # nilearn resamples what it is given on a finer grid and back
    np.testing.assert_allclose(design.to_numpy(), plain, atol=1e-9)
    expected = np.linalg.lstsq(plain, signals, rcond=None)[0]
    np.testing.assert_allclose(first_level(design, signals), expected, atol=1e-9)
    sums = Sums(design, 7)
    for start in range(0, len(block), 60):
        sums.add(slice(start, start + 60), signals[start : start + 60])
    np.testing.assert_allclose(sums.solve(), expected, atol=1e-5)  # blocks are summed in float32


@pytest.mark.parametrize("has_templates", [True, False])
def test_second_level_is_the_t_test_over_templates(has_templates) -> None:
    found = toy(has_templates=has_templates, n_items=6)
    effects = np.random.default_rng(0).normal(size=(len(found.blocks()), 5)) + 1
    effects[:, 4] = 1  # does not vary: no t
    up = effects[[b.condition == "up" for b in found.blocks()]]
    down = effects[[b.condition == "down" for b in found.blocks()]]
    contrast = second_level(found, found.blocks(), effects)
    if has_templates:  # blocks of a template stand in the same order in both conditions
        expected = stats.ttest_rel(up, down)
    else:
        expected = stats.ttest_ind(up, down, equal_var=False)
    np.testing.assert_allclose(contrast.t[:4], expected.statistic[:4])
    np.testing.assert_allclose(contrast.p[:4], expected.pvalue[:4])
    low, high = contrast.interval()
    interval = expected.confidence_interval()
    np.testing.assert_allclose(low[:4], interval.low[:4])
    np.testing.assert_allclose(high[:4], interval.high[:4])
    assert (contrast.t[4], contrast.p[4], contrast.q[4]) == (0, 1, 1)
    np.testing.assert_allclose(contrast.q[:4], stats.false_discovery_control(contrast.p[:4]))


@pytest.mark.parametrize("has_templates", [True, False])
def test_false_positives_are_at_the_nominal_level_where_blocks_differ_by_themselves(
    has_templates,
) -> None:
    found = toy(has_templates=has_templates, n_items=6)
    blocks, block, covariates, noise = simulated(found, n=3000, seed=5)
    effects = first_level(design_matrix(block, covariates), noise)[: len(blocks)]
    p = second_level(found, blocks, effects).p
    # 3,000 independent tests: the share has a standard error of 0.004
    assert 0.037 < (p < 0.05).mean() < 0.063
    up = np.array([b.condition == "up" for b in blocks])[block]
    naive = stats.ttest_ind(noise[up], noise[~up]).pvalue
    assert (naive < 0.05).mean() > 0.4  # what counting tokens would do


def test_a_planted_effect_is_found_and_no_other_network_with_it() -> None:
    found = toy(n_templates=12)
    blocks, block, covariates, noise = simulated(found, n=64, block_sd=0.3)
    up = np.array([b.condition == "up" for b in blocks])[block]
    noise[up, 10] += 1.0
    contrast = second_level(
        found, blocks, first_level(design_matrix(block, covariates), noise)[: len(blocks)]
    )
    assert np.flatnonzero(contrast.q < 0.05).tolist() == [10]
    assert contrast.effect[10] == pytest.approx(1.0, abs=0.5)
    assert np.argmax(np.abs(contrast.effect_size)) == 10
    assert contrast.threshold() == pytest.approx(abs(contrast.t[10]))


def test_a_difference_of_covariates_alone_is_no_contrast() -> None:
    found = toy(n_templates=12)
    blocks, block, covariates, noise = simulated(found, n=200, block_sd=0.3)
    up = np.array([b.condition == "up" for b in blocks])[block]
    covariates["log frequency"] = covariates["log frequency"] + up  # rarer words on one side
    noise += 2.0 * covariates["log frequency"][:, None]
    p = second_level(
        found, blocks, first_level(design_matrix(block, covariates), noise)[: len(blocks)]
    ).p
    assert (p < 0.05).mean() < 0.12  # 200 tests that share one covariate's estimate
    without = second_level(
        found, blocks, np.stack([noise[block == b].mean(axis=0) for b in range(len(blocks))])
    ).p
    assert (without < 0.05).mean() > 0.9


# Decoding ----------------------------------------------------------------------------------------


def features_of(localizer: Localizer, rng: np.random.Generator, *, shift: float = 0.0):
    """Return features of items in which blocks differ by themselves, and each item's block."""
    blocks = localizer.blocks()
    block = np.repeat(np.arange(len(blocks)), [len(b.items) for b in blocks])
    x = rng.normal(size=(len(block), 10)) + rng.normal(size=(len(blocks), 10))[block]
    x[:, 0] += shift * np.array([b.condition in localizer.positive for b in blocks])[block]
    return blocks, x, block


@pytest.mark.parametrize("has_templates", [True, False])
def test_decoding_of_noise_is_at_chance_and_its_p_is_honest(has_templates) -> None:
    found = toy(has_templates=has_templates, n_items=6, n_templates=6)
    rng = np.random.default_rng(0)
    made = [
        decode(found, *features_of(found, rng), settings=DecodingSettings(n_permutations=39))
        for _ in range(200)
    ]
    p = np.array([each.p for each in made])
    # Binomial: 200 draws at 0.05 and at 0.5 give up to 0.10 and from 0.40
    assert (p <= 0.05).mean() <= 0.10
    assert (p <= 0.5).mean() > 0.35
    assert np.mean([each.accuracy for each in made]) == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("conditions", [("up", "down"), ("a", "b", "c")])
def test_decoding_finds_what_was_planted(conditions) -> None:
    found = toy(conditions=conditions, positive=conditions[:-1], n_templates=10)
    blocks, x, block = features_of(found, np.random.default_rng(1), shift=5.0)
    made = decode(found, blocks, x, block, settings=QUICK)
    assert made.accuracy > 0.85
    assert made.p == pytest.approx(0.01)
    assert made.n_folds == 10
    assert made.by_block.mean() == pytest.approx(made.accuracy, abs=0.1)
    assert 0 < made.standard_error < 0.1
    again = decode(found, blocks, x, block, settings=QUICK)
    np.testing.assert_array_equal(made.null, again.null)


# The whole ---------------------------------------------------------------------------------------


@pytest.fixture
def atlas_id(workspace, llama) -> str:
    """An atlas of 4 networks of toy texts in windows of 32."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotConvergedWarning)
        recording = record.record_texts(
            workspace,
            llama,
            tiny.toy_documents(n_words=130),
            settings=RecordingSettings(window=32, n_dummy_tokens=2, max_tokens=None),
        )
        ica = GroupICA(n_components=4, n_runs=1, max_iter=60)
        return group_ica.decompose(workspace, recording, settings=ica)


def test_a_run_is_found_again_and_read_back_whole(workspace, llama, atlas_id) -> None:
    found = toy()
    seen = []
    id = localize(
        workspace, llama, atlas_id, found, settings=QUICK, progress=lambda e: seen.append(e.stage)
    )
    assert dict.fromkeys(seen).keys() == {"reading blocks", "permutations"}
    assert localize(workspace, llama, atlas_id, found, settings=QUICK) == id
    made = open_localizer(workspace, id)
    assert made.localizer == found
    assert made.strengths.shape == (4, len(made.tokens))
    assert made.unit_effects.shape == (16, 144)
    listed = localizers_of(workspace, atlas_id)
    assert [(each.id, each.contrast, each.p) for each in listed] == [
        (id, "up against down", made.decoding.p)
    ]
    assert not localizers_of(workspace, "other")
    # the probe reads a block alike
    probe = dual_regression.open_probe(workspace, atlas_id)
    texts = " ".join(found.items[i].text for i in made.blocks[3].items)
    reading = probe.read(llama, texts)
    np.testing.assert_allclose(
        made.strengths[:, made.tokens["block"] == 3], reading.relative(), atol=1e-4
    )
    table = made.network_table()
    assert sorted(table["network"]) == [0, 1, 2, 3]
    assert ((table["low"] <= table["difference"]) & (table["difference"] <= table["high"])).all()
    template = made.template_table(2)
    row = table[table["network"] == 2].iloc[0]
    assert template["difference"].mean() == pytest.approx(row["difference"])
    assert made.item_table()["tokens"].tolist() == [5] * 64
    assert made.layer_table()[["positive", "negative"]].to_numpy().sum() == made.n_responding()
    assert len(made.unit_table()) == made.n_responding()
    assert made.surprise_table()["tokens"].tolist() == [8 * 18] * 2
    assert made.design().shape == (16 * 18, 18)


def test_texts_that_differ_in_every_word_are_told_apart(workspace, llama, atlas_id) -> None:
    items = [
        Item(condition=condition, template=f"{template}", text=f"{word} {word} {other} {word}")
        for condition, word in (("up", "aq"), ("down", "gy"))
        for template in range(8)
        for other in tiny.WORDS[10 + template : 50 : 8]
    ]
    found = localizer_of(items, name="words", has_templates=True)
    id = localize(workspace, llama, atlas_id, found, settings=QUICK)
    made = open_localizer(workspace, id)
    assert made.decoding.accuracy > 0.8
    assert made.decoding.p == pytest.approx(0.01)
    assert made.networks.q.min() < 0.01


def test_the_seed_alone_decides(workspace, llama, atlas_id, tmp_path) -> None:
    def run(root: Path, seed: int):
        own = type(workspace)(root)
        if not root.exists():
            shutil.copytree(workspace.root, root)
        settings = replace(QUICK, seed=seed)
        return open_localizer(own, localize(own, llama, atlas_id, toy(), settings=settings))

    first, again, other = run(tmp_path / "a", 0), run(tmp_path / "b", 0), run(tmp_path / "a", 1)
    np.testing.assert_array_equal(first.strengths, again.strengths)
    np.testing.assert_array_equal(first.unit_effects, again.unit_effects)
    np.testing.assert_array_equal(first.decoding.null, again.decoding.null)
    assert first.blocks != other.blocks


def test_a_stopped_run_leaves_nothing(workspace, llama, atlas_id) -> None:
    token = CancelToken()

    def stop(event) -> None:
        if event.stage == "reading blocks" and event.done == 2:
            token.cancel()

    with pytest.raises(Cancelled):
        localize(workspace, llama, atlas_id, toy(), progress=stop, cancel=token)
    assert not workspace.ids("localizers")
    assert tiny.is_idle(llama)
