"""Values of properties over a batch of crystals, each computed once."""

from __future__ import annotations

from collections.abc import Callable, Hashable

from torch import Tensor

from crystalgfn.crystals.crystal import Crystals
from crystalgfn.crystals.property import CheckedProperty


class Values:
    """Values behind the terms of a reward and the columns of a table: tensors on the device of the crystals.

    A property that two terms need, or a term and a column, is computed once.

    Args:
        crystals: B crystals.
        deviations: whether the standard deviations of ensembles are needed beside the values; tables hold them,
            training does not need them.
    """

    def __init__(self, crystals: Crystals, *, deviations: bool = False) -> None:
        self.crystals, self.deviations = crystals, deviations
        self._values: dict[Hashable, Tensor] = {}
        self._deviations: dict[CheckedProperty, Tensor] = {}

    def of(self, prop: CheckedProperty) -> Tensor:
        """Return the property, ``(B,)`` float32.

        Raises:
            PropertyError: the property failed, or its value is not a finite number; names the crystal.
        """
        if self.deviations and prop.has_deviation and prop not in self._values:
            self.deviation_of(prop)  # both come from one pass through the ensemble
        return self.once(prop, lambda: prop(self.crystals))

    def deviation_of(self, prop: CheckedProperty) -> Tensor:
        """Return the standard deviation of the property's ensemble, ``(B,)`` float32.

        Raises:
            PropertyError: as for the values, or the property has no ensemble.
        """
        if prop not in self._deviations:
            values, self._deviations[prop] = prop.with_deviation(self.crystals)
            self._values.setdefault(prop, values)
        return self._deviations[prop]

    def once(self, key: Hashable, make: Callable[[], Tensor]) -> Tensor:
        """Return the result ``(B,)`` of ``make``, which is called only the first time that a key is asked for."""
        if key not in self._values:
            self._values[key] = make()
        return self._values[key]
