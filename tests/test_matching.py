"""Networks matched across atlases and models: by maps, by time courses, against chance."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import tiny
from tokenizers import Regex, Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Sequence, Split, WhitespaceSplit
from transformers import PreTrainedTokenizerFast

from fnprune_core.atlas import network_atlas
from fnprune_core.atlas.annotation_files import Annotation
from fnprune_core.atlas.annotations import annotate, read_annotations
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.cli import main
from fnprune_core.decomposition import group_ica
from fnprune_core.decomposition.group_ica import Decomposition, GroupICA
from fnprune_core.errors import (
    CorruptArtifactError,
    FingerprintMismatchError,
    NotConvergedWarning,
    SettingsError,
    TextError,
)
from fnprune_core.matching.atlases import likeness, likeness_of, match
from fnprune_core.matching.identities import carry_over, path_of, read_identities
from fnprune_core.matching.tokens import matched, shared_text
from fnprune_core.models.language_model import wrap_model
from fnprune_core.models.layout import UnitLayout
from fnprune_core.recording import record
from fnprune_core.recording.recording import RecordingSettings

N_UNITS = 300
SESSIONS, LENGTH = 4, 40


def token_table(pieces, *, session=None, n_dummy=0, document="a text") -> pd.DataFrame:
    """A token table as recordings have them; ids by first appearance of a text."""
    session = np.zeros(len(pieces), dtype=int) if session is None else np.asarray(session)
    position = np.concatenate([np.arange(n) for n in np.bincount(session)])
    return pd.DataFrame(
        {
            "session": session,
            "position": position,
            "token_id": pd.factorize(np.array(pieces, dtype=object))[0],
            "text": pieces,
            "document": pd.Categorical([document] * len(pieces)),
            "domain": pd.Categorical(["prose"] * len(pieces)),
            "is_dummy": position < n_dummy,
        }
    )


def atlas_of(maps, courses=None, *, tokens=None, fingerprint="a model", alive=None, id="0" * 16):
    """An atlas with these maps and time courses."""
    maps = np.asarray(maps, dtype=np.float32)
    if tokens is None:
        session = np.repeat(np.arange(SESSIONS), LENGTH)
        tokens = token_table([f"w{i}" for i in range(len(session))], session=session)
    if courses is None:
        courses = np.random.default_rng(9).standard_normal((len(maps), len(tokens)))
    k = len(maps)
    return NetworkAtlas(
        Decomposition(
            spatial_maps=maps,
            time_courses=np.asarray(courses, dtype=np.float32),
            run_agreement=np.ones(k),
            variance_alone=np.full(k, 0.1),
            variance_left_out=np.full(k, 0.1),
            variance_explained=0.5,
            layer_of_network=np.full(k, -1),
            alive=np.ones(maps.shape[1], dtype=bool) if alive is None else alive,
            n_iter=np.array([5]),
            converged=np.array([True]),
            layout=UnitLayout((maps.shape[1],)),
            recording_id="1" * 16,
            fingerprint=fingerprint,
            settings={},
            id=id,
        ),
        tokens,
    )


@pytest.fixture
def maps() -> np.ndarray:
    return np.random.default_rng(0).laplace(size=(6, N_UNITS))


def test_permuted_and_flipped_maps_find_their_own_with_the_sign(maps) -> None:
    order, sign = np.array([3, 0, 5, 1, 2, 4]), np.array([1, -1, 1, 1, -1, 1])
    noise = 0.3 * np.random.default_rng(1).standard_normal(maps.shape)
    found = match(atlas_of(maps[order] * sign[:, None] + noise), atlas_of(maps))
    assert found.by == "maps"
    assert found.pairs[:, 1].tolist() == order.tolist()
    assert np.sign(found.r).tolist() == sign.tolist()
    assert np.all(np.abs(found.r) > 0.9)
    assert found.identities()[1] == (0, pytest.approx(found.r[1]))
    assert np.all(found.table()["next_best"] < 0.3)


def test_unequal_numbers_leave_the_others_unmatched(maps) -> None:
    few, many = atlas_of(maps[[4, 1]]), atlas_of(maps)
    assert match(few, many).pairs.tolist() == [[0, 4], [1, 1]]
    assert match(few, many).unmatched(1) == (0, 2, 3, 5)
    assert match(many, few).unmatched(0) == (0, 2, 3, 5)
    assert match(many, few).partner(4) == (0, pytest.approx(1.0))
    assert match(many, few).partner(0) is None


def test_units_that_do_not_vary_in_one_atlas_do_not_count(maps) -> None:
    alive = np.arange(N_UNITS) >= 100
    found = match(atlas_of(np.where(alive, maps, 50.0), alive=alive), atlas_of(maps))
    assert np.allclose(found.r, 1.0)
    assert found.basis.startswith("200 units")


def test_a_weak_pair_is_no_identity(maps) -> None:
    other = np.random.default_rng(3).laplace(size=maps.shape)
    other[2] = maps[0]
    found = match(atlas_of(maps), atlas_of(other))
    assert found.identities() == {0: (2, pytest.approx(1.0))}
    assert len(found.pairs) == 6
    with pytest.raises(SettingsError, match=r"\(0, 1\]"):
        found.identities(threshold=0)


def test_maps_of_different_models_are_not_compared(maps) -> None:
    other = atlas_of(maps, fingerprint="another model")
    with pytest.raises(FingerprintMismatchError, match="another model"):
        match(atlas_of(maps), other, by="maps")
    assert match(atlas_of(maps), other).by == "time courses"


TEXT = "The cat sat on the mat, and unhappily the dog — été, 日本語 — ran away from it all. " * 3


def cut(text: str, seed: int) -> list[str]:
    """Cut a text at random places."""
    rng = np.random.default_rng(seed)
    places = np.sort(rng.choice(np.arange(1, len(text)), size=len(text) // 4, replace=False))
    return [text[i:j] for i, j in zip([0, *places], [*places, len(text)], strict=True)]


def bare(pieces) -> str:
    return "".join("".join(pieces).split()).casefold()


def test_stretches_say_the_same_on_both_sides_and_are_the_shortest() -> None:
    text = "".join(f"{i} {word}" for i, word in enumerate(TEXT.split()))  # no repeats
    a, b = token_table(cut(text, 0)), token_table(cut(text, 1))
    found = shared_text(a, b)
    assert found.clock == "characters"
    texts = [a["text"].to_numpy(), b["text"].to_numpy()]
    ends = [np.cumsum([len(bare([t])) for t in side]) for side in texts]
    common = set(ends[0]) & set(ends[1])
    n_common = len(common)
    assert found.n_stretches == n_common  # each ends at one common cut: none could be shorter
    for i in range(found.n_stretches):
        said = [texts[side][found.first[side, i] : found.last[side, i] + 1] for side in (0, 1)]
        assert bare(said[0]) == bare(said[1]) != ""


def test_a_stretch_averages_its_tokens() -> None:
    a = token_table(["un", "happy", " dogs", " bark"])
    b = token_table(["unhapp", "y", " dogs bark"])
    found = shared_text(a, b)
    assert found.n_stretches == 2
    assert found.means(np.array([[1.0, 3.0, 10.0, 30.0]]), 0).tolist() == [[2.0, 20.0]]
    assert found.means(np.array([[5.0, 7.0, 9.0]]), 1).tolist() == [[6.0, 9.0]]


def test_what_only_one_side_says_is_left_out_and_the_rest_is_found_again() -> None:
    words = [f"word{i} " for i in range(60)]
    a = token_table(["<s>", *words[:30], "\ufffd", "\ufffd", *words[30:]])
    b = token_table([*words[:30], "日", *words[30:]])
    found = shared_text(a, b)
    assert found.n_stretches == 60
    assert np.array_equal(a["text"].to_numpy()[found.first[0]], words)
    assert np.array_equal(b["text"].to_numpy()[found.first[1]], words)


@pytest.mark.parametrize(("here", "there"), [("wOrd", "woXrd"), ("woXrd", "wOrd"), ("aX", "aY")])
def test_a_token_that_differs_inside_is_no_stretch_but_capitals_do_not_count(here, there) -> None:
    words = [f"Word{i} " for i in range(60)]
    a = token_table([*words[:30], here, *words[30:]])
    b = token_table([word.lower() for word in (*words[:30], there, *words[30:])])
    b["token_id"] += 1000
    found = shared_text(a, b)
    assert found.n_stretches == 60
    assert 30 not in found.first[0]


def test_one_tokenizer_in_other_windows_is_compared_token_by_token() -> None:
    pieces = [f"{a}{b}" for a in "abcdefgh" for b in "stuvwxyz"]
    a = token_table(pieces, session=np.repeat([0, 1], 32), n_dummy=2)
    b = token_table(pieces, session=np.repeat([0, 1, 2, 3], 16), n_dummy=2)
    found = shared_text(a, b)
    assert found.clock == "tokens"
    assert found.n_stretches == 64 - 8  # dummy tokens of either side are left out
    assert np.array_equal(found.first[0], found.first[1])
    assert np.array_equal(found.first, found.last)
    assert not b["is_dummy"].to_numpy()[found.first[1]].any()


def test_text_of_another_document_is_not_shared() -> None:
    a = token_table([f"a{i}x" for i in range(40)])
    with pytest.raises(TextError, match="no text in common"):
        shared_text(a, token_table([f"b{i}y" for i in range(50)]))
    with pytest.raises(TextError, match="no text in common"):
        shared_text(a, token_table(list(a["text"])[1:], document="another"))


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("abcdef", "abcdef", "abcdef"),
        ("abcdefgh", "xxcdefyy", "cdef"),
        ("abcd----efgh", "abcd++efgh", "abcdefgh"),
        ("abab", "", ""),
        ("aaaaaaaa", "aaaaa", "aaaaa"),
    ],
)
def test_matched_characters_are_equal_and_in_order(a, b, expected) -> None:
    in_a, in_b = matched(a, b, anchor=3)
    assert "".join(a[i] for i in in_a) == "".join(b[j] for j in in_b) == expected
    assert np.all(np.diff(in_a) > 0)
    assert np.all(np.diff(in_b) > 0)


def slow_courses(rng, k: int) -> np.ndarray:
    """Unrelated time courses with the slow drift of real ones, by session."""
    drift = rng.standard_normal((k, SESSIONS, LENGTH + 12))
    smooth = np.stack([drift[..., i : i + LENGTH] for i in range(12)]).mean(axis=0)
    return smooth.reshape(k, -1)


def test_unrelated_time_courses_pass_for_alike_no_more_often_than_stated() -> None:
    rng = np.random.default_rng(5)
    table = atlas_of(np.ones((1, 5))).tokens
    shared = shared_text(table, table)
    n, p = 200, []
    for seed in range(n):
        found = likeness_of(
            slow_courses(rng, 4), slow_courses(rng, 5), shared, n_null=39, seed=seed
        )
        p.append(found.p)
    n_false = int((np.array(p) <= 0.05).sum())
    assert n_false <= 20  # binomial(200, 0.05): 99.8 % of the draws
    assert 0.4 < np.mean(p) < 0.6


def test_related_time_courses_stand_out_whatever_their_order_and_sign() -> None:
    rng = np.random.default_rng(6)
    a = slow_courses(rng, 4)
    b = -a[[2, 0, 3, 1]] + 0.2 * slow_courses(rng, 4)
    table = atlas_of(np.ones((1, 5))).tokens
    found = likeness_of(a, np.vstack([b, slow_courses(rng, 1)]), shared_text(table, table))
    assert found.p == 1 / 200
    assert found.score > 0.9
    assert found.pairs[:, 1].tolist() == [1, 3, 0, 2]
    assert found.n_above_chance == found.n_published == 4
    assert found.n_sessions == SESSIONS
    assert np.all(found.consistency[found.pairs[:, 0], found.pairs[:, 1]] < 0)
    assert "p 0.005" in found.sentence()


def letters_tokenizer() -> PreTrainedTokenizerFast:
    """A tokenizer that cuts the toy words into letters."""
    letters = {letter: i for i, letter in enumerate("~abcdefgqrstuvwxy<unk>")}
    core = Tokenizer(WordLevel({**letters, "<unk>": len(letters)}, unk_token="<unk>"))
    core.pre_tokenizer = Sequence([WhitespaceSplit(), Split(Regex("."), "isolated")])
    return PreTrainedTokenizerFast(tokenizer_object=core, unk_token="<unk>")


def made(workspace, language_model, *, window: int) -> NetworkAtlas:
    documents = [d for d in tiny.toy_documents(n_per_domain=3, n_words=130)]
    clean = [
        type(d)(text=d.text.replace("<unk>", "aq"), domain=d.domain, name=d.name) for d in documents
    ]
    settings = RecordingSettings(window=window, n_dummy_tokens=2, max_tokens=None)
    recording = record.record_texts(workspace, language_model, clean, settings=settings)
    with pytest.warns(NotConvergedWarning):
        id = group_ica.decompose(
            workspace, recording, settings=GroupICA(n_components=4, n_runs=1, max_iter=5)
        )
    return network_atlas.open_atlas(workspace, id)


def test_models_of_two_families_and_tokenizers_are_compared_word_by_word(workspace) -> None:
    words = made(workspace, tiny.tiny_language_model("Llama"), window=32)
    gpt2 = wrap_model(tiny.tiny_model("GPT-2"), letters_tokenizer(), name="letters")
    letters = made(workspace, gpt2, window=64)
    shared = shared_text(words.tokens, letters.tokens)
    assert shared.clock == "characters"
    assert np.array_equal(shared.first[0], shared.last[0])  # a word is one token here,
    assert np.all(shared.last[1] - shared.first[1] == 1)  # and two there
    texts = letters.tokens["text"].to_numpy()
    said = texts[shared.first[1]] + texts[shared.last[1]]
    assert np.array_equal(words.tokens["text"].to_numpy()[shared.first[0]], said)
    found = match(words, letters)
    assert found.by == "time courses"
    assert found.similarity.shape == (4, 4)
    assert "1.00 and 2.00 tokens each" in found.basis
    a, b = shared.means(words.time_courses, 0), shared.means(letters.time_courses, 1)
    assert found.r == pytest.approx(
        [np.corrcoef(a[i], b[j])[0, 1] for i, j in found.pairs], abs=1e-9
    )
    assert 0 <= likeness(words, letters, n_null=9).p <= 1


@pytest.fixture
def refitted(workspace, recording):
    """Two atlases of one recording; the second has the first's maps, permuted and flipped."""
    with pytest.warns(NotConvergedWarning):
        ids = [
            group_ica.decompose(
                workspace,
                recording.id,
                settings=GroupICA(n_components=4, n_runs=1, max_iter=5, seed=seed),
            )
            for seed in (0, 1)
        ]
    earlier, later = (network_atlas.open_atlas(workspace, id) for id in ids)
    order, sign = [2, 0, 3, 1], np.array([[1], [-1], [1], [1]])
    maps = earlier.maps[order] * sign
    maps[3] = np.random.default_rng(0).permuted(maps[3])  # no network of before
    later = atlas_of(
        maps,
        tokens=later.tokens,
        fingerprint=earlier.decomposition.fingerprint,
        id=later.id,
    )
    object.__setattr__(later.decomposition, "layout", earlier.layout)
    return earlier, later


