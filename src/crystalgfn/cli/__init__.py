"""The command line: one module for each verb, imported only when that verb runs.

A verb's module ``crystalgfn.cli.<verb>`` holds a :class:`typer.Typer` named ``app``: with one command for a verb such
as ``train``, with several for a group such as ``proxy``. It raises :class:`~crystalgfn.errors.CrystalGFNError` and
prints results to stdout; :func:`main` turns errors into one line on stderr and exit code 2.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from crystalgfn import __version__
from crystalgfn.cli.command import strict
from crystalgfn.cli.processes import told_once
from crystalgfn.errors import CrystalGFNError
from crystalgfn.interruption import terminable
from crystalgfn.terminal import echo, one_line

VERBS = {
    "train": "Train a sampler from a preset or a configuration file.",
    "design": "From a wish (elements, a formula, a structure type) to ranked structures.",
    "sample": "Sample crystals from a trained model into a table.",
    "sample merge": "Join the tables of shards, which machines sampled apart.",
    "structures": "Place atoms, relax, rank by stability, write CIF files.",
    "structures merge": "Join the shards of a run, which machines worked on apart.",
    "judge": "Ask a second potential about relaxed structures.",
    "export": "Write the best structures for other programs: VASP, pw.x, ASE.",
    "evaluate": "Measure crystals or structures: every number with its method.",
    "report": "Write a page about crystals, a run or structures.",
    "compare": "Write a page that shows several of them side by side.",
    "loop": "Sample, relax, learn from it, and again.",
    "demo": "Sample, place, relax and rank in one go.",
    "proxy": "Train, evaluate and apply property models.",
    "properties": "List properties with unit, error, elements and source.",
    "data": "Import real crystals: MatBench, the Materials Project, CSV, VASP runs.",
    "config": "Show or check a configuration.",
    "info": "Print versions, hardware, presets and property models.",
}
"""Every verb with the line that ``crystalgfn --help`` prints, in the order of use; some are two words."""

EXIT_ERROR = 2
EXIT_INTERRUPTED = 130


def module_of(verb: str) -> str:
    """Return the name of the module of a verb."""
    return f"{__name__}.{verb.replace(' ', '_')}"


class _LazyVerbs(TyperGroup):
    """Holds a placeholder for each verb, and puts the real command in its place when that verb is called."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if " ".join(args[:2]) in self.commands:
            args = [" ".join(args[:2]), *args[2:]]
        name = args[0]
        if name in self.commands:
            module = import_module(module_of(name))
            self.commands[name] = typer.main.get_command(strict(module.app))
        return super().resolve_command(ctx, args)


app = typer.Typer(
    cls=_LazyVerbs,
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Sample inorganic crystals in proportion to a reward, under hard constraints.",
)


def _print_version(value: bool) -> None:
    if value:
        echo(f"crystalgfn {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
    ),
) -> None:
    pass


def _placeholder() -> None:
    pass


for _verb, _help in VERBS.items():
    app.command(_verb, help=_help)(_placeholder)


def run() -> NoReturn:
    """Run :func:`main` as a process of its own, and end the process without tearing the interpreter down.

    Threads that libraries leave behind (arrow, torch) now and then abort a process during its teardown ("terminate
    called without an active exception"), when all work is done and written; the exit code would then be lost.
    """
    code: Any = 0
    try:
        main()
    except SystemExit as exit_:
        code = exit_.code
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # the reader of a pipe may have gone
            stream.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


def main(args: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit: 0 after success, 2 for an error that the user can correct, 130 for Ctrl-C
    and SIGTERM.

    Args:
        args: arguments after the program's name; by default the arguments of the process.
    """
    command = typer.main.get_command(app)
    with told_once():
        try:
            with terminable():
                command.main(args=None if args is None else list(args), prog_name="crystalgfn")
        except CrystalGFNError as error:
            _fail(str(error), EXIT_ERROR)
        except OSError as error:
            what = f"{error.filename}: {error.strerror}" if error.filename else str(error)
            _fail(what, EXIT_ERROR)
        except MemoryError:
            _fail("out of memory: ask for fewer crystals at a time", EXIT_ERROR)
        except KeyboardInterrupt:
            _fail("interrupted", EXIT_INTERRUPTED)
    sys.exit(0)


def _fail(message: str, code: int) -> NoReturn:
    with contextlib.suppress(OSError, ValueError):  # the reader of a pipe may have gone
        echo(f"error: {one_line(message)}", err=True)
    sys.exit(code)
