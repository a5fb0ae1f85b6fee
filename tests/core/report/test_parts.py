import base64
import io
import zipfile

import numpy as np
import pandas as pd
import pytest
from written_report import Page

from fnprune_core.report import sections
from fnprune_core.report.parts import Column, Table, cell


def archive_of(page: Page) -> zipfile.ZipFile:
    (link,) = [a for a in page.all("a") if "download" in a]
    kind, _, encoded = link["href"].partition(",")
    assert kind == "data:application/zip;base64"
    return zipfile.ZipFile(io.BytesIO(base64.b64decode(encoded)))


def test_every_shown_table_is_its_csv_rounded(made) -> None:
    archive, tables = archive_of(made.page), {}
    for section in sections.write_sections(made.m):
        tables |= {table.name: table for table in section.tables}
    assert set(made.page.tables) == {name for name, table in tables.items() if table.columns}
    assert set(archive.namelist()) == {"README.txt", *(f"{name}.csv" for name in tables)}
    for name, rows in made.page.tables.items():
        raw = pd.read_csv(io.BytesIO(archive.read(f"{name}.csv")), dtype=str, keep_default_na=False)
        table = tables[name]
        assert len(raw) == len(table.frame)
        assert len(rows) == ((table.most and min(table.most, len(raw))) or len(raw))
        for column, shown in zip(table.columns, zip(*rows, strict=True), strict=True):
            form = table.columns[column].form
            is_number = pd.api.types.is_numeric_dtype(table.frame[column])
            for stored, cells in zip(raw[column], shown, strict=False):
                if stored == "":
                    assert cells in ("", "–")
                elif is_number:
                    value = float(stored) if form or "." in stored else int(stored)
                    assert cells == cell(value, form), (name, column)
                else:
                    assert cells == stored.removeprefix("'") or cells == stored


def test_cells_and_tables_keep_their_promises() -> None:
    assert [cell(v, "{:.2f}") for v in (1.005, -0.5, np.nan, None)] == ["1.00", "−0.50", "–", "–"]
    assert cell(np.int64(12345)) == "12,345"
    frame = pd.DataFrame({"name": ["=SUM(A1)", "b"], "x": [1.23456789, -2.0]})
    table = Table(name="t", title="T", frame=frame, columns={"x": Column(title="X")}, most=1)
    assert table.n_hidden == 1
    assert table.rows() == [["1.23456789"]]
    assert table.csv().splitlines()[1] == "'=SUM(A1),1.23456789"
    with pytest.raises(ValueError, match="no column 'y'"):
        Table(name="t", title="T", frame=frame, columns={"y": Column(title="Y")})
