"""The gate for what the files of a folder ask for: code, networks, and files outside the folder.

A folder may come from someone else. While it is read (:func:`opened`), modules that its files name are not imported,
nothing is fetched, and no file outside the folder is read, unless the user trusts the folder. Names that the user
gives, on the command line, in Python or in a configuration file, are not asked about: they are used outside of
:func:`opened`.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from importlib import import_module
from importlib.machinery import PathFinder
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from crystalgfn.errors import TrustError

WHERE_CODE_LIES = "an installed module, or MODULE.py in the current folder or in a folder of PYTHONPATH"

_SAFE_PATH = "PYTHONSAFEPATH"

LOOP = "loop.json"
"""Manifest of a loop, whose rounds share one folder: the folder of a round may name files of other rounds."""

INPUTS = "inputs"
"""Folder of a run with copies of what its configuration names, modules among them."""

MODULES = "modules.json"
"""In that folder: the files that modules came from."""

PACKAGE = Path(__file__).resolve().parents[1]
"""What ships with the package may always be read."""


@dataclass(frozen=True)
class _Opened:
    folder: str
    inside: tuple[Path, ...]
    trusted: bool = False

    def refusal(self, what: str) -> TrustError:
        return TrustError(
            f"{self.folder}: asks for {what}, allowed: what lies in the folder; with --trust (in Python trust=True) "
            "everything, if you trust whoever made the folder"
        )


_opened: ContextVar[_Opened | None] = ContextVar("opened", default=None)


def _limit() -> _Opened | None:
    found = _opened.get()
    return None if found is None or found.trusted else found


@contextmanager
def opened(folder: str | Path | None, *, trust: bool = False, also: Iterable[str | Path] = ()) -> Iterator[None]:
    """Refuse what files ask for while the block runs, beyond their folder.

    Blocks may be nested: the outer folder then remains the limit, and what is trusted remains so.

    Args:
        folder: the folder whose files are read in the block; None for files that the user wrote or named.
        trust: whether the user trusts the folder: nothing is refused.
        also: further files and folders that the user named.

    Raises:
        TrustError: in the block, where something else is asked for; names what it is.
    """
    outer = _opened.get()
    if outer is not None:
        if folder is not None:
            ask_for_file(folder)
        yield
        return
    limit = None
    if trust:
        limit = _Opened(str(folder or ""), (), trusted=True)
    elif folder is not None:
        real = _real(folder)
        loop = next((place for place in real.parents[:2] if (place / LOOP).is_file()), real)
        limit = _Opened(str(folder), (loop, *map(_real, also), PACKAGE))
    token = _opened.set(limit)
    try:
        yield
    finally:
        _opened.reset(token)


def ask_for_file(path: str | Path) -> None:
    """Refuse a file or folder that lies outside of what is :func:`opened`, links followed.

    Raises:
        TrustError: it lies outside.
    """
    limit = _limit()
    if limit is not None and not any(_real(path).is_relative_to(place) for place in limit.inside):
        raise limit.refusal(f"{str(path)!r}, which lies outside")


def check_links(folder: Path) -> None:
    """Refuse a folder with links that lead out of it, where it is :func:`opened`.

    Raises:
        TrustError: a link leads out of it.
    """
    for path in folder.rglob("*"):
        if path.is_symlink():
            ask_for_file(path)


def ask_for_network(what: str) -> None:
    """Refuse to fetch something from a network on behalf of what is :func:`opened`.

    Raises:
        TrustError: a folder asks for it.
    """
    _refuse_to_folders(f"{what}, which is fetched from a network")


def ask_for_code(spec: str) -> None:
    """Refuse to import something on behalf of what is :func:`opened`.

    Raises:
        TrustError: a folder asks for it.
    """
    limit = _limit()
    copy = None if limit is None else _copy_of(spec, limit.folder)
    _refuse_to_folders(f"the code {spec!r}{f' of {copy}' if copy is not None else ''}")


def _copy_of(spec: str, folder: str) -> Path | None:
    """The copy of a module that a run keeps in its folder."""
    copy = Path(folder) / INPUTS / f"{spec.partition(':')[0]}.py"
    return copy if copy.is_file() else None


def _refuse_to_folders(what: str) -> None:
    limit = _limit()
    if limit is not None:
        raise limit.refusal(what)


def import_named(spec: str) -> Any:
    """Return what ``"module:name"`` stands for; the name may have dots.

    A module that is not installed may lie in the current folder, or else among the copies of the trusted folder that is
    :func:`opened`. That place then becomes the last one that modules are searched in: no file there stands in for an
    installed module.

    Raises:
        TrustError: a folder asks for it.
        ImportError: there is no such module; says where it lay when the run was made. The module itself may raise
            anything.
        AttributeError: the module has no such name.
    """
    ask_for_code(spec)
    module, _, name = spec.partition(":")
    outermost, within = module.partition(".")[0], _opened.get()
    _search_also(os.getcwd(), outermost)
    if within is not None and _copy_of(spec, within.folder) is not None:
        _search_also(str(_real(within.folder) / INPUTS), outermost)
    try:
        found: Any = import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        raise ModuleNotFoundError(f"{error}{_origin(module)}; allowed: {WHERE_CODE_LIES}", name=module) from None
    for part in name.split("."):
        found = getattr(found, part)
    return found


def _origin(module: str) -> str:
    """Where a module lay when the run that is opened was made, as a clause of a message."""
    within = _opened.get()
    if within is None:
        return ""
    try:
        noted = json.loads((Path(within.folder) / INPUTS / MODULES).read_text(encoding="utf-8"))
        return f" ({within.folder} was made with {str(noted[module])!r})"
    except (OSError, ValueError, LookupError, TypeError):
        return ""  # an older run, or no run


def _search_also(place: str, module: str) -> None:
    if not module or module in sys.modules or place in sys.path or find_spec(module) is not None:
        return
    if PathFinder.find_spec(module, [place]) is not None:
        sys.path.append(place)


@contextmanager
def safe_path() -> Iterator[None]:
    """Let processes that start in the block import nothing from the current folder, unless a user names it.

    A process begins with the current folder before the standard library, so that any file beside the data could stand
    in for a module. What the user has put on the path stays, at its end.
    """
    names = {"", os.getcwd()}
    before, variable = sys.path[:], os.environ.get(_SAFE_PATH)
    sys.path[:] = [place for place in before if place not in names] + [place for place in before if place in names]
    os.environ[_SAFE_PATH] = "1"
    try:
        yield
    finally:
        sys.path[:] = before
        if variable is None:
            del os.environ[_SAFE_PATH]
        else:
            os.environ[_SAFE_PATH] = variable


def _real(path: str | Path) -> Path:
    return Path(os.path.realpath(path))
