"""What memory holds: counted before a weight is read, with the way out where it does not fit."""

import pytest
import torch

from fnprune_core.errors import SettingsError
from fnprune_core.models.loading import load_model
from fnprune_core.models.sources import fits
from fnprune_core.models.sources.examine import examine


@pytest.fixture
def saved(tmp_path, llama):
    """A folder with the tiny Llama, whole."""
    llama.model.save_pretrained(tmp_path)
    llama.tokenizer.save_pretrained(tmp_path)
    return tmp_path


def check(source: str, free: int, *, dtype: torch.dtype = torch.float32) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fits, "free_bytes", lambda device: free)
        fits.check_memory(examine(source), dtype=dtype, device=torch.device("cpu"))


def test_a_model_larger_than_free_memory_is_refused_before_it_is_read(saved, monkeypatch) -> None:
    monkeypatch.setattr(fits, "free_bytes", lambda device: 1000)
    with pytest.raises(SettingsError, match=r"needs 0\.0 GB in torch.float32, 'cpu' has 0\.0 GB"):
        load_model(str(saved), device="cpu", dtype="float32")


def test_memory_is_that_of_the_weights(saved, llama) -> None:
    """Counted on a model without weights, shared ones once; one byte less is refused."""
    n_bytes = sum(p.numel() * 4 for p in llama.model.parameters())
    n_bytes += sum(b.numel() * b.element_size() for b in llama.model.buffers())
    check(str(saved), n_bytes)
    with pytest.raises(SettingsError, match="does not fit"):
        check(str(saved), n_bytes - 1)


def test_the_way_out_is_one_that_fits(saved, monkeypatch) -> None:
    whole = examine(str(saved)).bytes_in(torch.float32)
    with pytest.raises(SettingsError, match="In bfloat16 it needs"):
        check(str(saved), whole - 1)
    for dtype, free in ((torch.float32, 100), (torch.bfloat16, 100)):
        with pytest.raises(SettingsError, match="Take a smaller model"):
            check(str(saved), free, dtype=dtype)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    with pytest.raises(SettingsError, match="over the 4 GPUs"):
        check(str(saved), 100)


def test_a_dtype_behind_the_source_is_that_of_the_model(saved) -> None:
    assert load_model(f"{saved}?dtype=bfloat16", device="cpu").dtype == torch.bfloat16
    with pytest.raises(SettingsError, match="no option of it"):
        load_model(f"{saved}?dtyp=bfloat16", device="cpu")


def test_free_memory_is_known_on_this_machine() -> None:
    free = fits.free_bytes(torch.device("cpu"))
    assert free is not None
    assert 10**8 < free < 10**14
