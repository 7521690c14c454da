"""The atom sites of a data block: element, occupancy and coordinates of each, or the reason why there is none.

An element is read from the type symbol (``Fe3+``, ``7Li``, ``D``), from the label only where there is no type symbol,
and from neither if anything but an element stands there: ``Vac`` is no vanadium, ``OH1`` no oxygen.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crystalgfn.crystallography.cif.blocks import Block, number
from crystalgfn.crystallography.elements import ATOMIC_MASS, SYMBOLS
from crystalgfn.errors import DataError

FULL = 1e-3
"""How far an occupancy may be from 1."""

DEUTERIUM = 2.014  # g/mol

_FRACTIONAL = tuple(f"_atom_site_fract_{axis}" for axis in "xyz")
_TYPE = re.compile(r"(\d{0,3})([A-Za-z]{1,3})(?:\d{0,2}[+-]{1,2}|[+-]\d{1,2}|\(?[+-]?\d{0,2}[+-]?\)?)")
_LABEL = re.compile(r"(\d{0,3})(?!H2O)([A-Za-z]+)")
_FORMULA = re.compile(r"([A-Z][a-z]?)\s*(\d+\.?\d*|\.\d+)?(?:\(\d+\))?\s*")


@dataclass(frozen=True)
class AtomSite:
    """A fully occupied site.

    Attributes:
        label: its name in the file.
        number: atomic number.
        mass: mass of an atom, g/mol; of the isotope where one is named.
        position: (3,) fractional coordinates.
    """

    label: str
    number: int
    mass: float
    position: NDArray[np.float64]


def has_sites(block: Block) -> bool:
    """Whether a block lists atoms."""
    return any(name in block.values for name in (*_FRACTIONAL, "_atom_site_cartn_x", "_atom_site_label"))


def read_sites(block: Block) -> list[AtomSite]:
    """Return the atom sites of a block that are occupied.

    Raises:
        DataError: no sites, a site that is no element, has no coordinates or is partly occupied, or hydrogen atoms
            that the block counts but does not place.
    """
    columns = [block.column(name) for name in _FRACTIONAL]
    if any(column is None for column in columns):
        cartesian = "; its coordinates are Cartesian" if "_atom_site_cartn_x" in block.values else ""
        raise DataError(f"no atom sites with fractional coordinates, allowed: _atom_site_fract_x, y and z{cartesian}")
    fractional = list(zip(*(column or [] for column in columns), strict=False))
    n = len(fractional)
    labels = block.column("_atom_site_label", "_atom_site_label_atom_id") or [None] * n
    types = block.column("_atom_site_type_symbol") or [None] * n
    occupancies = block.column("_atom_site_occupancy") or [None] * n
    hydrogens = block.column("_atom_site_attached_hydrogens") or [None] * n
    kinds = block.column("_atom_site_calc_flag") or [None] * n
    if not n or any(len(column) != n for column in (labels, types, occupancies, hydrogens, kinds)):
        raise DataError(f"{n} atom sites with coordinates, allowed: 1 or more, in one loop with labels and occupancies")
    formula = formula_sum(block) or {}
    sites = []
    for row in range(n):
        label = labels[row] or types[row] or f"{row + 1}"
        occupancy = _number(occupancies[row], f"occupancy of site {label}", 1.0)
        if not 0 <= occupancy <= 1 + FULL:
            raise DataError(f"site {label} has occupancy {occupancy:g}, allowed: 0 to 1")
        if occupancy == 0 or (kinds[row] or "").lower() == "dum":
            continue
        z, mass = _element(types[row], label, formula)
        if occupancy < 1 - FULL:
            raise DataError(f"disordered: site {label} has occupancy {occupancy:g}")
        if _number(hydrogens[row], f"hydrogen atoms of site {label}", 0.0):
            raise DataError(f"hydrogen atoms without coordinates: site {label} has {hydrogens[row]} attached")
        if any(text is None for text in fractional[row]):
            raise DataError(f"site {label} has no coordinates: found '?' or '.', allowed: numbers")
        position = np.array([number(str(text), f"coordinate of site {label}") for text in fractional[row]])
        sites.append(AtomSite(label, z, mass, position))
    _check_disorder(block, labels, n)
    if not sites:
        raise DataError("no atoms: every site is empty")
    return sites


def formula_sum(block: Block) -> dict[int, float] | None:
    """Return the atoms by atomic number in ``_chemical_formula_sum``, deuterium as hydrogen; None without a formula.

    Raises:
        DataError: text that is no sum of elements.
    """
    text = block.value("_chemical_formula_sum")
    if text is None:
        return None
    counts: dict[int, float] = {}
    end, stripped = 0, text.strip().replace("\n", " ")
    for match in _FORMULA.finditer(stripped):
        z = _symbol(match[1])
        if match.start() != end or z is None:
            break
        end = match.end()
        counts[z] = counts.get(z, 0.0) + float(match[2] or 1)
    if end != len(stripped) or not counts or min(counts.values()) <= 0:
        raise DataError(f"_chemical_formula_sum: found {text[:40]!r}, allowed: elements such as 'Al2 O3'")
    return counts


def _number(text: str | None, what: str, default: float) -> float:
    return default if text is None else number(text, what)


def _symbol(text: str) -> int | None:
    """Return the atomic number of a symbol, deuterium as hydrogen, or None."""
    text = "H" if text == "D" else text
    return SYMBOLS.index(text) if text and text in SYMBOLS else None


def _element(kind: str | None, label: str, formula: dict[int, float]) -> tuple[int, float]:
    """Return atomic number and mass (g/mol) of the element that a type symbol, or else a label, names."""
    match = _TYPE.fullmatch(kind) if kind else _LABEL.match(label)
    z = None
    if match is not None:
        isotope, letters = match[1], match[2]
        z = _symbol(letters)
        if z is None and letters.isupper() and len(letters) == 2:  # NA is sodium, but CO a group, CA a carbon's name
            z = _symbol(letters.capitalize())
            if z not in formula and (not kind or all(_symbol(letter) for letter in letters)):
                z = None
    if match is None or z is None:
        raise DataError(
            f"site {label} is no element: found {kind or label!r}, allowed: symbols such as Na, Fe3+ or 7Li"
        )
    mass = DEUTERIUM if letters == "D" else float(ATOMIC_MASS[z])
    return z, float(isotope) if isotope and abs(float(isotope) - mass) < 0.2 * mass + 2 else mass


def _check_disorder(block: Block, labels: list[str | None], n: int) -> None:
    """Raise a DataError if sites belong to alternatives of which a crystal has one at a time."""
    groups = block.column("_atom_site_disorder_group") or []
    assemblies = block.column("_atom_site_disorder_assembly") or [None] * len(groups)
    seen: dict[str | None, str] = {}
    for label, group, assembly in zip(labels, groups[:n], assemblies, strict=False):
        if group not in (None, "0") and (group.startswith("-") or seen.setdefault(assembly, group) != group):
            raise DataError(f"disordered: site {label} belongs to disorder group {group}")
