"""Interatomic potentials by name: a new one is a file beside this one, and a line in :data:`POTENTIALS`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from crystalgfn.errors import PropertyError, nearest
from crystalgfn.structures.relaxing.potentials.ase import ase_potential
from crystalgfn.structures.relaxing.potentials.batcher import Batcher
from crystalgfn.structures.relaxing.potentials.chgnet import CHGNetPotential, batched_chgnet
from crystalgfn.structures.relaxing.potentials.halving import out_of_memory
from crystalgfn.structures.relaxing.potentials.potential import Potential
from crystalgfn.structures.relaxing.potentials.references import References
from crystalgfn.structures.relaxing.potentials.sevennet import MODELS, SevenNetPotential

_SEVENNET = {model: partial(SevenNetPotential, model) for model in MODELS}

POTENTIALS: dict[str, Callable[[References | None], Potential]] = {"chgnet": CHGNetPotential, **_SEVENNET}
"""Functions that load potentials, given elemental references, or None for the shipped ones."""

BATCHED: dict[str, Callable[[References | None, Batcher], Potential]] = {"chgnet": batched_chgnet, **_SEVENNET}
"""Functions that load those that compute many structures at once, on the device of a batcher."""

ASE = "module:factory of an ASE calculator"


def load_potential(name: str, *, references: str | Path | None = None, batcher: Batcher | None = None) -> Potential:
    """Return a potential by name.

    Args:
        name: one of :data:`POTENTIALS`, or ``"module:factory"`` where calling ``factory()`` gives an ASE calculator.
        references: JSON file of elemental references, see :meth:`~.references.References.from_file`.
        batcher: gathers what is asked for many crystals, for one of :data:`BATCHED` on its device; None for one
            structure after the other on the CPU.

    Raises:
        PropertyError: the name is unknown, a package is missing, a factory fails, the potential does not compute many
            structures at once, or the device has no memory for it.
        DataError: the references are unreadable.
    """
    table = None if references is None else References.from_file(references)
    if batcher is not None:
        return _batched(name, table, batcher)
    if name in POTENTIALS:
        return POTENTIALS[name](table)
    module, _, factory = name.partition(":")
    if module and factory:
        return ase_potential(name, table)
    raise PropertyError(
        f"unknown potential {name!r}{nearest(name, POTENTIALS)}, allowed: {', '.join(POTENTIALS)} or {ASE}"
    )


def _batched(name: str, references: References | None, batcher: Batcher) -> Potential:
    if name not in BATCHED:
        raise PropertyError(f"potential on {batcher.device}: found {name!r}, allowed: {', '.join(BATCHED)}")
    try:
        return BATCHED[name](references, batcher)
    except Exception as error:
        if not out_of_memory(error):
            raise
        raise PropertyError(f"{name}: its weights do not fit into the free memory of the device") from None
