"""Stimuli of a localizer: short texts in conditions, in groups that are presented as blocks.

The items of one template in one condition are one block, which the model reads in a window of its
own. Templates are what is resampled: items of one template say much the same, and are no
independent observations.
"""

import csv
import hashlib
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fnprune_core.errors import TextError
from fnprune_core.inputs.files import decoded, path_of, read_bytes

#: Templates (or blocks) of each condition below which there is no spread to speak of.
LEAST_BLOCKS = 4
MOST_ITEMS = 4000
#: Bounds of a file; of its items, some may be of conditions that are not contrasted.
MOST_FILE_BYTES = 16_000_000
MOST_ROWS = 5 * MOST_ITEMS
MOST_COLUMNS = 64
MOST_CONDITIONS = 64
MOST_NAME = 200
#: Items of a block where a file names no templates.
ITEMS_PER_BLOCK = 6
COLUMNS = ("condition", "template", "text")
_FORMAT = (
    "Write one item per line with two columns, condition and text; a third, template, says which "
    "items share a frame."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One stimulus: a text, its condition, and the frame that it was made from."""

    condition: str
    template: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Items that are read one after another in one window: those of a template in a condition."""

    condition: str
    template: str
    items: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Localizer:
    """Stimuli in conditions, and the contrast between conditions.

    Parameters
    ----------
    name : str
        Short, for files and the command line.
    title : str
        For people.
    items : tuple of Item
    positive, negative : tuple of str
        The contrast: the mean of the first conditions minus that of the others.
    has_templates : bool
        Whether the templates were named; if not, they are groups of items of one condition.
    question : str
        What the contrast asks, in one sentence.
    note : str
        What it can't tell.
    """

    name: str
    title: str
    items: tuple[Item, ...]
    positive: tuple[str, ...]
    negative: tuple[str, ...]
    has_templates: bool = True
    question: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        _check_contrast(self)

    @property
    def conditions(self) -> tuple[str, ...]:
        """Names of the conditions, those of the positive side first."""
        return (*self.positive, *self.negative)

    @property
    def contrast(self) -> str:
        """The contrast in words: "French and German against English"."""
        return f"{' and '.join(self.positive)} against {' and '.join(self.negative)}"

    @property
    def unit(self) -> str:
        """Unit of resampling: "templates", or "blocks" where no templates were named."""
        return "templates" if self.has_templates else "blocks"

    @property
    def is_paired(self) -> bool:
        """Whether every template has items in every condition, so that differences are paired."""
        sets = [set(self.templates(condition)) for condition in self.conditions]
        return self.has_templates and all(templates == sets[0] for templates in sets)

    @property
    def sha256(self) -> str:
        """Hash of the items and of the contrast."""
        rows = [(item.condition, item.template, item.text) for item in self.items]
        content = repr((rows, self.positive, self.negative, self.has_templates))
        return hashlib.sha256(content.encode("utf-8", "replace")).hexdigest()

    def templates(self, condition: str) -> tuple[str, ...]:
        """Return the templates of a condition, in the order of the items."""
        templates = (item.template for item in self.items if item.condition == condition)
        return tuple(dict.fromkeys(templates))

    def texts(self, condition: str) -> tuple[str, ...]:
        """Return the texts of a condition."""
        return tuple(item.text for item in self.items if item.condition == condition)

    def blocks(self, *, seed: int = 0) -> tuple[Block, ...]:
        """Return the blocks in alternating conditions; templates and items in random order."""
        rng = np.random.default_rng(seed)
        members: dict[tuple[str, str], list[int]] = {}
        for number, item in enumerate(self.items):
            members.setdefault((item.condition, item.template), []).append(number)
        queues = []
        place_of_template: dict[str, int] = {}
        for condition in self.conditions:
            names = list(self.templates(condition))
            if not self.is_paired:
                names = [names[i] for i in rng.permutation(len(names))]
            elif not place_of_template:
                place_of_template = {
                    names[i]: place for place, i in enumerate(rng.permutation(len(names)))
                }
            if place_of_template:
                names.sort(key=place_of_template.__getitem__)
            queues.append([(condition, name) for name in names])
        blocks = []
        for position in range(max(len(queue) for queue in queues)):
            for queue in queues:
                if position < len(queue):
                    condition, template = queue[position]
                    item_numbers = np.array(members[condition, template])[
                        rng.permutation(len(members[condition, template]))
                    ]
                    blocks.append(
                        Block(
                            condition=condition,
                            template=template,
                            items=tuple(int(i) for i in item_numbers),
                        )
                    )
        return tuple(blocks)


def _check_contrast(localizer: Localizer) -> None:
    """Raise TextError if no contrast can be made, saying what is missing and what would do."""
    conditions = dict.fromkeys(item.condition for item in localizer.items)
    if len(conditions) < 2:
        items_text = f"only {next(iter(conditions))!r}" if conditions else "no items"
        raise TextError(
            f"A contrast needs two conditions; there is {items_text}.",
            hint="Add items of a second condition, alike but for what you want to find.",
        )
    missing = [name for name in localizer.conditions if name not in conditions]
    if missing or not localizer.positive or not localizer.negative:
        raise TextError(
            f"There is no condition {', '.join(map(repr, missing)) or 'on one side'}.",
            hint=f"Choose among {', '.join(map(repr, conditions))}, some on either side.",
        )
    if set(localizer.positive) & set(localizer.negative):
        raise TextError(
            "A condition stands on both sides of the contrast.", hint="Put it on one side."
        )
    if len(localizer.items) > MOST_ITEMS:
        raise TextError(
            f"There are {len(localizer.items):,} items.", hint=f"Use at most {MOST_ITEMS:,}."
        )
    for condition in localizer.conditions:
        n = len(localizer.templates(condition))
        if n < LEAST_BLOCKS:
            raise TextError(
                f"Condition {condition!r} has {n} {localizer.unit}; "
                f"{LEAST_BLOCKS} are the least from which a spread can be estimated.",
                hint="Write items from more frames, 8 or more are better."
                if localizer.has_templates
                else f"Give {LEAST_BLOCKS * 2} items or more of each condition.",
            )


def read_localizer(
    source: Path | bytes,
    *,
    name: str = "",
    positive: Sequence[str] = (),
    negative: Sequence[str] = (),
) -> Localizer:
    """Return a localizer from a CSV or TSV file of one's own.

    Parameters
    ----------
    source : Path or bytes
        With the columns condition and text, with or without a heading; a third column, template,
        if the heading names it. Tabs or commas (or semicolons) between them.
    positive, negative : sequence of str
        The contrast; the first condition against all others if not given.

    Raises
    ------
    TextError
        If the file isn't such a table, a line has another number of columns, an item is empty,
        there is one condition only, or a condition has too few templates or items.
    """
    what = "The file"
    if isinstance(source, Path):
        what, name = str(source), name or source.stem
        raw = read_bytes(path_of(source), most=MOST_FILE_BYTES, error=TextError)
    else:
        raw = source
    if len(raw) > MOST_FILE_BYTES:
        raise TextError(
            f"{what} has {len(raw) / 1e6:.1f} MB; at most {MOST_FILE_BYTES / 1e6:.0f} MB are read.",
            hint=f"A localizer has at most {MOST_ITEMS:,} short items.",
        )
    items, has_templates = _parse_items(decoded(raw, what=what, error=TextError), what)
    return localizer_of(
        items,
        name=name or "own",
        has_templates=has_templates,
        positive=positive,
        negative=negative,
    )


def localizer_of(
    items: Sequence[Item],
    *,
    name: str,
    has_templates: bool,
    positive: Sequence[str] = (),
    negative: Sequence[str] = (),
) -> Localizer:
    """Return a localizer of one's own items; without templates, groups of items stand for them."""
    conditions = tuple(dict.fromkeys(item.condition for item in items))
    positive_side = (
        tuple(positive)
        or tuple(condition for condition in conditions if condition not in negative)[:1]
    )
    negative_side = tuple(negative) or tuple(
        condition for condition in conditions if condition not in positive_side
    )
    used_items = [
        item for item in items if item.condition in {*positive_side, *negative_side}
    ] or list(items)
    if not has_templates:
        used_items = _grouped_items(used_items)
    return Localizer(
        name=name,
        title=name,
        items=tuple(used_items),
        positive=positive_side,
        negative=negative_side,
        has_templates=has_templates,
    )


def _grouped_items(items: Sequence[Item]) -> list[Item]:
    """Return the items of each condition in groups, in the order of the file."""
    grouped = []
    for condition in dict.fromkeys(item.condition for item in items):
        condition_items = [item for item in items if item.condition == condition]
        n_groups = max(
            min(len(condition_items) // 2, LEAST_BLOCKS), len(condition_items) // ITEMS_PER_BLOCK, 1
        )
        for number, group in enumerate(np.array_split(np.arange(len(condition_items)), n_groups)):
            grouped += [
                Item(
                    condition=condition,
                    template=f"block {number + 1}",
                    text=condition_items[i].text,
                )
                for i in group
            ]
    return grouped


def _parse_items(text: str, what: str) -> tuple[list[Item], bool]:
    first_line = next((line for line in text.splitlines() if line.strip()), "")
    if not first_line:
        raise TextError(f"{what} is empty.", hint=_FORMAT)
    delimiter = max("\t,;", key=first_line.count)
    rows = list(_rows_in(text, delimiter, what))
    heading = [cell.strip().lower() for cell in rows[0][1]]
    if {"condition", "text"} <= set(heading):
        places = {column: heading.index(column) for column in COLUMNS if column in heading}
        rows = rows[1:]
        twice = [column for column in places if heading.count(column) > 1]
        if twice:
            raise TextError(f"{what} has the column {twice[0]!r} twice.", hint="Leave one.")
    else:
        places = {"condition": 0, "text": 1}
        heading = heading[: max(len(heading), 2)]
    if len(heading) < 2:
        raise TextError(
            f"{what} has one column only: {first_line[:40]!r}.",
            hint=f"{_FORMAT} Use tabs or commas.",
        )
    _check_lines(
        [line_number for line_number, row in rows if len(row) != len(heading)],
        f"{{}} a number of columns other than {len(heading)}",
        "A text that holds a comma must stand in double quotes.",
    )
    cells = [
        (line_number, {name: row[place].strip() for name, place in places.items()})
        for line_number, row in rows
    ]
    _check_cells(cells, places)
    items = [
        Item(
            condition=values["condition"], template=values.get("template", ""), text=values["text"]
        )
        for _, values in cells
    ]
    n_conditions = len({item.condition for item in items})
    if n_conditions > MOST_CONDITIONS:
        raise TextError(
            f"{what} has {n_conditions:,} conditions, at most {MOST_CONDITIONS} can be contrasted.",
            hint="Is the first column the condition? Name the columns in the first line.",
        )
    return items, "template" in places


def _rows_in(text: str, delimiter: str, what: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows of a table that are not blank, with the number of their last line."""
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, strict=True)
    n_rows = 0
    try:
        for row in reader:
            if len(row) > MOST_COLUMNS:
                raise TextError(
                    f"Line {reader.line_num} of {what} has {len(row):,} columns, at most "
                    f"{MOST_COLUMNS} are read.",
                    hint=_FORMAT,
                )
            if any(cell.strip() for cell in row):
                n_rows += 1
                yield reader.line_num, row
            if n_rows > MOST_ROWS:
                raise TextError(
                    f"{what} has over {MOST_ROWS:,} items.", hint=f"Use at most {MOST_ITEMS:,}."
                )
    except csv.Error as error:
        raise TextError(
            f"{what} is no table: {error}, in line {reader.line_num}.", hint=_FORMAT
        ) from error


def _check_cells(cells: Sequence[tuple[int, dict[str, str]]], columns: Iterable[str]) -> None:
    """Raise `TextError` if a cell is empty, or a name is too long or no plain text."""
    for column in columns:
        _check_lines(
            [line_number for line_number, values in cells if not values[column]],
            f"{{}} an empty {column}",
            "Fill it in, or delete the line.",
        )
        if column != "text":
            _check_lines(
                [number for number, values in cells if not _is_name(values[column])],
                f"{{}} a {column} of over {MOST_NAME} characters, or with control characters",
                "Give it a short name.",
            )


def _is_name(text: str) -> bool:
    return len(text) <= MOST_NAME and text.isprintable()


def _check_lines(numbers: Iterable[int], message: str, hint: str) -> None:
    """Raise `TextError` if some lines are wrong, naming the first of them."""
    wrong_lines = list(numbers)
    if not wrong_lines:
        return
    listed = ", ".join(map(str, wrong_lines[:6])) + (" and more" if len(wrong_lines) > 6 else "")
    complaint = message.format("has" if len(wrong_lines) == 1 else "have")
    raise TextError(f"Line{'s' if len(wrong_lines) > 1 else ''} {listed} {complaint}.", hint=hint)
