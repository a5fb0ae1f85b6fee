"""Output of the command line: tables, progress bars, errors; JSON for machines."""

import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress
from rich.table import Table
from rich.text import Text

from fnprune_core.errors import FnpruneError
from fnprune_core.foreign_text import visible
from fnprune_core.progress import Progress, ProgressEvent, ignore

EXIT_USER_ERROR = 2
EXIT_CANCELLED = 130


def print_json(value: Any) -> None:
    """Print one JSON value to standard output; numbers that are not finite become null."""
    finite = _finite(value)
    sys.stdout.write(json.dumps(finite, indent=1, allow_nan=False, default=str) + "\n")


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def print_error(error: FnpruneError, *, as_json: bool) -> None:
    """Print what went wrong and what to do; JSON to standard output if asked."""
    if as_json:
        print_json({"error": {"message": error.message, "hint": error.hint}})
        return
    console = Console(stderr=True)
    console.print(Text.assemble(("Error:", "bold red"), " ", visible(error.message)))
    if error.hint:
        console.print(Text.assemble(("Next:", "bold"), " ", visible(error.hint)))


def _shown(text: str) -> Text:
    """Return text that neither `rich` nor the terminal reads as anything but text."""
    return Text(visible(text))


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print rows under a title; numbers are aligned right."""
    table = Table(title=_shown(title), title_justify="left")
    for index, column in enumerate(columns):
        is_numeric = bool(rows) and all(isinstance(row[index], int | float) for row in rows)
        table.add_column(_shown(column), justify="right" if is_numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_shown(_cell_text(value)) for value in row))
    Console().print(table)


def print_facts(title: str, facts: Mapping[str, Any]) -> None:
    """Print names and values under a title."""
    print_table(
        title, ("what", "value"), [(name, _cell_text(value)) for name, value in facts.items()]
    )


def _cell_text(value: Any) -> str:
    if value is None or value != value:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


@contextmanager
def progress_bars(*, shown: bool) -> Iterator[Progress]:
    """Yield a progress callback that draws one bar per stage on standard error, if a terminal."""
    console = Console(stderr=True)
    if not shown or not console.is_terminal:
        yield ignore
        return
    bars = RichProgress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[unit]}"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )
    tasks: dict[str, Any] = {}

    def report(event: ProgressEvent) -> None:
        if event.stage not in tasks:
            tasks[event.stage] = bars.add_task(event.stage, total=event.total, unit=event.unit)
        bars.update(tasks[event.stage], completed=event.done, total=event.total)

    with bars:
        yield report
