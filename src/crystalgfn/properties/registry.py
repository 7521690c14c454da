"""Properties by name: what a reward or a table column can be made of.

A property maps B crystals to a column (B,). :func:`resolve` finds it by a shipped name, as ``"module:function"`` for
any callable, or among the entry points of the group ``crystalgfn.properties`` that installed packages declare.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from crystalgfn.crystal import Crystals
from crystalgfn.errors import CrystalGFNError, PropertyError, nearest

ENTRY_POINTS = "crystalgfn.properties"


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
    """A property whose every answer is checked: B finite numbers, or an error that names property and crystal.

    Args:
        name: as the user spells it.
        function: Crystals -> B numbers (tensor, array or sequence).
        unit: of the numbers.
    """

    def __init__(self, name: str, function: Callable[[Crystals], Any], unit: str = "") -> None:
        self.name = name
        self.unit = unit
        self.function = function

    def __call__(self, crystals: Crystals) -> Tensor:
        """Return the checked values, (B,) float32, on the device of the crystals.

        Raises:
            PropertyError: an exception inside, a wrong length, or a value that is not finite.
        """
        try:
            values = self.function(crystals)
        except PropertyError:
            raise
        except Exception as error:
            raise PropertyError(
                f"property {self.name!r} failed on {len(crystals)} crystals, the first {_formula(crystals, 0)}: "
                f"{type(error).__name__}: {error}"
            ) from error
        return check_values(self.name, values, crystals)

    def __repr__(self) -> str:
        return f"CheckedProperty({self.name!r}, unit={self.unit!r})"


def check_values(name: str, values: Any, crystals: Crystals) -> Tensor:
    """Return ``values`` as a finite (B,) float32 tensor on the device of the crystals.

    Raises:
        PropertyError: not B numbers, or one of them not finite; names the property and the first bad crystal.
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


def _density(crystals: Crystals) -> Tensor:
    return crystals.density


def _volume_per_atom(crystals: Crystals) -> Tensor:
    return crystals.volume_per_atom


_EXACT: dict[str, tuple[Callable[[Crystals], Tensor], str]] = {
    "density": (_density, "g/cm3"),
    "volume_per_atom": (_volume_per_atom, "A^3/atom"),
}


def available() -> list[str]:
    """Names that :func:`resolve` knows: exact properties, shipped models, entry points."""
    from crystalgfn.properties.models import shipped_models

    return [*_EXACT, *shipped_models(), *sorted(entry_points(group=ENTRY_POINTS).names)]


@cache
def _shipped(name: str) -> CheckedProperty:
    """Load a shipped model once for the process: it is never changed after that."""
    return _model(name)


def _model(where: str) -> CheckedProperty:
    from crystalgfn.properties.models import ProxyProperty

    model = ProxyProperty.load(where)
    return CheckedProperty(model.name, model, model.unit)


def resolve(spec: str) -> Property:
    """Find a property.

    Args:
        spec: a shipped name (``"formation_energy"``, ``"density"``, ...), the folder of a trained proxy,
            ``"module:function"``, or the name of an entry point. The function's ``unit`` attribute is taken over.

    Raises:
        PropertyError: nothing of that name, or it cannot be imported.
    """
    from crystalgfn.properties.models import CARD, shipped_models

    if spec in _EXACT:
        function, unit = _EXACT[spec]
        return CheckedProperty(spec, function, unit)
    if spec in shipped_models():
        return _shipped(spec)
    if (Path(spec) / CARD).is_file():
        return _model(spec)
    for point in entry_points(group=ENTRY_POINTS):
        if point.name == spec:
            return _wrap(spec, _import(spec, point.load))
    if ":" in spec:
        return _wrap(spec, _import(spec, lambda: _attribute(spec)))
    known = available()
    raise PropertyError(
        f"unknown property {spec!r}, allowed: {', '.join(known)}, a folder of a trained proxy, or "
        f"'module:function'{nearest(spec, known)}"
    )


def _attribute(spec: str) -> Any:
    module, _, path = spec.partition(":")
    found: Any = import_module(module)
    for part in path.split("."):
        found = getattr(found, part)
    return found


def _import(spec: str, load: Callable[[], Any]) -> Any:
    try:
        return load()
    except CrystalGFNError:
        raise
    except Exception as error:
        raise PropertyError(f"property {spec!r} cannot be imported: {type(error).__name__}: {error}") from error


def _wrap(spec: str, found: Any) -> Property:
    if isinstance(found, type):
        found = _import(spec, found)
    if not callable(found):
        raise PropertyError(
            f"property {spec!r} is a {type(found).__name__}, allowed: a callable that maps Crystals to an array (B,)"
        )
    return CheckedProperty(str(getattr(found, "name", spec)), found, str(getattr(found, "unit", "")))
