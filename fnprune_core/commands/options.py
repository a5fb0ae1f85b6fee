"""Options that several commands share, and how they become documents, models and plans."""

import inspect
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from fnprune_core.commands.console import print_facts, print_json, progress_bars
from fnprune_core.errors import SettingsError
from fnprune_core.inputs.files import path_of, printable, shortened
from fnprune_core.inputs.numbers import numbers_of, reals_in, shown, spans_in, whole_number
from fnprune_core.progress import Progress
from fnprune_core.storage.workspace import Workspace

if TYPE_CHECKING:
    from fnprune_core.models.language_model import LanguageModel
    from fnprune_core.models.layout import UnitLayout
    from fnprune_core.texts.documents import Document

EMBEDDED = "embedded"  # as in loading, which would import torch
#: Bounds of what a command line can name.
MOST_WHOLE = 2**31 - 1
MOST_NUMBERS = 100_000
MOST_SHARES = 1000

Match = Annotated[
    bool,
    typer.Option("--match", help="Of an earlier result: number its networks as here, by maps."),
]
Where = Annotated[
    Path | None,
    typer.Option("--workspace", "-w", help="Folder of results (default: FNPRUNE_WORKSPACE)."),
]
Texts = Annotated[
    list[str] | None,
    typer.Argument(help="builtin, files (.txt .jsonl .csv .parquet), folders, datasets ids."),
]
Window = Annotated[int, typer.Option(help="Tokens per window.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class CommonOptions:
    """Options that most commands take: the model, where results lie, and how they are printed."""

    model: Annotated[
        str,
        typer.Option(
            "--model",
            "-m",
            help="embedded, a Hugging Face id (owner/name@revision), folder or GGUF.",
        ),
    ] = EMBEDDED
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, mps or sharded.")] = "auto"
    dtype: Annotated[str, typer.Option(help="auto, float32, bfloat16 or float16.")] = "auto"
    scheduler: Annotated[
        str,
        typer.Option(help="Address of a Dask scheduler whose workers take a share of the work."),
    ] = ""
    where: Where = None
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON value instead of tables.")
    ] = False

    @property
    def workspace(self) -> Workspace:
        """The workspace of the option, or the default one."""
        return workspace_at(self.where)

    def load(self, model: str | None = None) -> "LanguageModel":
        """Load the model of the option, or another one, with a progress bar for people."""
        from fnprune_core.models.loading import load_model

        with progress_bars(shown=not self.as_json) as progress:
            return load_model(
                model or self.model, device=self.device, dtype=self.dtype, progress=progress
            )

    @contextmanager
    def progress(self) -> Iterator[Progress]:
        """Draw progress bars for people while the block runs, on the workers of the scheduler."""
        from fnprune_core.machine.workers import scheduled

        with scheduled(self.scheduler), progress_bars(shown=not self.as_json) as progress:
            yield progress

    def wrote_json(self, value: object) -> bool:
        """Print a value as JSON if JSON was asked for; return whether it was."""
        if self.as_json:
            print_json(value)
        return self.as_json

    def show(self, title: str, facts: Mapping[str, Any]) -> None:
        """Print facts as JSON, or as a table under a title."""
        if not self.wrote_json(facts):
            print_facts(title, facts)


@dataclass(frozen=True, slots=True, kw_only=True)
class TextOptions:
    """Options of how files are read as documents."""

    text_column: Annotated[str, typer.Option(help="Column with the text.")] = "text"
    domain_column: Annotated[str | None, typer.Option(help="Column with the domain.")] = None
    document_column: Annotated[str | None, typer.Option(help="Column that names the document.")] = (
        None
    )
    domain: Annotated[str | None, typer.Option(help="Domain of all these texts.")] = None


def takes(
    kind: type, parameter: str, *, without: Collection[str] = ()
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return the decorator that puts the fields of a dataclass in the place of a parameter.

    A command of several options is then written as one of few arguments, and several commands
    take the same options from one declaration.

    Parameters
    ----------
    kind : type
        A dataclass whose fields are annotated as options.
    parameter : str
        The command's parameter that gets an instance of it.
    without : collection of str
        Fields that the command does not take; they stay at their defaults.
    """
    hints = get_type_hints(kind, include_extras=True)
    option_fields = [option for option in fields(kind) if option.name not in without]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        parameters: list[inspect.Parameter] = []
        for argument in inspect.signature(command).parameters.values():
            if argument.name != parameter:
                parameters.append(argument)
                continue
            parameters += [
                argument.replace(
                    name=option.name, default=option.default, annotation=hints[option.name]
                )
                for option in option_fields
            ]

        @wraps(command)
        def call_command(**arguments: Any) -> None:
            options = {option.name: arguments.pop(option.name) for option in option_fields}
            command(**arguments, **{parameter: kind(**options)})

        # The signature and annotations that typer reads.
        call_command.__dict__["__signature__"] = inspect.Signature(
            [argument.replace(kind=inspect.Parameter.KEYWORD_ONLY) for argument in parameters]
        )
        call_command.__annotations__ = {
            argument.name: argument.annotation for argument in parameters
        }
        return call_command

    return decorate


_MODEL = ("model", "device", "dtype")
#: Decorators of commands that have a parameter ``common``: which of its options they take.
with_workers = takes(CommonOptions, "common")
with_model = takes(CommonOptions, "common", without=("scheduler",))
with_workers_alone = takes(CommonOptions, "common", without=_MODEL)
with_workspace = takes(CommonOptions, "common", without=(*_MODEL, "scheduler"))


def documents_from(
    sources: Sequence[str] | None,
    options: TextOptions | None = None,
    *,
    builtin: str = "calibration",
) -> "list[Document]":
    """Return the documents of all sources; without any, a split of the built-in ones."""
    from fnprune_core.texts.documents import read_documents

    reading = asdict(options or TextOptions())
    return [
        document
        for source in sources or (f"builtin:{builtin}",)
        for document in read_documents(source, **reading)
    ]


def said_of_chat(language_model: "LanguageModel", is_applied: bool) -> str:
    """Return whether texts stand in the model's chat template, in words."""
    from fnprune_core.texts.chat import has_chat_template

    if is_applied:
        return "applied"
    has_one = has_chat_template(language_model.tokenizer)
    return "not applied; --chat does" if has_one else "the model has none"


def workspace_at(path: Path | None) -> Workspace:
    """Return the workspace of an option, or the default one."""
    return Workspace.default() if path is None else Workspace(path_of(path))


def units_in(text: str | None, layout: "UnitLayout") -> tuple[int, ...]:
    """Return the flat units of a list of layer:index such as "3:17,3:20"."""
    units: list[int] = []
    unit_texts = [piece.strip() for piece in (text or "").split(",", maxsplit=MOST_NUMBERS)]
    if len(unit_texts) > MOST_NUMBERS:
        raise SettingsError(
            f"The list names over {MOST_NUMBERS:,} units.", hint="Let a score choose so many."
        )
    for unit_text in filter(None, unit_texts):
        try:
            layer, index = (whole_number(part) for part in unit_text.split(":"))
        except ValueError as error:
            raise SettingsError(
                f"{shortened(unit_text)!r} is not a unit.",
                hint='Write units as layer:index, "3:17,3:20".',
            ) from error
        units.append(int(layout.flat(layer, index)))
    return tuple(units)


def shares_in(text: str) -> tuple[float, ...]:
    """Return the shares of a list such as "0.1,0.2"."""
    try:
        return reals_in(text, most=MOST_SHARES)
    except ValueError as error:
        raise SettingsError(
            f"{shortened(text)!r} is not a list of ratios: {error}.",
            hint='Write it as "0.1,0.2,0.4".',
        ) from error


def numbers_in(text: str | None) -> tuple[int, ...] | None:
    """Return the numbers of a list such as "1,3,7-12"."""
    if text is None:
        return None
    try:
        spans = spans_in(text)
    except ValueError as error:
        raise SettingsError(
            f"{shortened(text)!r} is not a list of networks: {error}.",
            hint='Write it as "1,3,7-12".',
        ) from error
    return tuple(numbers_of(spans, most=MOST_NUMBERS, complaint=_too_many))


def _too_many(n_numbers: int) -> SettingsError:
    return SettingsError(
        f"The list names {n_numbers:,} networks, at most {MOST_NUMBERS:,} are read.",
        hint='Networks are numbered from 0; write them as "1,3,7-12".',
    )


def bounded(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command that refuses values no option can bear, before it does anything.

    Whole numbers beyond 32 bits, paths that no file can have, and bytes that are not UTF-8 in what
    is no path. Numbers with a fraction are left to the settings, which say what they mean.
    """

    @wraps(command)
    def call_command(**arguments: Any) -> None:
        for name, value in arguments.items():
            for item in value if isinstance(value, list | tuple) else (value,):
                _check_value(name.replace("_", "-"), item)
        command(**arguments)

    return call_command


def _check_value(name: str, value: object) -> None:
    if type(value) is int and abs(value) > MOST_WHOLE:
        raise SettingsError(
            f"{name} is {shown(value)}; whole numbers go to {MOST_WHOLE:,}.",
            hint=f"Choose a smaller {name}.",
        )
    if isinstance(value, Path):
        path_of(value)
    if isinstance(value, str) and printable(value) != value and not os.path.lexists(value):
        raise SettingsError(
            f"{name} holds bytes that are not UTF-8: {printable(value)!r}.",
            hint="Is the terminal set to UTF-8?",
        )
