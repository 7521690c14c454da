"""What holds for the options of every command: given once unless they add up, paths and numbers that can be meant."""

from __future__ import annotations

import math
import shlex
from collections import Counter
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand

from crystalgfn.cli.processes import launcher
from crystalgfn.errors import ConfigError
from crystalgfn.terminal import echo

RESUME, RESTART = "--resume", "--restart"
SEEDS = ("seed", "split_seed")
"""Names of options that are seeds."""

MOST = 1_000_000_000
"""Largest number of crystals, rows, steps, seconds or anything else that a command can be asked for."""

LARGEST = {**dict.fromkeys(SEEDS, 2**63 - 1), "workers": 1_024, "threads": 1_024}
"""Largest values of options that have others, by the name of the option."""


class Command(TyperCommand):
    """A command that refuses what would be lost or misread without a word.

    An option that takes one value is given once at most; an option that takes several adds them up. ``~`` at the start
    of a value is the home folder, quoted or not. Numbers are finite and bounded, and values are not empty. What goes on
    after an interruption says by which command.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments of the command.

        Raises:
            ConfigError: an option with a single value is repeated, or a value is empty or of another kind.
        """
        given, _, order = self.make_parser(ctx).parse_args(args=list(args))
        for parameter, times in Counter(order).items():
            if parameter.param_type_name == "option" and not parameter.multiple and times > 1:
                raise ConfigError(f"{_shown(parameter)}: given {times} times, allowed: once")
        for parameter in order:
            if given.get(parameter.name) == "" or "" in _several(given.get(parameter.name)):
                raise ConfigError(f"{_shown(parameter)}: found '', allowed: a value")
        self._given = [*launcher(), *ctx.command_path.split()[1:], *args]
        try:
            return super().parse_args(ctx, args)
        except typer.BadParameter as error:
            if type(error) is not typer.BadParameter or error.param is None:  # nothing was given
                raise
            found = given.get(error.param.name)
            raise ConfigError(f"{_shown(error.param)}: found {found!r}; {error.message.rstrip('.')}") from None

    def invoke(self, ctx: Any) -> Any:
        """Run the command with its values.

        Raises:
            ConfigError: a number is not finite or too large, or there is no such home folder.
        """
        for parameter in self.params:
            name = parameter.name
            if name in ctx.params:
                ctx.params[name] = _value(ctx.params[name], parameter)
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            self._say_how_to_go_on(ctx.params)
            raise

    def _say_how_to_go_on(self, values: dict[str, Any]) -> None:
        """Print the command that goes on with what the interrupted one left, if it left anything."""
        given = [word for word in self._given if word != RESUME]
        output = values.get("output")  # None: the command names its folder itself
        if "resume" in values and (output is None or output.is_dir()):
            echo(f"interrupted; go on with: {shlex.join([*given, RESUME])}", err=True)
        elif "restart" in values and not any(parameter.envvar for parameter in self.params):  # those may be secret
            echo(f"interrupted; go on with the same command: {shlex.join(w for w in given if w != RESTART)}", err=True)
        elif "restart" in values:
            echo("interrupted; the same command goes on", err=True)


def strict(app: typer.Typer) -> typer.Typer:
    """The application, with every command of it and of its groups a :class:`Command`."""
    for command in app.registered_commands:
        command.cls = Command
    for group in app.registered_groups:
        if group.typer_instance is not None:
            strict(group.typer_instance)
    return app


def once(pairs: list[tuple[str, Any]], flag: str) -> dict[str, Any]:
    """Pairs of an option such as ``--weight NAME=X`` as a mapping.

    Raises:
        ConfigError: a name stands twice.
    """
    for name, times in Counter(name for name, _ in pairs).items():
        if times > 1:
            raise ConfigError(f"{flag}: {name} is given {times} times, allowed: once")
    return dict(pairs)


def _shown(parameter: Any) -> str:
    """A parameter as a user writes it."""
    if parameter.param_type_name == "option":
        return str(max(parameter.opts, key=len))
    return str(parameter.metavar or parameter.name.upper())


def _several(value: Any) -> list[Any] | tuple[Any, ...]:
    """Values of an option that takes several; none for another."""
    return value if isinstance(value, list | tuple) else ()


def _value(value: Any, parameter: Any) -> Any:
    """A value with the home folder in place of ``~``."""
    if isinstance(value, list | tuple):
        return type(value)(_value(each, parameter) for each in value)
    if isinstance(value, float) and not math.isfinite(value):
        raise ConfigError(f"{_shown(parameter)}: found {value}, allowed: a finite number")
    if isinstance(value, int | float) and not isinstance(value, bool):
        most = LARGEST.get(parameter.name, MOST)
        if abs(value) > most:
            raise ConfigError(f"{_shown(parameter)}: found {value:,}, allowed: up to {most:,}")
        if value < 0 and parameter.name in SEEDS:
            raise ConfigError(f"{_shown(parameter)}: found {value}, allowed: 0 or more")
    if isinstance(value, Path | str) and str(value).startswith("~"):
        try:
            return type(value)(Path(value).expanduser())
        except RuntimeError:  # no such user
            raise ConfigError(f"{_shown(parameter)}: {value} is below no home folder, allowed: a path") from None
    return value
