"""What structures can be exported to: files of many structures, and folders of inputs for calculations.

A new target is a file beside this one, and a line in :data:`TARGETS`; formats of one file that a structure after the
other is written into stand in :data:`~crystalgfn.structures.export.formats.FORMATS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from crystalgfn.errors import ConfigError, nearest
from crystalgfn.structures.export import ase_db, espresso, optimade, poscar, vasp
from crystalgfn.structures.export.formats import FORMATS, Exported, Written, write_together
from crystalgfn.structures.export.input_folders import write_folders


@dataclass(frozen=True)
class Target:
    """What structures can be exported to.

    Attributes:
        write: writes structures, best first, to a path. It takes the options by name.
        about: what is written, in a few words.
        ranked: whether it takes the best structures, without duplicates and doubtful ones, or else all.
        options: names of further arguments of ``write``.
    """

    write: Callable[..., Written]
    about: str
    ranked: bool = True
    options: tuple[str, ...] = ()


TARGETS: dict[str, Target] = {
    "poscar": Target(
        partial(write_folders, files=poscar.poscar_files, readme=lambda: poscar.README), "folders with a POSCAR each"
    ),
    "vasp": Target(
        partial(write_folders, files=vasp.vasp_files, readme=vasp.readme),
        "folders of inputs of VASP",
        options=("input_set", "potcar"),
    ),
    "qe": Target(
        partial(write_folders, files=espresso.espresso_files, readme=lambda: espresso.README),
        "folders of inputs of Quantum ESPRESSO",
    ),
    "ase-db": Target(ase_db.write_database, "a database of ASE"),
    "optimade": Target(optimade.write_jsonl, "OPTIMADE JSON Lines"),
}
"""Targets by name, beside the formats that put all structures into one file; see :func:`targets`."""


def targets() -> dict[str, Target]:
    """Return all targets by name."""
    streams = {
        name: Target(partial(write_together, form=form), form.about, ranked=False)
        for name, form in FORMATS.items()
        if form.together
    }
    return {**streams, **TARGETS}


def find_target(name: str) -> Target:
    """Return a target by its name.

    Raises:
        ConfigError: no such target.
    """
    known = targets()
    if name not in known:
        raise ConfigError(f"format: found {name!r}, allowed: {', '.join(known)}{nearest(name, known)}")
    return known[name]


def write(target: str, path: str | Path, items: Iterable[Exported], **options: Any) -> Written:
    """Write structures, best first.

    Args:
        target: one of :func:`targets`.
        path: file or folder to write.
        items: the structures.
        options: further arguments of the target; those of VASP are ``input_set`` and ``potcar``.

    Raises:
        ConfigError: an unknown target, or an option that it does not take or allow.
        DataError: the path cannot be written, or not one structure could be.
    """
    found = find_target(target)
    for option in options:
        if option not in found.options:
            takers = ", ".join(name for name, other in targets().items() if option in other.options)
            raise ConfigError(f"{option.replace('_', ' ')}: given for {target!r}, allowed for: {takers or 'none'}")
    return found.write(Path(path), items, **options)
