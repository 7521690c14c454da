"""Constraints as options of the command line: those of the registry that have one."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import typer

from crystalgfn.errors import ConfigError
from crystalgfn.spaces.constraints.registry import CONSTRAINTS


def with_limits(panel: str, *, before: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command an option for each constraint, in place of its ``**limits``.

    Args:
        panel: heading of the options in the help.
        before: parameter of the command before which they stand.
    """

    def decorated(command: Callable[..., None]) -> Callable[..., None]:
        own = [
            parameter
            for parameter in inspect.signature(command, eval_str=True).parameters.values()
            if parameter.kind is not inspect.Parameter.VAR_KEYWORD
        ]
        place = [parameter.name for parameter in own].index(before)

        @functools.wraps(command)
        def wrapper(**given: Any) -> None:
            command(**given)

        parameters = [*own[:place], *_options(panel), *own[place:]]
        vars(wrapper)["__signature__"] = inspect.Signature(parameters)
        return wrapper

    return decorated


def _options(panel: str) -> list[inspect.Parameter]:
    parameters = []
    for constraint in CONSTRAINTS:
        option = constraint.option
        if option is None:
            continue
        shown = typer.Option(
            None, option.flag, help=option.help, metavar=option.example, show_default=False, rich_help_panel=panel
        )
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        parameters.append(inspect.Parameter(constraint.name, kind, default=shown, annotation=option.kind | None))
    return parameters


def asked_limits(given: Mapping[str, Any]) -> dict[str, Any]:
    """Keys for :func:`crystalgfn.runs.restrict.narrower` from the options that were given.

    Args:
        given: what stands on the command line, by the name of the constraint; None or empty for what does not.

    Raises:
        ConfigError: what was given is not what the option takes.
    """
    return {
        constraint.name: constraint.option.read(given[constraint.name], constraint.option.flag)
        for constraint in CONSTRAINTS
        if constraint.option is not None and given.get(constraint.name) not in (None, [])
    }


def weights(given: list[str]) -> dict[str, float]:
    """``["band_gap=2"]`` as a mapping."""
    by_name = {}
    for text in given:
        name, equals, value = text.partition("=")
        try:
            by_name[name.strip()] = float(value)
        except ValueError:
            equals = ""
        if not equals:
            raise ConfigError(f"--weight: found {text!r}, allowed: NAME=NUMBER, such as band_gap=2")
    return by_name
