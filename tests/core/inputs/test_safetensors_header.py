import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from fnprune_core.inputs.safetensors_header import stored_tensors


def test_names_types_and_shapes_are_those_of_the_library(tmp_path) -> None:
    path = tmp_path / "x.safetensors"
    tensors = {
        "a": torch.zeros(2, 3), "b": torch.zeros(4, dtype=torch.bfloat16), "c": torch.zeros(()),
    }  # fmt: skip
    save_file(tensors, path, metadata={"format": "pt"})
    found = stored_tensors(path)
    assert {name: tensor.shape for name, tensor in found.items()} == {
        name: tuple(tensor.shape) for name, tensor in tensors.items()
    }
    assert (found["b"].dtype, found["a"].n_values, found["c"].n_values) == ("BF16", 6, 1)


def written(path: Path, header: object, *, length: int | None = None, n_data: int = 24) -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    size = len(text) if length is None else length
    path.write_bytes(size.to_bytes(8, "little") + text + bytes(n_data))
    return path


def tensor(dtype: object = "F32", shape: object = (2, 3), places: object = (0, 24)) -> object:
    return {"a": {"dtype": dtype, "shape": shape, "data_offsets": places}}


@pytest.mark.parametrize(
    ("header", "length", "message"),
    [
        ({}, 2**40, "header says 1,099,511,627,776 bytes"),
        (b"{", None, "line 1 column"),
        ([], None, "no object"),
        ({"a": 3}, None, "'a' is no object"),
        ({"a": {"dtype": "F32"}}, None, "'a' has no data_offsets, shape"),
        (tensor(shape=[2, -3]), None, "axis of 'a' is -3"),
        (tensor(shape=[2**62, 2**62]), None, "axis of 'a'"),
        (tensor(shape=[2**39, 2**39]), None, "has 24 bytes"),
        (tensor(shape=[1] * 9), None, "the shape of 'a' is a list of 9"),
        (tensor(places=[0, 25]), None, "the place of 'a' is 25"),
        (tensor(places=[24, 0]), None, "has -24 bytes"),
        (tensor(dtype=32), None, "type of 'a' is 32"),
        (b'{"a": {}, "a": {}}', None, "stands twice"),
    ],
    ids=str,
)  # fmt: skip
def test_headers_that_lie_are_refused(header, length, message, tmp_path) -> None:
    with pytest.raises(ValueError, match=message):
        stored_tensors(written(tmp_path / "x", header, length=length))