def test_names_and_identity_go_to_the_network_that_was_it(workspace, refitted) -> None:
    earlier, later = refitted
    for network, name in ((2, "code"), (0, "<b>prose</b>"), (1, "gone")):
        annotate(workspace, earlier, network, Annotation(name=name, note="mine"))
    carried = carry_over(workspace, later, earlier, match(later, earlier))
    assert {k: (i.network, i.r > 0) for k, i in carried.identities.items()} == {
        0: (2, True),
        1: (0, False),
        2: (3, True),
    }
    assert (carried.n_names, carried.left_behind) == (2, (1,))
    said = read_annotations(workspace, later.id)
    assert {k: a.name for k, a in said.networks.items()} == {0: "code", 1: "<b>prose</b>"}
    workspace.delete("decompositions", earlier.id)
    kept = read_identities(workspace, later.id)
    assert (
        kept[1].sentence() == f"was network 0 of atlas {earlier.id}, r -1.00, with its sign turned"
    )
    assert 3 not in kept


def test_nothing_is_carried_where_nothing_is_alike(workspace, refitted, maps) -> None:
    earlier, later = refitted
    noise = np.random.default_rng(8).laplace(size=later.maps.shape)
    stranger = atlas_of(
        noise, tokens=later.tokens, fingerprint=later.decomposition.fingerprint, id=later.id
    )
    object.__setattr__(stranger.decomposition, "layout", earlier.layout)
    with pytest.raises(SettingsError, match=r"No pair of networks reaches \|r\| 0.7"):
        carry_over(workspace, stranger, earlier, match(stranger, earlier))
    other = atlas_of(noise, tokens=later.tokens, fingerprint="another", id=later.id)
    with pytest.raises(SettingsError, match="different models"):
        carry_over(workspace, other, earlier, match(other, earlier))
    by_courses = replace(match(later, earlier), by="time courses")  # its r says nothing of maps
    with pytest.raises(SettingsError, match="by maps only"):
        carry_over(workspace, later, earlier, by_courses)
    assert not read_identities(workspace, later.id)


