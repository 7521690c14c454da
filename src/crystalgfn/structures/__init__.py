"""Atoms, relaxation, stability: from (space group, composition, lattice) to structures that can be trusted.

Read in this order: ``placing`` (coordinates), ``relaxing`` (potentials) and ``sanity``, then ``candidates``, which says
what became of each crystal of a table, and ``export`` (files)::

    from crystalgfn.structures import place

    structures = place(model.sample(10), seed=0).relax("chgnet")
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crystalgfn.structures.candidates.collection import Placed, Structures, place

__all__ = ["Placed", "Structures", "place"]


def __getattr__(name: str) -> Any:
    """Import on first use, so that one part can be used without loading all."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("crystalgfn.structures.candidates.collection"), name)
