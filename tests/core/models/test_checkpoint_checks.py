"""Checkpoints that ask for more than there is: refused at once, with the numbers."""

import json
import time

import pytest
import tiny

from fnprune_core.errors import FnpruneError, ModelNotFoundError
from fnprune_core.models.architectures import ARCHITECTURES
from fnprune_core.models.checkpoint_checks import LIMITS, check_sizes
from fnprune_core.models.loading import load_model


@pytest.fixture
def saved(tmp_path, llama):
    """A folder with the tiny Llama, whole."""
    folder = tmp_path / "tiny-llama"
    llama.model.save_pretrained(folder)
    llama.tokenizer.save_pretrained(folder)
    return folder


def change_config(folder, **changes) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_hidden_layers": 20000}, "num_hidden_layers is 20000, .*from 1 to 512"),
        ({"num_hidden_layers": 10**30}, "num_hidden_layers is a huge one"),
        ({"num_hidden_layers": 500}, "asks for 500 layers, the weights are of 3"),
        ({"num_hidden_layers": 0}, "num_hidden_layers is 0"),
        ({"num_hidden_layers": "3"}, "num_hidden_layers is '3'"),
        ({"num_hidden_layers": True}, "num_hidden_layers is True"),
        ({"hidden_size": 2**30}, "hidden_size is 1073741824"),
        ({"intermediate_size": 48.0}, "intermediate_size is 48.0"),
        ({"vocab_size": 3_000_000}, r"asks for 192,0\d\d,\d{3} weights, its files hold"),
        ({"vocab_size": -1}, "vocab_size is -1"),
        ({"max_position_embeddings": 2**60}, "max_position_embeddings is"),
        ({"hidden_act": "no-such"}, "could not be loaded"),
        ({"num_attention_heads": 7}, "could not be loaded"),
        ({"dtype": "float99"}, "could not be loaded"),
        ({"rope_parameters": [1]}, "could not be loaded"),
    ],
    ids=str,
)
def test_a_config_that_makes_no_sense_is_refused_at_once(saved, changes, message) -> None:
    change_config(saved, **changes)
    start = time.perf_counter()
    with pytest.raises(FnpruneError, match=message) as caught:
        load_model(str(saved), device="cpu")
    assert time.perf_counter() - start < 5
    assert caught.value.hint


@pytest.mark.parametrize("family", ARCHITECTURES)
def test_sizes_of_each_family_have_bounds(family) -> None:
    """Layers, width, units, heads, vocabulary and positions, by the names of the family."""
    values = tiny.TINY_CONFIGS[family]().to_dict()
    assert len(LIMITS.keys() & values.keys()) >= 6
    check_sizes("x", values, LIMITS, "config.json")
    for name in LIMITS.keys() & values.keys():
        with pytest.raises(ModelNotFoundError, match=f"{name} is"):
            check_sizes("x", values | {name: 2**40}, LIMITS, "config.json")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[" * 100_000, "nested more than 100 deep"),
        (b'{"model_type": "\xff"}', "not UTF-8"),
        (b'{"vocab_size": NaN}', "NaN is no number"),
        (b"[]", "not a valid JSON file of an object"),
        (b" " * 17_000_000, "17.0 MB; at most 16 MB"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_config_that_is_no_json_is_refused_with_its_name(saved, content, message) -> None:
    (saved / "config.json").write_bytes(content)
    with pytest.raises(ModelNotFoundError, match=message) as caught:
        load_model(str(saved), device="cpu")
    assert "config.json" in caught.value.message


def test_a_tensor_beyond_its_file_is_told(saved) -> None:
    path = saved / "model.safetensors"
    content = path.read_bytes()
    n_header = int.from_bytes(content[:8], "little")
    header = content[8 : 8 + n_header].replace(b'"shape":[32]', b'"shape":[33]')
    assert header != content[8 : 8 + n_header]
    path.write_bytes(content[:8] + header + content[8 + n_header :])
    with pytest.raises(ModelNotFoundError, match=r"model\.safetensors is damaged: invalid shape"):
        load_model(str(saved), device="cpu")


@pytest.mark.parametrize(
    ("shard", "says"),
    [
        ("../other/model.safetensors", "out of the folder"),
        ("/etc/model.safetensors", "out of the folder"),
        ("..\\other\\model.safetensors", "out of the folder"),
        ("C:\\model.safetensors", "out of the folder"),
        ("model-00002-of-00002.safetensors", "1 are missing"),
    ],
)
def test_an_index_of_shards_stays_in_its_folder_and_names_what_is_there(saved, shard, says) -> None:
    outside = saved.parent / "other"
    outside.mkdir()
    (saved / "model.safetensors").rename(outside / "model.safetensors")
    index = {"metadata": {}, "weight_map": {"lm_head.weight": shard}}
    (saved / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(ModelNotFoundError, match=says):
        load_model(str(saved), device="cpu")


@pytest.mark.parametrize("content", ["[]", "{", '{"weight_map": 3}'])
def test_an_index_that_is_none_is_refused(saved, content) -> None:
    (saved / "model.safetensors.index.json").write_text(content)
    with pytest.raises(ModelNotFoundError, match="index"):
        load_model(str(saved), device="cpu")