@pytest.mark.parametrize("content", ["{", "[]", '{"kind": "x"}', json.dumps({"networks": {}})])
def test_damaged_identities_are_told(workspace, content) -> None:
    path = path_of(workspace, "2" * 16)
    path.parent.mkdir(parents=True)
    path.write_text(content)
    with pytest.raises(CorruptArtifactError, match="damaged"):
        read_identities(workspace, "2" * 16)


@pytest.fixture
def fnprune(workspace, monkeypatch, capsys):
    """Run a command on the workspace; return the JSON that it prints."""

    def run(*words: str):
        monkeypatch.setattr("sys.argv", ["fnprune", *words, "-w", str(workspace.root), "--json"])
        with pytest.raises(SystemExit) as stopped:
            main()
        return stopped.value.code, json.loads(capsys.readouterr().out)

    return run


def test_commands_apply_match_and_carry(fnprune, workspace, recording, record_windows, llama):
    with pytest.warns(NotConvergedWarning):
        atlas = group_ica.decompose(
            workspace, recording.id, settings=GroupICA(n_components=4, n_runs=1, max_iter=5)
        )
    other = record_windows(llama, tiny.toy_windows((32,) * 6, seed=7))
    code, applied = fnprune("apply", atlas, other.id, "--keep-maps")
    assert (code, applied["applied_from"], applied["r_of_maps"]) == (0, atlas, [1.0] * 4)
    annotate(workspace, network_atlas.open_atlas(workspace, atlas), 3, Annotation(name="late"))
    code, found = fnprune("match", applied["id"], atlas, "--carry", "--threshold", "0.9")
    assert [(p["network"], p["partner"], p["is_same"]) for p in found["pairs"]] == [
        (k, k, True) for k in range(4)
    ]
    assert found["likeness"] is None  # other texts
    assert found["carried"] == {"n_identities": 4, "n_names": 1, "left_behind": []}
    assert read_annotations(workspace, applied["id"]).of(3).name == "late"
    code, found = fnprune("match", atlas, atlas, "--by", "courses", "--null", "19")
    assert (found["by"], found["likeness"]["p"]) == ("time courses", 0.05)
    assert not any(pair["is_same"] for pair in found["pairs"])
    code, failed = fnprune("match", atlas, applied["id"], "--by", "courses")
    assert code == 2
    assert "no text in common" in failed["error"]["message"]
