"""What a property is, and the checks that every property goes through."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from crystalgfn.crystallography.elements import SYMBOLS
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.errors import PropertyError

EXACT = "exact"
"""The ``error`` of a property that has none."""

F = TypeVar("F", bound=Callable[[Crystals], Any])


@runtime_checkable
class Property(Protocol):
    """A number for each crystal.

    Attributes:
        name: as the user spells it.
        unit: such as ``"eV/atom"``; empty for a pure number.
    """

    name: str
    unit: str

    def __call__(self, crystals: Crystals) -> Tensor:
        """Return the property of B crystals, (B,) float32.

        Raises:
            PropertyError: the property failed, or gave values that cannot be used.
        """
        ...


class CheckedProperty:
    """A property whose values are checked: B finite numbers, or an error that names property and crystal.

    The attributes are those of the function, where it has them.

    Attributes:
        source: what it is and where it comes from, one line; empty if nothing is known.
        error: its error on held-out data, ``"exact"``, or empty if nothing is known.
        elements: symbols of the elements that it knows; None for all.

    Args:
        name: as the user spells it.
        function: Crystals -> B numbers (tensor, array or sequence).
        unit: unit of the numbers.
    """

    def __init__(self, name: str, function: Callable[[Crystals], Any], unit: str = "") -> None:
        self.name = name
        self.unit = unit
        self.function = function
        self.source = str(getattr(function, "source", ""))
        self.error = str(getattr(function, "error", ""))

    @property
    def elements(self) -> tuple[str, ...] | None:
        """Symbols of the elements that it knows, by atomic number; None for all."""
        symbols = getattr(self.function, "elements", None)
        return None if symbols is None else tuple(symbols)

    def __call__(self, crystals: Crystals) -> Tensor:
        """Return the checked values, (B,) float32, on the device of the crystals.

        Raises:
            PropertyError: an exception inside, a wrong length, or a value that is not finite.
        """
        return check_values(self.name, self._values(self.function, crystals), crystals)

    @property
    def has_deviation(self) -> bool:
        """Whether the property comes with the standard deviation of an ensemble."""
        return hasattr(self.function, "with_deviation")

    def with_deviation(self, crystals: Crystals) -> tuple[Tensor, Tensor]:
        """Return the checked values and their standard deviations, each (B,) float32.

        Raises:
            PropertyError: as for the values alone; the property has no ensemble.
        """
        if not self.has_deviation:
            raise PropertyError(f"property {self.name!r} has no ensemble, allowed: one with standard deviations")
        values, deviation = self._values(self.function.with_deviation, crystals)  # type: ignore[attr-defined]
        return check_values(self.name, values, crystals), check_values(f"{self.name}_std", deviation, crystals)

    def _values(self, function: Callable[[Crystals], Any], crystals: Crystals) -> Any:
        """Values of a function of the property; any exception becomes a PropertyError."""
        try:
            return function(crystals)
        except PropertyError:
            raise
        except Exception as error:
            raise PropertyError(
                f"property {self.name!r} failed on {len(crystals)} crystals, the first {_formula(crystals, 0)}: "
                f"{type(error).__name__}: {error}"
            ) from error

    def __repr__(self) -> str:
        return f"CheckedProperty({self.name!r}, unit={self.unit!r})"


def about(unit: str, source: str, *, error: str = EXACT) -> Callable[[F], F]:
    """Write unit, source and error on a function, where :class:`CheckedProperty` finds them."""

    def annotate(function: F) -> F:
        for name, value in (("unit", unit), ("source", source), ("error", error)):
            setattr(function, name, value)
        return function

    return annotate


class KnownElements:
    """The elements that a property knows.

    Args:
        name: name of the property.
        symbols: symbols of the elements.
        why: how the property knows the elements, for the message: ``"it was trained on"``.
    """

    def __init__(self, name: str, symbols: Iterable[str], why: str) -> None:
        self.name = name
        self.why = why
        self._numbers = sorted(SYMBOLS.index(symbol) for symbol in symbols)
        self._unknown: dict[tuple[int, ...], list[int]] = {}

    @property
    def symbols(self) -> tuple[str, ...]:
        """Symbols by atomic number."""
        return tuple(SYMBOLS[z] for z in self._numbers)

    def check(self, crystals: Crystals) -> None:
        """Raise if a crystal holds another element.

        Raises:
            PropertyError: names the elements, the first crystal with one, and what is allowed.
        """
        elements = crystals.elements
        if elements not in self._unknown:
            numbers = set(self._numbers)
            self._unknown[elements] = [i for i, z in enumerate(elements) if z not in numbers]
        columns = self._unknown[elements]
        if not columns:
            return
        present = crystals.counts[:, columns] > 0
        if bool(present.any()):
            foreign = [
                SYMBOLS[elements[c]] for c, any_row in zip(columns, present.any(0).tolist(), strict=True) if any_row
            ]
            row = int(present.any(1).nonzero()[0])
            raise PropertyError(
                f"property {self.name!r} knows nothing of {', '.join(foreign)} (first in {crystals[row].formulas[0]}); "
                f"{self.why} {len(self._numbers)} elements: {' '.join(self.symbols)}"
            )


def check_values(name: str, values: Any, crystals: Crystals) -> Tensor:
    """Return ``values`` as a finite (B,) float32 tensor on the device of the crystals.

    Raises:
        PropertyError: not B numbers, or a number that is not finite; names the property and the first bad crystal.
    """
    try:
        tensor = values.detach() if isinstance(values, Tensor) else torch.as_tensor(np.asarray(values, dtype=float))
        tensor = tensor.to(device=crystals.counts.device, dtype=torch.float32)
    except (TypeError, ValueError, RuntimeError) as error:
        raise PropertyError(f"property {name!r} returned {type(values).__name__}, allowed: numbers ({error})") from None
    if tensor.shape != (len(crystals),):
        raise PropertyError(
            f"property {name!r} returned shape {tuple(tensor.shape)} for {len(crystals)} crystals, "
            f"allowed: ({len(crystals)},); first crystal: {_formula(crystals, 0)}"
        )
    finite = torch.isfinite(tensor)
    if not bool(finite.all()):
        row = int((~finite).nonzero()[0])
        raise PropertyError(
            f"property {name!r} returned {float(tensor[row])} for {_formula(crystals, row)} (crystal {row}, space "
            f"group {int(crystals.space_group[row])}), allowed: finite numbers"
        )
    return tensor


def _formula(crystals: Crystals, row: int) -> str:
    return crystals[row].formulas[0] if len(crystals) > row else "none"
