import re

import numpy as np
import pandas as pd
import pytest
from transformers import AutoTokenizer

from fnprune_core.errors import TextError
from fnprune_core.texts import builtin
from fnprune_core.texts.cutting import cut_windows, shared_run
from fnprune_core.texts.documents import builtin_documents, read_documents
from fnprune_core.texts.overlap import first_shared_run


def test_builtin_domains_have_enough_of_both_splits() -> None:
    for split, least in (("calibration", 6), ("held-out", 4)):
        found = builtin_documents(split=split)
        by_domain = pd.Series([d.domain for d in found]).value_counts()
        assert set(by_domain.index) == set(builtin.DOMAINS)
        assert by_domain.min() >= least
        # At about four characters a token: over eight windows of 512 tokens in each domain.
        sizes = pd.Series([len(d.text) for d in found]).groupby([d.domain for d in found]).sum()
        assert sizes.min() > 4 * 4_096


def test_builtin_splits_share_no_run_of_50_tokens() -> None:
    # Stands for any tokenizer: words in bits of at most four letters, all else by character.
    calibration, held_out = (
        " ".join(d.text for d in builtin_documents(split=split)) for split in builtin.SPLITS
    )
    numbers: dict[str, int] = {}

    def ids(text: str) -> np.ndarray:
        pieces = re.findall(r" ?[^\W\d_]{1,4}|\s|\S", text)
        return np.array([numbers.setdefault(piece, len(numbers)) for piece in pieces])

    assert first_shared_run(ids(calibration), ids(held_out), length=70) is None


def test_builtin_splits_share_no_run_of_50_tokens_of_the_embedded_model(need_embedded_model):
    tokenizer = AutoTokenizer.from_pretrained(need_embedded_model)
    a, b = (
        cut_windows(builtin_documents(split=s), tokenizer, allow_short=True) for s in builtin.SPLITS
    )
    assert shared_run(a, b, length=50) is None
    assert shared_run(b, b, length=50) == 0
    whole = cut_windows(builtin_documents(split="held-out"), tokenizer, window=512)
    for domain in whole.domain_names:
        of_domain = whole.domain_index == whole.domain_names.index(domain)
        assert of_domain.sum() > 6_000


def test_shared_passages_are_cut_out_of_held_out_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    def unlike(seed: int) -> str:
        words = np.random.default_rng(seed).integers(0, 10**6, (400, 2))
        return "\n".join(f"word{a} line{b}" for a, b in words)

    common = unlike(99)[:1000]
    texts = {f"{i:02}": unlike(i) for i in range(9)}
    texts["01"] = texts["01"][:3000] + "\n" + common + "\n" + unlike(50)
    texts["02"] += "\n" + common
    texts["copy"] = texts["00"][:5000]
    table = {"made": builtin._Domain(texts=lambda: iter(texts.items()))}
    monkeypatch.setattr(builtin, "DOMAINS", table)
    made = builtin.builtin_texts.__wrapped__()
    calibration, held_out = made["calibration"]["made"], made["held-out"]["made"]
    assert not set(calibration) & set(held_out)
    assert "02" in calibration
    assert "01" in held_out
    assert "copy" not in {**calibration, **held_out}
    assert held_out["01"] in texts["01"]
    assert common[100:900] not in held_out["01"]
    assert len(held_out["01"]) >= 2500


def test_builtin_source_and_unknown_choices() -> None:
    assert read_documents("builtin") == builtin_documents()
    assert read_documents("builtin:held-out") == builtin_documents(split="held-out")
    assert {d.domain for d in builtin_documents(domains=["french"])} == {"french"}
    dealt = read_documents("builtin", max_documents=10)
    assert pd.Series([d.domain for d in dealt]).value_counts().max() == 2
    with pytest.raises(TextError, match=r"no split 'test'.*calibration, held-out"):
        builtin_documents(split="test")
    with pytest.raises(TextError, match=r"no domain 'klingon'.*french"):
        builtin_documents(domains=["klingon"])
