import struct

import gguf
import numpy as np
import pytest

from fnprune_core.inputs.gguf_header import read_header


@pytest.fixture
def honest(tmp_path) -> bytes:
    """A small file by the package that others read it with."""
    path = tmp_path / "honest.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(2)
    writer.add_token_list(["a", "bc", "é"])
    writer.add_array("nested.numbers", [1, 2, 3])
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
    return read_header(path)


def test_facts_and_shapes_are_those_that_were_written(honest, tmp_path) -> None:
    header = read(honest, tmp_path)
    assert header.facts["general.architecture"] == "llama"
    assert header.facts["llama.block_count"] == 2
    assert header.facts["tokenizer.ggml.tokens"] == header.facts["nested.numbers"] == 3
    assert header.shapes == {"blk.0.ffn_up.weight": (32, 4), "blk.1.ffn_up.weight": (32, 2)}
    assert header.n_values == 192


def text(word: str) -> bytes:
    return struct.pack("<Q", len(word)) + word.encode()


def head(*, version: int = 3, n_tensors: int = 0, n_facts: int = 0) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", version, n_tensors, n_facts)


def tensor(shape: tuple[int, ...], kind: int = 0, place: int = 0) -> bytes:
    sizes = struct.pack(f"<I{len(shape)}Q", len(shape), *shape)
    return head(n_tensors=1) + text("t") + sizes + struct.pack("<IQ", kind, place) + bytes(200)


LYING = {
    "no magic": (b"GGUG" + bytes(40), "does not begin with GGUF"),
    "empty": (b"", "ends before its header"),
    "big-endian": (b"GGUF" + struct.pack(">I", 3) + bytes(30), "version 50331648"),
    "cut in its counts": (b"GGUF, or so it says", "of version"),
    "endless facts": (head(n_facts=2**62), "4,611,686,018,427,387,904 facts"),
    "endless tensors": (head(n_tensors=2**40), "1,099,511,627,776 tensors"),
    "long name": (head(n_facts=1) + struct.pack("<Q", 2**40), "the name of fact 0 has 1,099"),
    "name beyond the end": (head(n_facts=1) + struct.pack("<Q", 900), "ends before its header"),
    "name of bytes": (head(n_facts=1) + struct.pack("<Q", 2) + b"\xff\xfe", "is not UTF-8"),
    "unknown type": (head(n_facts=1) + text("a") + struct.pack("<I", 77), "'a' is of the unknown"),
    "endless list": (
        head(n_facts=1) + text("a") + struct.pack("<IIQ", 9, 0, 2**50), "'a' is a list of 1,125",
    ),
    "list beyond the end": (
        head(n_facts=1) + text("a") + struct.pack("<IIQ", 9, 4, 1000), "ends before its header",
    ),
    "lists in lists": (
        head(n_facts=1) + text("a") + struct.pack("<I", 9) + struct.pack("<IQ", 9, 1) * 9,
        "unknown type 9",
    ),
    "fact twice": (
        head(n_facts=2) + (text("a") + struct.pack("<IB", 0, 1)) * 2, "'a' stands twice",
    ),
    "alignment 0": (
        head(n_facts=1) + text("general.alignment") + struct.pack("<II", 4, 0), "alignment is 0",
    ),
    "no axes": (tensor(()), "'t' has 0 axes"),
    "many axes": (tensor((1,) * 9), "'t' has 9 axes"),
    "endless axes": (tensor((2**60, 2**60)), "ends at byte"),
    "unknown quantisation": (tensor((32,), kind=999), "unknown type 999"),
    "half a block": (tensor((31,), kind=2), "no whole blocks of 32"),
    "beyond the end": (tensor((32,), place=2**50), "ends at byte"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "message"), LYING.values(), ids=LYING)
def test_headers_that_lie_are_refused(content, message, tmp_path) -> None:
    with pytest.raises(ValueError, match=message):
        read(content, tmp_path)


def test_a_file_cut_anywhere_is_refused(honest, tmp_path) -> None:
    for end in range(0, len(honest) - 64, 7):
        with pytest.raises(ValueError, match=r"begin|before|ends at"):
            read(honest[:end], tmp_path)
