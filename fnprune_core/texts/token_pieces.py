"""What each token of a text shows, when a character may be spread over several tokens."""

from collections.abc import Sequence
from typing import Any, Protocol

REPLACEMENT = "\ufffd"
_MOST_TOKENS = 3  # a character has at most four bytes: that many tokens can wait for a fourth


class Decoder(Protocol):
    """What turns ids into text: a tokenizer of transformers."""

    def decode(self, token_ids: Any, **options: Any) -> Any:
        """Return the text of ids."""
        ...


def pieces_of(tokenizer: Decoder, ids: Sequence[int]) -> tuple[str, ...]:
    """Return what each token adds to the text: (n_tokens,).

    Decoded by itself, a token that holds only some bytes of a character shows a replacement
    character. Here the token that completes a character shows it, and those before it show
    nothing; bytes that no token completes show as replacement characters. Together the pieces
    are the decoded text. Special tokens are shown. Cost: two short decodings a token.
    """

    def decode(first: int, last: int) -> str:
        part = [int(i) for i in ids[first:last]]
        return str(
            tokenizer.decode(part, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        )

    pieces = [""] * len(ids)
    start = waiting = 0  # of the text that is decoded; the first token that waits for more bytes
    given = ""  # what has been shown of the text from `start` on
    for i in range(len(ids)):
        text = decode(start, i + 1)
        # Some tokenizers show a run of bytes as nothing but replacements until it is whole.
        fresh = text[len(given) :] if text.startswith(given) else decode(i, i + 1)
        while fresh.endswith(REPLACEMENT) and i - waiting >= _MOST_TOKENS:
            pieces[waiting] += REPLACEMENT  # too long ago to be completed
            given, fresh, waiting = given + REPLACEMENT, fresh[1:], waiting + 1
        whole = fresh.rstrip(REPLACEMENT)
        if whole or not fresh:
            _share_out(whole, pieces, waiting, i)
            given += whole
        if whole == fresh:
            start, waiting = waiting, i + 1
            given = decode(start, i + 1)
        elif whole:
            waiting = i
    _share_out(decode(start, len(ids))[len(given) :], pieces, waiting, len(ids) - 1)
    return tuple(pieces)


def _share_out(text: str, pieces: list[str], first: int, last: int) -> None:
    """Give tokens their text: broken bytes to those that began them, the rest to the last."""
    n_broken = len(text) - len(text.lstrip(REPLACEMENT))
    for i in range(first, min(last, first + n_broken)):
        pieces[i] += REPLACEMENT
        text = text[1:]
    if text:
        pieces[last] += text


def spans_of(pieces: Sequence[str]) -> list[tuple[int, int]]:
    """Return the tokens that are shown as one: (first, last) of each stretch, in order.

    Tokens that show nothing belong to the one that completes their character.
    """
    spans: list[tuple[int, int]] = []
    first = 0
    for i, piece in enumerate(pieces):
        if piece:
            spans.append((first, i))
            first = i + 1
    if first < len(pieces):  # the last ones show nothing: with the one before, if there is one
        begin = spans.pop()[0] if spans else first
        spans.append((begin, len(pieces) - 1))
    return spans
