"""Properties by name: what a reward or a table column can be made of.

A property maps B crystals to a column (B,). :func:`resolve` finds it by a shipped name, as ``"module:function"`` for
any callable, or among the entry points of the group ``crystalgfn.properties`` that installed packages declare. A new
property of the package is a function with :func:`~crystalgfn.crystals.property.about` in a file, and a line in
:data:`SHIPPED`. A trained model needs only its folder under ``proxies/weights``.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from crystalgfn.crystals.property import CheckedProperty, Property, check_values
from crystalgfn.errors import CrystalGFNError, PropertyError, nearest
from crystalgfn.files.trust import ask_for_code, import_named

__all__ = ["SHIPPED", "CheckedProperty", "Property", "available", "check_values", "resolve"]

ENTRY_POINTS = "crystalgfn.properties"

SHIPPED: dict[str, str] = {
    "energy_above_hull": "crystalgfn.properties.hull_energy:EnergyAboveHull",
    "metal": "crystalgfn.properties.metal:Metal",
    "density": "crystalgfn.properties.exact:density",
    "volume_per_atom": "crystalgfn.properties.exact:volume_per_atom",
    "n_elements": "crystalgfn.properties.exact:n_elements",
    "cost_per_kg": "crystalgfn.properties.element_means:cost_per_kg",
    "hhi_production": "crystalgfn.properties.element_means:hhi_production",
    "hhi_reserves": "crystalgfn.properties.element_means:hhi_reserves",
    "radioactive": "crystalgfn.properties.element_means:radioactive",
    "toxic": "crystalgfn.properties.element_means:toxic",
    "known": "crystalgfn.properties.known:Known",
    "known_pattern": "crystalgfn.properties.known:KnownPattern",
    "known_formula": "crystalgfn.properties.known:KnownFormula",
    "domain_distance": "crystalgfn.properties.domain_distance:DomainDistance",
}
"""Where each property besides the trained models is defined: a module, and a callable in it or a class that needs no
arguments. Unit, source, error and elements are attributes of the callable."""


def available() -> list[str]:
    """Names that :func:`resolve` knows: trained models that ship, other properties, entry points."""
    from crystalgfn.proxies.models import shipped_models

    return list(dict.fromkeys([*shipped_models(), *SHIPPED, *sorted(entry_points(group=ENTRY_POINTS).names)]))


@cache
def _shipped(name: str) -> CheckedProperty:
    """Load a shipped property once in a process: it never changes afterwards."""
    return _loaded(name, SHIPPED[name]) if name in SHIPPED else _model(name)


def _model(where: str) -> CheckedProperty:
    from crystalgfn.proxies.models import ProxyProperty

    model = ProxyProperty.load(where)
    return CheckedProperty(model.name, model, model.unit)


def resolve(spec: str) -> CheckedProperty:
    """Find a property.

    Args:
        spec: a shipped name (``"formation_energy"``, ``"density"``, ...), the folder of a trained proxy,
            ``"module:function"``, or the name of an entry point. The attributes of the function (``unit``,
            ``source``, ``error``, ``elements``) are taken over.

    Raises:
        PropertyError: there is no property of that name, or it cannot be imported.
        TrustError: a folder that is not trusted names a module, or a model outside the folder.
    """
    from crystalgfn.proxies.models import CARD, shipped_models

    if spec in SHIPPED or spec in shipped_models():
        return _shipped(spec)
    for point in entry_points(group=ENTRY_POINTS):
        if point.name == spec:
            if _lies_in_current_folder(point):
                ask_for_code(spec)
            return _wrap(spec, _import(spec, point.load))
    if (Path(spec) / CARD).is_file():
        return _model(spec)
    if ":" in spec:
        return _wrap(spec, _import(spec, lambda: import_named(spec)))
    names = available()
    raise PropertyError(
        f"unknown property {spec!r}, allowed: {', '.join(names)}, a folder of a trained proxy, or "
        f"'module:function'{nearest(spec, names)}"
    )


def _lies_in_current_folder(point: EntryPoint) -> bool:
    """Whether a package was not installed, but found beside the data, where Python looks for modules too."""
    dist = point.dist
    return dist is not None and os.path.realpath(str(dist.locate_file(""))) == os.path.realpath(os.getcwd())


def _loaded(name: str, where: str) -> CheckedProperty:
    module, _, attribute = where.partition(":")
    return _wrap(name, _import(name, lambda: getattr(import_module(module), attribute)))


def _import(spec: str, load: Callable[[], Any]) -> Any:
    try:
        return load()
    except CrystalGFNError:
        raise
    except Exception as error:
        raise PropertyError(f"property {spec!r} cannot be imported: {type(error).__name__}: {error}") from error


def _wrap(spec: str, function: Any) -> CheckedProperty:
    if isinstance(function, type):
        function = _import(spec, function)
    if not callable(function):
        raise PropertyError(
            f"property {spec!r} is a {type(function).__name__}, allowed: a callable that maps Crystals to an array (B,)"
        )
    return CheckedProperty(str(getattr(function, "name", spec)), function, str(getattr(function, "unit", "")))
