"""The hulls that ship: one for each potential with phases of its own, and one for all others."""

from __future__ import annotations

from functools import lru_cache

from crystalgfn.stability.answer import BUILTIN
from crystalgfn.stability.estimate import LearnedEstimate
from crystalgfn.stability.estimated import EstimatedHull
from crystalgfn.stability.phases import SHIPPED, ground_states, read_phases

DEFAULT = "chgnet"
"""The potential of the hull that is meant where no potential is named."""


class BuiltinHull(EstimatedHull):
    """The hull that ships for a potential: its own phases, and a learned estimate where that lies below them.

    An element that a potential gives no believable ground state is at 0, as in density functional theory; so are all
    elements for a potential without phases of its own, which is measured from the estimate alone.

    Args:
        potential: name of the potential.
    """

    def __init__(self, potential: str = DEFAULT) -> None:
        reference = ground_states(read_phases(SHIPPED[DEFAULT], checked=False))
        own = read_phases(SHIPPED[potential], checked=False) if potential in SHIPPED else []
        grounds = ground_states(own)
        missing = [({symbol: 1.0}, 0.0) for symbol in reference if symbol not in grounds]
        name = potential if own else ""
        super().__init__([*own, *missing], LearnedEstimate.load(), name=BUILTIN, elements=grounds, potential=name)

    def for_potential(self, potential: str) -> EstimatedHull:
        """Return the builtin hull of a potential."""
        return builtin_hull(potential)


@lru_cache(maxsize=4)
def builtin_hull(potential: str = DEFAULT) -> BuiltinHull:
    """Return the builtin hull of a potential; see :class:`BuiltinHull`."""
    return BuiltinHull(potential)
