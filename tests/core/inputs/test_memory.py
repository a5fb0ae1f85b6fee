"""Small files that unpack to much: what a reader needs, measured in a process of its own."""

import gzip
import json
import subprocess
import sys
from dataclasses import dataclass

import nibabel as nib
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fnprune_core.atlas.images.voxels import grid_as_json, grid_of
from fnprune_core.models.layout import UnitLayout

MEGABYTE = 1_000_000
#: Of the process, so that a reader that takes more ends in a `MemoryError` and not on the machine.
LIMIT_BYTES = 12_000 * MEGABYTE
CODE = """
import json, resource, sys, time
from pathlib import Path
from fnprune_core.atlas.images.volumes import read_image
from fnprune_core.commands.options import numbers_in
from fnprune_core.errors import FnpruneError
from fnprune_core.texts.documents import read_documents

resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[2]),) * 2)
READERS = {
    "texts": read_documents,
    "image": lambda path: read_image(Path(path).read_bytes(), Path(path + ".json").read_bytes()),
    "numbers": numbers_in,
}

def peak():
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) * 1024

for reader, given in json.loads(sys.argv[1]):
    Path("/proc/self/clear_refs").write_text("5")
    before, start = peak(), time.perf_counter()
    try:
        READERS[reader](given)
        outcome = "read"
    except FnpruneError as error:
        outcome = f"{type(error).__name__}: {error}"
    except Exception as error:
        outcome = f"traceback {type(error).__name__}: {error}"
    print(json.dumps([outcome, peak() - before, time.perf_counter() - start]), flush=True)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A reader, what it is to say, and the memory that it may need."""

    reader: str
    says: str
    most_mb: int


CASES = {
    "rows-of-one-text": Case(reader="texts", says="at most 2,000,000 are read", most_mb=60),
    "one-long-text-in-each-row": Case(reader="texts", says="over 400,000,000", most_mb=120),
    "a-page-of-zeros": Case(reader="texts", says="unpacks to over", most_mb=60),
    "deep-lines": Case(reader="texts", says="nested more than", most_mb=60),
    "an-image-of-zeros": Case(reader="image", says="marks no unit", most_mb=180),
    "numbers": Case(reader="numbers", says="no whole number of at most 9 digits", most_mb=5),
    "many-numbers": Case(reader="numbers", says="names 1,000,000,000 networks", most_mb=5),
}


def write_case(name: str, path) -> str:
    """Write a file that unpacks to much; return what the reader is given."""
    if name == "rows-of-one-text":
        words = pa.DictionaryArray.from_arrays(pa.array([0] * 10_000, pa.int32()), ["ab"])
        table = pa.table({"text": pa.chunked_array([words] * 2000)})
        pq.write_table(table, path, compression="zstd", row_group_size=20_000_000)
    elif name == "one-long-text-in-each-row":
        long = pa.DictionaryArray.from_arrays(pa.array([0] * 1000, pa.int32()), ["x" * MEGABYTE])
        pq.write_table(pa.table({"text": pa.chunked_array([long] * 1900)}), path)
    elif name == "a-page-of-zeros":
        table = pa.table({"text": ["x" * 200 * MEGABYTE]})
        pq.write_table(table, path, compression="zstd", use_dictionary=False)
    elif name == "deep-lines":
        path.write_text('{"text": ' + "[" * 90_000 + "]" * 90_000 + "}")
    elif name == "an-image-of-zeros":
        write_image(path)
    return {"numbers": "0-9999999999", "many-numbers": "0-999999999"}.get(name, str(path))


def write_image(path) -> None:
    """Write 4,000 volumes of one byte a voxel that a slope makes numbers of eight bytes of."""
    grid = grid_of(UnitLayout((1024,) * 8), None)
    image = nib.Nifti1Image(np.zeros(grid.shape, dtype=np.uint8), grid.affine)
    image.header.set_data_shape((*grid.shape, 4000))
    image.header["scl_slope"], image.header["scl_inter"] = 0.5, 0.0
    image.header["vox_offset"] = 352
    image.header["magic"] = b"n+1"
    content = image.header.binaryblock + bytes(4 + int(np.prod(grid.shape)) * 4000)
    path.write_bytes(gzip.compress(content))
    sidecar = {**grid_as_json(grid), "atlas_id": "a", "fingerprint": "f"}
    path.with_name(path.name + ".json").write_text(json.dumps(sidecar))


@pytest.fixture(scope="module")
def measured(tmp_path_factory) -> dict[str, tuple[str, int, float]]:
    """What each reader said, and the bytes and seconds that it needed."""
    folder = tmp_path_factory.mktemp("memory")
    endings = {"deep-lines": ".jsonl", "an-image-of-zeros": ".nii.gz"}
    given = []
    for name, case in CASES.items():
        path = folder / f"{name}{endings.get(name, '.parquet')}"
        given.append((case.reader, write_case(name, path)))
        if path.exists():
            assert path.stat().st_size < 200_000, name
    done = subprocess.run(
        [sys.executable, "-c", CODE, json.dumps(given), str(LIMIT_BYTES)],
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(zip(CASES, map(json.loads, done.stdout.splitlines()), strict=True))


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of memory is read from /proc")
@pytest.mark.parametrize("name", CASES)
def test_a_small_file_needs_little_memory_and_time(measured, name) -> None:
    """556 bytes of Parquet once took 2.3 GB, and 49 kB of NIfTI 1.35 GB."""
    outcome, n_bytes, seconds = measured[name]
    assert CASES[name].says in outcome
    assert not outcome.startswith("traceback")
    assert n_bytes < CASES[name].most_mb * MEGABYTE
    assert seconds < 20
