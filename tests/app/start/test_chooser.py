"""The choice of a model: what it takes is said before, the cache is listed, a download is shown."""

import fake_hub
import pytest
from driving import finish, press, said, view

from app.shell import resources
from fnprune_core.models.loading import load_model, look_at
from fnprune_core.models.sources import fits

ID = "lab/tiny"


@pytest.fixture
def served(tmp_path, llama):
    """The tiny Llama on a hub of this machine."""
    folder = tmp_path / "served"
    llama.model.save_pretrained(folder)
    llama.tokenizer.save_pretrained(folder)
    with fake_hub.instead_of_the_hub(tmp_path / "cache") as fake:
        fake.folders[ID] = folder
        yield fake


def own(open_page, source: str):
    at = open_page()
    at.segmented_control(key="start-model").set_value("Your own").run()
    return at.text_input(key="start-own-model").set_value(source).run()


def captions(at) -> str:
    return " ".join(caption.value for caption in at.caption)


def test_what_a_model_of_the_hub_takes_is_said_and_then_it_is_fetched(open_page, served) -> None:
    at = own(open_page, f"{ID}@v1")
    assert "of memory in" in captions(at)
    assert "no chat template" in captions(at)
    assert not any("safetensors" in asked and "resolve" in asked for asked in served.asked)
    (label,) = [each.label for each in at.button if each.label.startswith("Download")]
    press(at, label)
    finish(at)
    assert view(at).model == f"{ID}@v1"
    assert "144 (48 per layer)" in str(at.table[0].value)


def test_models_of_the_cache_are_listed_and_taken_into_the_box(open_page, served) -> None:
    load_model(ID, device="cpu")
    at = own(open_page, "")
    (listed,) = at.selectbox(key="start-cached-model").options
    assert ID in listed
    assert "llama, known" in listed
    at.selectbox(key="start-cached-model").select_index(0).run()
    assert at.text_input(key="start-own-model").value == ID
    assert "Load" in [each.label for each in at.button]


def test_what_does_not_fit_is_refused_with_what_does(open_page, materials, monkeypatch) -> None:
    whole = look_at(materials.model, dtype="float32").memory_bytes
    monkeypatch.setattr(fits, "free_bytes", lambda device: whole - 1)
    at = own(open_page, f"{materials.model}?dtype=float32")
    assert "It does not fit" in said(at)
    assert "Load" not in [each.label for each in at.button]
    press(at, "Load in bfloat16")
    finish(at)
    assert view(at).model == f"{materials.model}?dtype=bfloat16"
    assert resources.anatomy(view(at).model).dtype == "bfloat16"


def test_a_gated_model_says_how_to_get_access(open_page, served) -> None:
    served.gated.add(ID)
    at = own(open_page, ID)
    assert "hf auth login" in said(at)
    assert f"{served.endpoint.partition(':')[2]}/{ID}" in said(at)
