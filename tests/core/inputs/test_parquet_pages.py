import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fnprune_core.inputs.parquet_pages import pages


def written(**options) -> tuple[io.BytesIO, pq.ColumnChunkMetaData]:
    stream = io.BytesIO()
    table = pa.table({"text": [f"text {i % 7}" * 20 for i in range(5000)]})
    pq.write_table(table, stream, **options)
    return stream, pq.read_metadata(stream).row_group(0).column(0)


OPTIONS = [
    {"compression": "none"},
    {"compression": "zstd", "data_page_version": "2.0", "data_page_size": 2000},
    {"compression": "gzip", "use_dictionary": False, "data_page_size": 5000},
    {"compression": "snappy", "write_page_checksum": True, "write_statistics": True},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_pages_fill_the_column_that_pyarrow_describes(options) -> None:
    stream, chunk = written(**options)
    start = min(p for p in (chunk.dictionary_page_offset, chunk.data_page_offset) if p)
    found = list(pages(stream, start, chunk.total_compressed_size))
    assert len(found) >= 1
    heads = chunk.total_uncompressed_size - sum(page.unpacked for page in found)
    assert heads == chunk.total_compressed_size - sum(page.packed for page in found) > 0


@pytest.mark.parametrize("place", range(12))
def test_a_damaged_header_ends_in_an_error_or_within_its_column(place) -> None:
    stream, chunk = written(compression="zstd")
    start = min(p for p in (chunk.dictionary_page_offset, chunk.data_page_offset) if p)
    content = bytearray(stream.getvalue())
    content[start + place] ^= 0xFF
    try:
        found = list(pages(io.BytesIO(content), start, chunk.total_compressed_size))
    except ValueError:
        return
    assert sum(page.packed for page in found) < chunk.total_compressed_size


@pytest.mark.parametrize(
    ("head", "message"),
    [
        (b"\x15\x00\x15\x01\x15\x10\x00", "sizes that make no sense"),  # unpacked to -1 byte
        (b"\x15\x00\x15\x02\x15\x80\x80\x80\x08\x00", "sizes that make no sense"),
        (b"\x15", "cut short"),
        (b"\x15" + b"\x80" * 30, "never ends"),
        (b"\x1c" * 40, "nested too deeply"),
        (b"\x1b\x00", "unknown type"),
        (b"\x19\xf5\xff\xff\xff\x0f", "cut short"),
        (b"\x18\xff\xff\xff\x0f", "cut short"),
    ],
)
def test_headers_that_lie_are_refused(head, message) -> None:
    with pytest.raises(ValueError, match=message):
        list(pages(io.BytesIO(head), 0, len(head)))
