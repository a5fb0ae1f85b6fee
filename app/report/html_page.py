"""The report as one HTML file that prints well: words and tables of the core, still figures here.

There is no script in it, and its content security policy forbids any request. Tables are inside
as CSV in an archive.
"""

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from markupsafe import Markup

from app.figures.markup import visible
from app.figures.theme import PALETTES
from app.html_files.base import check_file, colours, environment, fonts, write_page
from app.report.easel import Easel, Figure, in_body
from app.report.figures import FIGURES, draw
from fnprune_core import __version__
from fnprune_core.atlas.membership import MARK, MARK_SAYS
from fnprune_core.progress import NEVER, CancelToken, Progress, ProgressEvent, ignore
from fnprune_core.report import material, parts, references
from fnprune_core.report.headline import headline
from fnprune_core.report.references import split_citations
from fnprune_core.report.sections import SECTIONS, ReportSettings, write_sections
from fnprune_core.storage.workspace import Workspace

#: The slot of the networks in full, which are articles and no figure.
IN_FULL = "in-full"
_PASSAGES, _WORDS = 3, 8


def write_report(
    workspace: Workspace,
    atlas_id: str,
    target: Path,
    *,
    settings: ReportSettings | None = None,
    progress: Progress = ignore,
    cancel: CancelToken = NEVER,
) -> Path:
    """Write the report of an atlas as one HTML file, at once; return its path.

    Parameters
    ----------
    target : Path
        A file; its folder is made if it is not there.
    settings : ReportSettings, optional
        Which sections, the threshold, and how many networks in full.

    Raises
    ------
    SettingsError
        If the target is a folder.
    ArtifactNotFoundError, CorruptArtifactError
        If something that a section needs is missing or damaged, naming the section.
    """
    target = check_file(target, "report.html")
    chosen = settings or ReportSettings()
    m = material.open_material(
        workspace, atlas_id, z=chosen.z, n_detailed=chosen.n_detailed, progress=progress,
        cancel=cancel,
    )  # fmt: skip
    return write_page(target, report_page(m, chosen.sections))


def report_page(m: material.Material, sections: Sequence[str] = tuple(SECTIONS)) -> str:
    """Return the report as HTML: about 1 MB for 64 networks."""
    written = write_sections(m, sections)
    keys = references.cited(_texts(written))
    archive = base64.b64encode(parts.zipped_tables(written)).decode()
    shown = _Numbered(easel=Easel(m=m))
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            title=f"Functional networks of {_model_name(m)}",
            made=datetime.now(UTC).strftime("%d %B %Y"),
            version=__version__,
            atlas=m.atlas.id,
            fonts=fonts(),
            light=colours(PALETTES["light"]),
            headline=headline(m),
            sections=[
                {
                    "key": section.key,
                    "title": section.title,
                    "number": number,
                    "blocks": list(shown.blocks(section)),
                }
                for number, section in enumerate(written, start=1)
            ],
            references=[references.REFERENCES[key] for key in keys],
            reference_keys=keys,
            bibtex=references.bibtex([*keys, "fnprune"]),
            archive=Markup(archive),
            archive_kb=f"{len(archive) * 3 / 4 / 1000:,.0f}",
            files=[
                (table.name, table.title.rstrip("."), table.n_rows)
                for section in written
                for table in section.tables
            ],
        )
    )


def _model_name(m: material.Material) -> str:
    return Path(str(m.recording["model_name"])).name.removesuffix(" (embedded)")


def _texts(sections: Sequence[parts.Section]) -> Iterator[str]:
    for section in sections:
        for block in section.blocks:
            if isinstance(block, parts.Text):
                yield block.text
            elif isinstance(block, parts.Listing):
                yield from block.items


@dataclass(slots=True, kw_only=True)
class _Numbered:
    """Turns blocks into what the template shows; figures and tables are numbered throughout."""

    easel: Easel
    n_figures: int = 0
    n_tables: int = 0
    _n_drawn: int = field(default=0)

    def blocks(self, section: parts.Section) -> Iterator[dict[str, Any]]:
        """Yield the blocks of a section as the template wants them."""
        for block in section.blocks:
            if isinstance(block, parts.Table):
                if block.columns:
                    self.n_tables += 1
                    yield _table(block, self.n_tables)
            elif isinstance(block, parts.Slot):
                yield from self._slot(block)
            elif isinstance(block, parts.Text):
                yield {"kind": "text", "parts": split_citations(block.text)}
            elif isinstance(block, parts.Listing):
                yield {"kind": "list", "sentences": [split_citations(item) for item in block.items]}
            elif isinstance(block, parts.Missing):
                page = f", or the page {block.page} of the app" if block.page else ""
                yield {
                    "kind": "missing", "what": block.what, "command": block.command, "page": page
                }  # fmt: skip
            else:
                kind = "heading" if isinstance(block, parts.Heading) else "code"
                yield {"kind": kind, "text": block.text}

    def _slot(self, slot: parts.Slot) -> Iterator[dict[str, Any]]:
        m = self.easel.m
        m.cancel.raise_if_cancelled()
        m.progress(
            ProgressEvent(stage="drawing", done=self._n_drawn, total=len(FIGURES), unit="figures")
        )
        self._n_drawn += 1
        if slot.figure == IN_FULL:
            yield {"kind": "articles", "articles": [self._article(k) for k in m.detailed]}
            return
        drawn: Figure | None = draw(self.easel, slot.figure)
        if drawn is not None:
            self.n_figures += 1
            yield {
                "kind": "figure", "number": self.n_figures, "html": drawn.html,
                "caption": _explained(drawn.caption, str(drawn.html)), "is_long": drawn.is_long,
            }  # fmt: skip

    def _article(self, network: int) -> dict[str, Any]:
        easel = self.easel
        shown = easel.facts.network(network).shown()
        note = f"Map of network {network}: {shown['units']:,} units ({easel.maps.rule})"
        return {
            **shown,
            "passages": shown["passages"][:_PASSAGES],
            "words": shown["words"][:_WORDS],
            "colour": easel.palette.networks[network],
            "map": in_body(easel.maps.whole(network), note),
        }


def _explained(text: str, shown: str) -> str:
    """Return a caption, which says what the mark is where what it stands below has one."""
    return f"{text} {MARK_SAYS}" if MARK in shown else text


def _table(table: parts.Table, number: int) -> dict[str, Any]:
    headings = table.headings()
    rows = [
        [(visible(cell), is_number) for cell, (_, is_number) in zip(row, headings, strict=True)]
        for row in table.rows()
    ]
    return {
        "kind": "table",
        "number": number,
        "name": table.name,
        "title": _explained(table.title, str(rows)),
        "headings": headings,
        "rows": rows,
        "hidden": table.n_hidden,
        "n_rows": table.n_rows,
    }
