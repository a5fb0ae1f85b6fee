import numpy as np
import pytest
import tiny
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from fnprune_core.texts.token_pieces import pieces_of, spans_of

BYTES = sorted(pre_tokenizers.ByteLevel.alphabet())
TEXT = "Le maître 漢 👩‍🚀!"
LETTERS = ["▁", *"LemaîtreNw"]


def byte_level() -> PreTrainedTokenizerFast:
    """Every byte is a token, but “î” has one of its own, as in GPT-2's family."""
    vocabulary = {each: i for i, each in enumerate(BYTES)}
    pair = "".join(pre_tokenizers.ByteLevel(add_prefix_space=False).pre_tokenize_str("î")[0][0])
    vocabulary[pair] = len(vocabulary)
    core = Tokenizer(models.BPE(vocab=vocabulary, merges=[(pair[0], pair[1])]))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=core)


def byte_fallback() -> PreTrainedTokenizerFast:
    """Letters are tokens, all else is a token a byte, as in Llama's family."""
    names = ["<unk>", *(f"<0x{i:02X}>" for i in range(256)), *dict.fromkeys(LETTERS)]
    vocabulary = {each: i for i, each in enumerate(names)}
    core = Tokenizer(models.BPE(vocab=vocabulary, merges=[], byte_fallback=True, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    core.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(),
         decoders.Strip(" ", 1, 0)]
    )  # fmt: skip
    return PreTrainedTokenizerFast(tokenizer_object=core)


def encoded(tokenizer: PreTrainedTokenizerFast, text: str) -> list[int]:
    return tokenizer(text, add_special_tokens=False)["input_ids"]


@pytest.mark.parametrize("make", [byte_level, byte_fallback])
def test_a_character_is_shown_by_the_token_that_completes_it(make) -> None:
    tokenizer = make()
    ids = encoded(tokenizer, TEXT)
    pieces = pieces_of(tokenizer, ids)
    assert "".join(pieces) == TEXT
    assert "î" in pieces
    assert pieces[pieces.index("漢") - 2 :][:3] == ("", "", "漢")
    assert pieces[pieces.index("🚀") - 3 :][:4] == ("", "", "", "🚀")


@pytest.mark.parametrize("make", [byte_level, tiny.toy_tokenizer])
def test_pieces_are_the_text_whatever_the_tokens(make) -> None:
    """Random tokens are mostly broken bytes; not one may be lost, or shown twice.

    With byte fallback one broken byte spoils the decoding of all bytes beside it; pieces do not.
    """
    tokenizer = make()
    rng = np.random.default_rng(0)
    for _ in range(60):
        ids = rng.integers(1, len(tokenizer), 12).tolist()
        assert "".join(pieces_of(tokenizer, ids)) == tokenizer.decode(ids)


def test_broken_bytes_are_shown_where_they_stand() -> None:
    tokenizer = byte_level()
    euro = encoded(tokenizer, "€")
    a = encoded(tokenizer, "a")
    assert pieces_of(tokenizer, euro[:2]) == ("\ufffd", "")
    assert pieces_of(tokenizer, [*euro[:1], *a]) == ("\ufffd", "a")
    assert pieces_of(tokenizer, [euro[0], *euro]) == ("\ufffd", "", "", "€")
    # Five first bytes in a row: those that are too old to be completed do not wait.
    assert pieces_of(tokenizer, [euro[0]] * 5 + a) == (*["\ufffd"] * 5, "a")


def test_earlier_pieces_stay_when_tokens_come() -> None:
    """A text that is being written may only grow."""
    tokenizer = byte_level()
    ids = encoded(tokenizer, TEXT)
    whole = pieces_of(tokenizer, ids)
    for n in range(len(ids)):
        shown = [piece for piece in pieces_of(tokenizer, ids[:n]) if "\ufffd" not in piece]
        assert "".join(whole).startswith("".join(shown))


def test_no_token_no_piece() -> None:
    assert pieces_of(byte_level(), []) == ()
    assert spans_of([]) == []


def test_spans_join_what_shows_nothing() -> None:
    assert spans_of(["a", "", "", "漢", "b"]) == [(0, 0), (1, 3), (4, 4)]
    assert spans_of(["a", "\ufffd", ""]) == [(0, 0), (1, 2)]
    assert spans_of(["", ""]) == [(0, 1)]
