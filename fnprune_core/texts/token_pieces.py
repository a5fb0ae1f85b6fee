"""The text that each token adds, also where a character is spread over several tokens."""

from collections.abc import Sequence
from typing import Any, Protocol

REPLACEMENT = "\ufffd"
_MOST_TOKENS = 3  # a character has at most four bytes: that many tokens can wait for a fourth


class Decoder(Protocol):
    """A tokenizer of transformers, in so far as it turns ids into text."""

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
        token_ids = [int(i) for i in ids[first:last]]
        return str(
            tokenizer.decode(
                token_ids, skip_special_tokens=False, clean_up_tokenization_spaces=False
            )
        )

    pieces = [""] * len(ids)
    # The token from which text is decoded, and the first one that waits for more bytes.
    start = first_waiting = 0
    text_so_far = ""  # what the tokens from `start` on were given of their text
    for i in range(len(ids)):
        text = decode(start, i + 1)
        # Some tokenizers show a run of bytes as nothing but replacements until it is complete.
        new_text = text[len(text_so_far) :] if text.startswith(text_so_far) else decode(i, i + 1)
        while new_text.endswith(REPLACEMENT) and i - first_waiting >= _MOST_TOKENS:
            pieces[first_waiting] += REPLACEMENT  # too long ago to be completed
            text_so_far, new_text, first_waiting = (
                text_so_far + REPLACEMENT,
                new_text[1:],
                first_waiting + 1,
            )
        complete = new_text.rstrip(REPLACEMENT)
        if complete or not new_text:
            _assign_text(complete, pieces, first_waiting, i)
            text_so_far += complete
        if complete == new_text:
            start, first_waiting = first_waiting, i + 1
            text_so_far = decode(start, i + 1)
        elif complete:
            first_waiting = i
    _assign_text(decode(start, len(ids))[len(text_so_far) :], pieces, first_waiting, len(ids) - 1)
    return tuple(pieces)


def _assign_text(text: str, pieces: list[str], first: int, last: int) -> None:
    """Add a text to its tokens: broken bytes to those that began them, the rest to the last."""
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
    if first < len(pieces):  # the last tokens show nothing: they join the one before, if any
        begin = spans.pop()[0] if spans else first
        spans.append((begin, len(pieces) - 1))
    return spans
