"""Text of unknown origin made harmless for what it is written into: Markdown, tables, terminals.

Names of models, domains and documents, tokens and notes come from files that anybody wrote.
"""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

#: Cannot be seen, and breaks what Markdown's readers look for when escapes are gone.
JOINER = "\u2060"
# Addresses become links, and words between colons icons, in the text that escapes leave behind.
_LINKED = re.compile(r"(?i)(?<=:)(?=//)|(?<=www)(?=\.)|(?<=[\w.+-]@)(?=[\w-])|(?<=:)(?=[\w+/-]+:)")
_MARKDOWN = re.compile(r"[\\`*_\[\]|<>~$&]")
# A spreadsheet would run a cell that begins with one of these; a quote in front makes it text.
_FORMULA = re.compile(r"^'*[=+\-@\t\r]")
# Controls, marks that reorder or hide text, and what no XML may hold. Joiners (200C, 200D) stay:
# scripts need them.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u180e\u200b\u200e\u200f\u2028-\u202e"
    "\u2060-\u206f\ufeff\ud800-\udfff\ufffe\uffff]"
)


def visible(text: str) -> str:
    """Return text in which what cannot be seen is shown: controls and marks of direction.

    They become their code in angle quotes, 202E for a right-to-left override; a lone surrogate,
    which no browser can be sent, becomes the replacement character. Tab and line feed stay.
    """
    return _HIDDEN.sub(_visible_code, text)


def _visible_code(match: re.Match[str]) -> str:
    code = ord(match.group())
    return "\ufffd" if 0xD800 <= code < 0xE000 else f"\u2039{code:02X}\u203a"


def unlinked(text: str) -> str:
    """Return text in which readers of Markdown find no address and no icon."""
    return _LINKED.sub(JOINER, text)


def markdown_line(text: str) -> str:
    """Return text as one line within a paragraph, heading or table of a Markdown file."""
    line = unlinked(visible(" ".join(text.split())))
    return _MARKDOWN.sub(lambda match: f"\\{match.group()}", line)


def shielded(text: str) -> str:
    """Return text for a table: what a spreadsheet would run begins with a quote."""
    return f"'{text}" if _FORMULA.match(text) else text


def unshielded(text: str) -> str:
    """Return what `shielded` was given."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text


def csv_of(table: "pd.DataFrame") -> str:
    """Return a table as CSV, numbers in full; no heading and no cell is run by a spreadsheet."""
    shown = table.rename(columns=lambda name: shielded(str(name)))
    shown = shown.apply(
        lambda column: (
            column
            if column.dtype.kind in "biufc"
            else column.astype(object).map(
                lambda value: shielded(value) if isinstance(value, str) else value
            )
        )
    )
    return str(shown.to_csv(index=False))
