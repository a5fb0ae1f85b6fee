import json
import struct
import time

import gguf
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from fnprune_core.inputs.tensor_files import gguf_header, stored_tensors


def test_a_safetensors_file_tells_types_and_shapes(tmp_path) -> None:
    path = tmp_path / "x.safetensors"
    save_file({"a": torch.zeros(2, 3), "b": torch.zeros(4, dtype=torch.bfloat16)}, path)
    found = stored_tensors(path)
    assert {name: (t.dtype, t.shape) for name, t in found.items()} == {
        "a": ("F32", (2, 3)), "b": ("BF16", (4,)),
    }  # fmt: skip


def tensor(shape: object, places: object = (0, 24)) -> bytes:
    facts = {"a": {"dtype": "F32", "shape": shape, "data_offsets": places}}
    return json.dumps(facts).encode()


@pytest.mark.parametrize(
    ("header", "length"),
    [
        (b"{}", 2**40), (b"{", 1), (b"[]", 2), (b'{"a":' * 90_000, 450_000),
        (tensor([2, -3]), None), (tensor([2**62, 2**62]), None), (tensor([2, 4]), None),
        (tensor([2, 3], [0, 25]), None), (tensor([2, 3], [24, 0]), None),
    ],
    ids=lambda value: str(value)[:40],
)  # fmt: skip
def test_a_safetensors_header_that_lies_is_refused(header, length, tmp_path) -> None:
    path = tmp_path / "x"
    path.write_bytes((length or len(header)).to_bytes(8, "little") + header + bytes(24))
    with pytest.raises(ValueError, match=r"header|shape|offset"):
        stored_tensors(path)


@pytest.mark.parametrize(("n", "padding"), [(100_001, 0), (1, 20_000_001)])
def test_a_safetensors_header_of_endless_tensors_is_refused_before_they_are_read(
    n, padding, tmp_path
) -> None:
    empty = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    header = json.dumps({str(i): empty for i in range(n)}).encode() + b" " * padding
    path = tmp_path / "x"
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(ValueError, match=r"header (has 20 MB; up to 20|names 100,001 tensors; up)"):
        stored_tensors(path)


@pytest.fixture
def honest(tmp_path) -> bytes:
    """A small file by the package that others read it with."""
    path = tmp_path / "honest.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(2)
    writer.add_token_list(["a", "bc", "é"])
    writer.add_array("some.numbers", [1, 2, 3])
    writer.add_tensor("blk.0.ffn_up.weight", np.ones((4, 32), dtype=np.float32))
    writer.add_tensor("blk.1.ffn_up.weight", np.ones((2, 32), dtype=np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path.read_bytes()


def read(content: bytes, tmp_path):
    path = tmp_path / "tried.gguf"
    path.write_bytes(content)
    return gguf_header(path)


def test_a_gguf_file_tells_facts_and_shapes(honest, tmp_path) -> None:
    header = read(honest, tmp_path)
    assert header.facts["general.architecture"] == "llama"
    assert header.facts["llama.block_count"] == 2
    assert header.shapes == {"blk.0.ffn_up.weight": (32, 4), "blk.1.ffn_up.weight": (32, 2)}


def text(word: str) -> bytes:
    return struct.pack("<Q", len(word)) + word.encode()


def head(*, n_tensors: int = 0, n_facts: int = 0) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", 3, n_tensors, n_facts)


def gguf_tensor(shape: tuple[int, ...], *, kind: int = 0, place: int = 0) -> bytes:
    sizes = struct.pack(f"<I{len(shape)}Q", len(shape), *shape)
    return head(n_tensors=1) + text("t") + sizes + struct.pack("<IQ", kind, place) + bytes(200)


LYING = {
    "no magic": b"GGUG" + bytes(40),
    "empty": b"",
    "cut in its counts": b"GGUF, or so it says",
    "endless facts": head(n_facts=2**62),
    "endless tensors": head(n_tensors=2**40),
    "long name": head(n_facts=1) + struct.pack("<Q", 2**40),
    "name of bytes": head(n_facts=1) + struct.pack("<Q", 2) + b"\xff\xfe" + bytes(9),
    "unknown type": head(n_facts=1) + text("a") + struct.pack("<I", 77),
    "endless list": head(n_facts=1) + text("a") + struct.pack("<IIQ", 9, 0, 2**50),
    "endless list of texts": head(n_facts=1) + text("a") + struct.pack("<IIQ", 9, 8, 2**50),
    "lists in lists": head(n_facts=1) + text("a") + struct.pack("<I", 9)
    + struct.pack("<IQ", 9, 1) * 5000,
    "fact twice": head(n_facts=2) + (text("a") + struct.pack("<IB", 0, 1)) * 2,
    "endless axes": gguf_tensor((2**60, 2**60)),
    "unknown quantisation": gguf_tensor((32,), kind=999),
    "half a block": gguf_tensor((31,), kind=2),
    "beyond the end": gguf_tensor((32,), place=2**50),
}  # fmt: skip


@pytest.mark.parametrize("content", LYING.values(), ids=LYING)
def test_a_gguf_header_that_lies_is_refused_at_once(content, tmp_path) -> None:
    """The package's reader follows a list of numbers beyond the end of the file for ever."""
    start = time.perf_counter()
    with pytest.raises(ValueError, match=r"."):
        read(content, tmp_path)
    assert time.perf_counter() - start < 5


def test_a_gguf_file_cut_anywhere_is_refused(honest, tmp_path) -> None:
    for end in range(0, len(honest) - 64, 7):
        with pytest.raises(ValueError, match=r"."):
            read(honest[:end], tmp_path)
