"""The report of an atlas: what was done and found, in words, tables and commands.

Nothing is drawn here. A section names the figures it wants (`Slot`); who draws them, and makes a
page of it, is the app.
"""

from fnprune_core.report.material import Material, open_material
from fnprune_core.report.parts import (
    Block,
    Code,
    Heading,
    Listing,
    Missing,
    Section,
    Slot,
    Table,
    Text,
    zipped_tables,
)
from fnprune_core.report.references import REFERENCES, Reference, bibtex, cited
from fnprune_core.report.sections import (
    SECTIONS,
    ReportSettings,
    check_sections,
    lacks,
    write_sections,
)

__all__ = [
    "REFERENCES",
    "SECTIONS",
    "Block",
    "Code",
    "Heading",
    "Listing",
    "Material",
    "Missing",
    "Reference",
    "ReportSettings",
    "Section",
    "Slot",
    "Table",
    "Text",
    "bibtex",
    "check_sections",
    "cited",
    "lacks",
    "open_material",
    "write_sections",
    "zipped_tables",
]
