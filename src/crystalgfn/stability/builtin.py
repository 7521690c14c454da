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

    A potential without phases of its own is measured from the estimate alone, with the elements at 0: both are of
    density functional theory.

    Args:
        potential: name of the potential.
    """

    def __init__(self, potential: str = DEFAULT) -> None:
        own = potential in SHIPPED
        phases = read_phases(SHIPPED[potential if own else DEFAULT], checked=False)
        grounds = ground_states(phases)
        if not own:
            phases, grounds = [({symbol: 1.0}, 0.0) for symbol in grounds], {}
        super().__init__(
            phases, LearnedEstimate.load(), name=BUILTIN, elements=grounds, potential=potential if own else ""
        )

    def for_potential(self, potential: str) -> EstimatedHull:
        """Return the builtin hull of a potential."""
        return builtin_hull(potential)


@lru_cache(maxsize=4)
def builtin_hull(potential: str = DEFAULT) -> BuiltinHull:
    """Return the builtin hull of a potential; see :class:`BuiltinHull`."""
    return BuiltinHull(potential)
