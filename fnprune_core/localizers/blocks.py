"""Stimuli as a model reads them: each block a window, each token with its block and item."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fnprune_core.errors import TextError
from fnprune_core.localizers.stimuli import Block, Localizer
from fnprune_core.texts.cutting import cut_windows
from fnprune_core.texts.documents import Document
from fnprune_core.texts.windows import Windows

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_LEAST_TOKENS = 2
_SHOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Presentation:
    """The blocks of a localizer in tokens.

    Parameters
    ----------
    blocks : tuple of Block
        In the order in which they are read.
    windows : Windows
        One a block; its domains are the conditions.
    block, item : ndarray (n_tokens,)
        Of each token; items are numbered as in the localizer.
    """

    blocks: tuple[Block, ...]
    windows: Windows
    block: NDArray[np.int32]
    item: NDArray[np.int32]


def present(
    localizer: Localizer,
    tokenizer: "PreTrainedTokenizerBase",
    *,
    window: int,
    n_dummy_tokens: int,
    seed: int = 0,
) -> Presentation:
    """Return the blocks as windows: items on lines of their own, tokenised one by one.

    Parameters
    ----------
    window : int
        Tokens that a block may have at most, as many as a session of the recording.
    n_dummy_tokens : int
        First tokens of each block that statistics leave out.

    Raises
    ------
    TextError
        If an item has a single token, or a block has too few tokens or too many.
    """
    blocks = localizer.blocks(seed=seed)
    first_items = {block.items[0] for block in blocks}
    texts = [
        item.text if number in first_items else f"\n{item.text}"
        for number, item in enumerate(localizer.items)
    ]
    item_windows = cut_windows(
        [Document(text=text) for text in texts], tokenizer,
        window=10**9, n_dummy_tokens=0, allow_short=True,
    )  # fmt: skip
    prefix = int(item_windows.adds_bos)
    ids = [
        item_windows.window_ids(number)[0 if number in first_items else prefix :]
        for number in range(len(texts))
    ]
    line_break = len(tokenizer("\n", add_special_tokens=False)["input_ids"])
    n_before = [prefix if number in first_items else line_break for number in range(len(texts))]
    _check_items(localizer, [len(item_ids) - n for item_ids, n in zip(ids, n_before, strict=True)])
    ids_by_block = [[ids[number] for number in block.items] for block in blocks]
    lengths = np.array([sum(map(len, block_ids)) for block_ids in ids_by_block])
    _check_blocks(blocks, lengths, window=window, least=n_dummy_tokens + _LEAST_TOKENS)
    item_order = np.concatenate([block.items for block in blocks])
    block_of_token = np.repeat(np.arange(len(blocks), dtype=np.int32), lengths)
    names = tuple(f"{block.condition}, {block.template}" for block in blocks)
    conditions = localizer.conditions
    condition_of_block = np.array(
        [conditions.index(block.condition) for block in blocks], dtype=np.int32
    )
    windows = Windows(
        token_ids=np.concatenate(
            [item_ids for block_ids in ids_by_block for item_ids in block_ids]
        ),
        starts=np.concatenate([[0], np.cumsum(lengths)]),
        document_index=block_of_token,
        domain_index=condition_of_block[block_of_token],
        document_names=names,
        domain_names=conditions,
        window=window,
        n_dummy_tokens=n_dummy_tokens,
        adds_bos=item_windows.adds_bos,
    )
    return Presentation(
        blocks=blocks,
        windows=windows,
        block=block_of_token,
        item=np.repeat(item_order, [len(ids[number]) for number in item_order]).astype(np.int32),
    )


def _check_items(localizer: Localizer, counts: Sequence[int]) -> None:
    """Raise TextError for items of one token; what was put before an item does not count."""
    short_texts = [
        item.text for item, n in zip(localizer.items, counts, strict=True) if n < _LEAST_TOKENS
    ]
    if short_texts:
        examples = ", ".join(repr(text[:30]) for text in short_texts[:_SHOWN])
        more_text = f" and {len(short_texts) - _SHOWN} more" if len(short_texts) > _SHOWN else ""
        raise TextError(
            f"{len(short_texts)} item{'s have' if len(short_texts) > 1 else ' has'} one token "
            f"only: {examples}{more_text}.",
            hint="Write phrases or sentences: a network needs some tokens to respond.",
        )


def _check_blocks(
    blocks: Sequence[Block], lengths: NDArray[np.int64], *, window: int, least: int
) -> None:
    for block, length in zip(blocks, lengths, strict=True):
        block_name = f"{block.template!r} of condition {block.condition!r}"
        if length < least:
            raise TextError(
                f"The items of {block_name} have {length} tokens together; {least} are the least, "
                "for the first of a block are left out.",
                hint="Write more or longer items in it.",
            )
        if length > window:
            raise TextError(
                f"The items of {block_name} have {length:,} tokens together, a window has "
                f"{window:,}.",
                hint="Give it fewer or shorter items, or divide it into two templates.",
            )
