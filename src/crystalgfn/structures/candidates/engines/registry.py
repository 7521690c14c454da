"""Engines by name: a new one is a file beside this one, and a line in :data:`ENGINES`."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from typing import Any

from crystalgfn.errors import ConfigError, nearest
from crystalgfn.structures.candidates.engines.batched import BatchedEngine
from crystalgfn.structures.candidates.engines.engine import Engine
from crystalgfn.structures.candidates.engines.local import LocalEngine
from crystalgfn.structures.candidates.engines.ray import RayEngine

ENGINES: dict[str, Callable[..., Engine]] = {"local": LocalEngine, "ray": RayEngine, "batched": BatchedEngine}
"""Engines by name; their parameters are the options that can be given to them."""


def load_engine(name: str = "local", **options: Any) -> Engine:
    """Return an engine by name.

    Args:
        name: one of :data:`ENGINES`.
        options: options of the engine; None for its default.

    Raises:
        ConfigError: the name is unknown, the engine has no such option, or it cannot begin.
    """
    if name not in ENGINES:
        raise ConfigError(f"--engine: found {name!r}{nearest(name, ENGINES)}, allowed: {', '.join(ENGINES)}")
    given = {key: value for key, value in options.items() if value is not None}
    allowed = signature(ENGINES[name]).parameters
    if others := [_flag(key) for key in given if key not in allowed]:
        raise ConfigError(f"{others[0]}: no option of the engine {name!r}, allowed: {', '.join(map(_flag, allowed))}")
    return ENGINES[name](**given)


def _flag(key: str) -> str:
    return f"--{key.replace('_', '-')}"
