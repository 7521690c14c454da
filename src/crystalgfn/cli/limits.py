"""Options of the command line for the constraints of the registry that have one."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any

import typer

from crystalgfn.cli.command import once
from crystalgfn.config.loading import parse_yaml
from crystalgfn.errors import ConfigError
from crystalgfn.spaces.constraints.registry import CONSTRAINTS, is_own

RULE = "rule"
"""The option for rules that are in no registry."""


def with_limits(panel: str, *, before: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command an option for each constraint, in place of its ``**limits``.

    Args:
        panel: heading of the options in the help.
        before: parameter of the command before which the options stand.
    """

    def decorator(command: Callable[..., None]) -> Callable[..., None]:
        own = [
            parameter
            for parameter in inspect.signature(command, eval_str=True).parameters.values()
            if parameter.kind is not inspect.Parameter.VAR_KEYWORD
        ]
        place = [parameter.name for parameter in own].index(before)

        @functools.wraps(command)
        def wrapper(**arguments: Any) -> None:
            command(**arguments)

        parameters = [*own[:place], *_options(panel), *own[place:]]
        vars(wrapper)["__signature__"] = inspect.Signature(parameters)
        return wrapper

    return decorator


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
    own = typer.Option(
        None,
        "--rule",
        help="A rule of your own, with its value in YAML; it may be repeated.",
        metavar="module:Class=VALUE",
        show_default=False,
        rich_help_panel=panel,
    )
    parameters.append(
        inspect.Parameter(RULE, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=own, annotation=list[str] | None)
    )
    return parameters


def asked_limits(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return keys for :func:`crystalgfn.runs.restrict.narrower` from options on the command line.

    Args:
        options: values of the options by the names of their constraints; None or empty for absent options.

    Raises:
        ConfigError: an option has a value that it does not take.
    """
    limits = {
        constraint.name: constraint.option.read(options[constraint.name], constraint.option.flag)
        for constraint in CONSTRAINTS
        if constraint.option is not None and options.get(constraint.name) not in (None, [])
    }
    rules = options.get(RULE)
    return {**limits, "rules": own_rules(rules)} if rules else limits


def as_options(options: Mapping[str, Any]) -> list[str]:
    """Return words of a command line that give the options again.

    Args:
        options: values of the options by the names of their constraints; None or empty for absent options.
    """
    flags = {constraint.name: constraint.option.flag for constraint in CONSTRAINTS if constraint.option is not None}
    words = []
    for name, flag in {**flags, RULE: f"--{RULE}"}.items():
        values = options.get(name)
        for value in values if isinstance(values, list | tuple) else [] if values is None else [values]:
            words += [flag, str(value)]
    return words


def own_rules(options: list[str]) -> dict[str, Any]:
    """Return options such as ``["even:Even=[H, O]"]`` as a mapping.

    Raises:
        ConfigError: no class with a value in YAML, or a rule that stands twice.
    """
    pairs = []
    for text in options:
        name, equals, value = text.partition("=")
        if not equals or not is_own(name):
            raise ConfigError(f"--rule: found {text!r}, allowed: module:Class=VALUE, such as 'even:Even=[H, O]'")
        try:
            pairs.append((name.strip(), parse_yaml(value)))
        except ValueError as error:
            raise ConfigError(f"--rule {text!r}: the value is not YAML ({str(error)[:100]})") from None
    return once(pairs, "--rule")


def weights(options: list[str]) -> dict[str, float]:
    """Return options such as ``["band_gap=2"]`` as a mapping.

    Raises:
        ConfigError: text without a number, or a name that stands twice.
    """
    pairs = []
    for text in options:
        name, equals, value = text.partition("=")
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not equals or not math.isfinite(number):
            raise ConfigError(f"--weight: found {text!r}, allowed: NAME=NUMBER, such as band_gap=2")
        pairs.append((name.strip(), number))
    return once(pairs, "--weight")
