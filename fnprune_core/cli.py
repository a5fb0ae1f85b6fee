"""The command line: its commands, and what becomes of errors."""

import functools
import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import entry_points
from typing import Any

import typer
from typer.main import get_command

from fnprune_core import __version__
from fnprune_core.assets import WHEEL
from fnprune_core.commands import atlas, example, export, generate, prune, record
from fnprune_core.commands.console import EXIT_CANCELLED, EXIT_USER_ERROR, print_error
from fnprune_core.commands.experiments.lesion import lesion
from fnprune_core.commands.experiments.localize import localize
from fnprune_core.commands.find import find
from fnprune_core.commands.names import names
from fnprune_core.commands.options import bounded
from fnprune_core.commands.search import searches
from fnprune_core.commands.sweep import sweep
from fnprune_core.commands.workspace import workspaces
from fnprune_core.errors import FnpruneError
from fnprune_core.machine import memory

# click's ClickException, which typer has from click or carries in a copy of its own.
_UsageError: Any = typer.BadParameter.__mro__[2]

cli = typer.Typer(
    name="fnprune",
    help="Find the functional networks of a language model, choose which to preserve, prune.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
for _command in (
    record.models,
    record.doctor,
    record.record,
    record.decompose,
    atlas.apply,
    atlas.match,
    atlas.trust,
    atlas.chance,
    atlas.directions,
    prune.plan,
    prune.prune,
    prune.evaluate,
    sweep,
    generate.generate,
    localize,
    lesion,
    export.export,
    export.push,
    export.speed,
    atlas.volumes,
    find,
    example.demo,
    example.example,
):
    cli.command()(bounded(_command))
cli.command("import")(bounded(prune.import_plan))
cli.add_typer(names, name="names")
cli.add_typer(searches, name="search")
cli.add_typer(workspaces, name="workspace")


@cli.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


@contextmanager
def _quiet_libraries() -> Iterator[None]:
    """Keep the libraries' own bars and notices out of the output."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")  # those of transformers, too
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    logging.getLogger("transformers").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what a user must know is said in the results
        yield


@functools.cache
def build_cli() -> Callable[..., Any]:
    """Return the command with what the app and others add to it, made once."""
    if WHEEL.is_dir():
        sys.path.insert(0, str(WHEEL))  # before another's `app`, in this process alone
    for entry in entry_points(group="fnprune.commands"):
        try:
            register = entry.load()
        except ImportError as error:
            typer.echo(f"The command {entry.name!r} is not available: {error}.", err=True)
        else:
            register(cli)
    return get_command(cli)


def main() -> None:
    """Run the command line. Exit codes: 0 done, 2 a mistake to correct, 130 stopped."""
    as_json = "--json" in sys.argv
    memory.prefer_large_pages()
    try:
        with _quiet_libraries(), memory.kept():
            code = build_cli()(standalone_mode=False)
    except FnpruneError as error:
        print_error(error, as_json=as_json)
        sys.exit(EXIT_USER_ERROR)
    except (KeyboardInterrupt, typer.Abort):
        code = EXIT_CANCELLED
    except _UsageError as error:
        if as_json:
            hint = "`fnprune --help` and `fnprune COMMAND --help` show what there is."
            print_error(FnpruneError(error.format_message(), hint=hint), as_json=True)
        else:
            error.show()
        sys.exit(EXIT_USER_ERROR)
    if code == EXIT_CANCELLED:  # typer returns it after a keyboard interrupt
        typer.echo("Stopped. What was finished is kept.", err=True)
    sys.exit(code if isinstance(code, int) else 0)
