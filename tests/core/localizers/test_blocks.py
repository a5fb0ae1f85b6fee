import pytest
import tiny
from toy_localizer import toy

from fnprune_core.errors import TextError
from fnprune_core.localizers.blocks import present


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


def test_items_and_blocks_must_have_room_for_a_response(llama) -> None:
    one = toy(n_words=1, n_items=6)
    with pytest.raises(TextError, match="96 items have one token only"):
        present(one, llama.tokenizer, window=32, n_dummy_tokens=2)
    with pytest.raises(TextError, match="have 4 tokens together; 6 are the least"):
        present(toy(n_words=2, n_items=2), llama.tokenizer, window=32, n_dummy_tokens=4)
    with pytest.raises(TextError, match="have 20 tokens together, a window has 16"):
        present(toy(), llama.tokenizer, window=16, n_dummy_tokens=2)
