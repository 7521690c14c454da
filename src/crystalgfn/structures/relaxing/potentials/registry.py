"""Interatomic potentials by name: a new one is a file beside this one, and a line in :data:`POTENTIALS`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from crystalgfn.errors import PropertyError, nearest
from crystalgfn.structures.relaxing.potentials.ase import ase_potential
from crystalgfn.structures.relaxing.potentials.chgnet import CHGNetPotential
from crystalgfn.structures.relaxing.potentials.potential import Potential
from crystalgfn.structures.relaxing.potentials.references import References
from crystalgfn.structures.relaxing.potentials.sevennet import SevenNetPotential

POTENTIALS: dict[str, Callable[[References | None], Potential]] = {
    "chgnet": CHGNetPotential,
    "7net-l3i5": partial(SevenNetPotential, "7net-l3i5"),
    "7net-0": partial(SevenNetPotential, "7net-0"),
}
"""Functions that load potentials, given elemental references, or None for the shipped ones."""

ASE = "module:factory of an ASE calculator"


def load_potential(name: str, *, references: str | Path | None = None) -> Potential:
    """Return a potential by name.

    Args:
        name: one of :data:`POTENTIALS`, or ``"module:factory"`` where calling ``factory()`` gives an ASE calculator.
        references: JSON file of elemental references, see :meth:`~.references.References.from_file`.

    Raises:
        PropertyError: the name is unknown, a package is missing, or a factory fails.
        DataError: the references are unreadable.
    """
    table = None if references is None else References.from_file(references)
    if name in POTENTIALS:
        return POTENTIALS[name](table)
    module, _, factory = name.partition(":")
    if module and factory:
        return ase_potential(name, table)
    raise PropertyError(
        f"unknown potential {name!r}{nearest(name, POTENTIALS)}, allowed: {', '.join(POTENTIALS)} or {ASE}"
    )
