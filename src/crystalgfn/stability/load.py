"""Where hulls come from: a registry of named ones, and tables of phases.

To add one, put a :class:`HullSource` into :data:`HULLS`: messages, the command line and every setting that takes a hull
read the registry.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from crystalgfn.errors import DataError, nearest
from crystalgfn.files.reading import check_file
from crystalgfn.files.trust import ask_for_network
from crystalgfn.stability.answer import BUILTIN

if TYPE_CHECKING:
    from crystalgfn.stability.hull import Hull


@dataclass(frozen=True)
class HullSource:
    """A named hull.

    Attributes:
        about: what the hull holds, in a few words.
        load: makes the hull, from the user's key for the Materials Project (None where there is none).
    """

    about: str
    load: Callable[[str | None], Hull]


def load_hull(source: str | Path, *, api_key: str | None = None, potential: str = "") -> Hull:
    """Return a hull by its name in :data:`HULLS`, or the hull of a table file.

    Args:
        source: name, or file.
        api_key: the user's key for the Materials Project.
        potential: name of the potential whose energies are to be measured from the hull; empty where there is none:
            then the builtin hull is that of its default potential, and a table may be by any.

    Raises:
        DataError: an unknown name, an unreadable file, a missing column, no key, mp-api is not installed, or the
            phases are by another potential.
        TrustError: a folder that is not trusted names the Materials Project, or a file outside the folder.
    """
    hull = HULLS[str(source)].load(api_key) if str(source) in HULLS else _of_file(source)
    return hull.for_potential(potential) if potential else hull


def _of_file(source: str | Path) -> Hull:
    if not Path(source).suffix:
        near = nearest(str(source), HULLS)
        raise DataError(f"unknown hull {str(source)!r}{near}, allowed: {', '.join(HULLS)}, or a table (.parquet, .csv)")
    return hull_of_table(source)


def hull_choices(*further: str) -> str:
    """Return the names of hulls as a line of help: ``"builtin, mp, or a table of phases"``."""
    return f"{', '.join((*HULLS, *further))}, or a table of phases"


def hull_of_table(path: str | Path) -> Hull:
    """Return the hull of a table (.parquet, .csv) of phases; see :func:`~crystalgfn.stability.phases.read_phases`.

    Elements are at 0 eV/atom, whatever the table says of them above 0.

    Raises:
        DataError: unreadable file, missing column, or an impossible row, by number.
    """
    if not Path(path).exists():
        return _of_table.__wrapped__(Path(path), 0, 0)  # says so, and what is there
    check_file(path)  # each time: a folder that is not trusted may name what another command has read
    status = os.stat(path)
    return _of_table(Path(path).absolute(), status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=2)
def _of_table(path: Path, size: int, modified: int) -> Hull:
    """The hull of a table that has not changed since: a command asks for it in several places."""
    from crystalgfn.stability.hull import Hull
    from crystalgfn.stability.phases import read_phase_table

    table = read_phase_table(path)
    return Hull(table.phases(), name=path.name, potential=table.potential)


def _builtin(_: str | None) -> Hull:
    from crystalgfn.stability.builtin import builtin_hull

    return builtin_hull()


def _materials_project(api_key: str | None) -> Hull:
    from crystalgfn.stability.materials_project import MaterialsProjectHull

    ask_for_network("the hull 'mp' of the Materials Project")
    return MaterialsProjectHull(api_key=api_key)


HULLS: dict[str, HullSource] = {
    BUILTIN: HullSource("phases by the potential and a learned estimate, 88 elements", _builtin),
    "mp": HullSource("the Materials Project, with the user's key in MP_API_KEY", _materials_project),
}
"""Hulls by name."""
