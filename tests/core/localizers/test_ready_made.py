from collections import Counter

import numpy as np
import pytest
from transformers import AutoTokenizer

from fnprune_core.localizers import ready_made
from fnprune_core.localizers.blocks import present


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
    n_tokens = Counter()
    for block, length in zip(shown.blocks, np.diff(shown.windows.starts), strict=True):
        n_tokens[block.condition] += int(length)
    assert len(set(n_tokens.values())) == 1


def test_a_file_named_like_a_ready_localizer_has_another_name() -> None:
    assert ready_made.own_name("mine") == "mine"
    assert all(ready_made.own_name(name) not in ready_made.READY for name in ready_made.READY)
