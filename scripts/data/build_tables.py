"""Build the tables in src/crystalgfn/crystallography/data from moyopy, pyxtal and pymatgen.

    python scripts/data/build_tables.py [--crystals crystals.parquet] [--check]

The tables are never edited by hand. Without ``--crystals`` everything but ``volumes.json`` is rebuilt.
``--crystals`` names a table of real crystals (parquet or csv) with the columns ``elements`` (JSON counts in the
conventional cell) and ``volume`` (A^3 of that cell): the atomic volumes are fitted to it, and the share of its crystals
that the two charge rules accept is printed. ``--check`` writes nothing and fails if the tables on disk are out of date.

Missing element values are filled by one rule, properties and volumes alike: the known value of the same column of the
periodic table that is nearest in period (the lighter one on a tie; for the f block, La-Lu and Ac-Lr, the column is the
position in the row); where the column has none, the value of the nearest atomic number (the lower one on a tie).
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import moyopy
import numpy as np
import pandas as pd
from pymatgen.analysis.local_env import CovalentRadius
from pymatgen.core import Element
from pyxtal.symmetry import Group
from scipy.optimize import nnls
from wyckoff_operations import affine_normalizers, operations, site_symmetries

DATA = Path(__file__).resolve().parents[2] / "src" / "crystalgfn" / "crystallography" / "data"
ELEMENTS = [Element.from_Z(z) for z in range(1, 119)]
CRYSTAL_LATTICE_SYSTEMS = (
    "triclinic",
    "monoclinic",
    "orthorhombic",
    "tetragonal",
    "trigonal-rhombohedral",
    "trigonal-hexagonal",
    "hexagonal",
    "cubic",
)
POINT_SYMMETRIES = (
    "centrosymmetric",
    "enantiomorphic",
    "polar",
    "enantiomorphic-polar",
    "non-centrosymmetric",
)
CENTERING_MULTIPLICITY = {"P": 1, "A": 2, "B": 2, "C": 2, "I": 2, "R": 3, "F": 4}


# --- space groups -----------------------------------------------------------------------------------------------------


def point_symmetry(number: int) -> str:
    """Name the point symmetry of a space group from the rotations of its operations.

    Centrosymmetric: the inversion is among the rotations; enantiomorphic: all rotations are proper; polar: all
    operations leave some direction unchanged, that is, the mean of the rotations is not zero.
    """
    rotations = np.array(moyopy.operations_from_number(number, primitive=True).rotations)
    if (rotations == -np.eye(3)).all(axis=(1, 2)).any():
        return "centrosymmetric"
    enantiomorphic = bool((np.linalg.det(rotations) > 0).all())
    polar = bool(np.abs(rotations.mean(axis=0)).max() > 1e-9)
    if enantiomorphic and polar:
        return "enantiomorphic-polar"
    return "enantiomorphic" if enantiomorphic else "polar" if polar else "non-centrosymmetric"


def crystal_lattice_system(group: moyopy.SpaceGroupType) -> str:
    """Name the crystal-lattice system: the crystal system, with trigonal groups split by their lattice system."""
    system = group.crystal_system.lower()
    return f"trigonal-{group.lattice_system.lower()}" if system == "trigonal" else str(system)


def space_groups() -> dict[str, Any]:
    """Columns over the international numbers 1..230."""
    groups = [moyopy.SpaceGroupType(number) for number in range(1, 231)]
    symbols = [group.hm_short.replace(" ", "") for group in groups]
    return {
        "crystal_lattice_systems": CRYSTAL_LATTICE_SYSTEMS,
        "point_symmetries": POINT_SYMMETRIES,
        "hm_symbol": symbols,
        "crystal_system": [group.crystal_system.lower() for group in groups],
        "crystal_lattice_system": [1 + CRYSTAL_LATTICE_SYSTEMS.index(crystal_lattice_system(g)) for g in groups],
        "point_symmetry": [1 + POINT_SYMMETRIES.index(point_symmetry(g.number)) for g in groups],
        "centering_multiplicity": [CENTERING_MULTIPLICITY[symbol[0]] for symbol in symbols],
    }


def wyckoff() -> dict[str, Any]:
    """Wyckoff positions by space group: [letter, multiplicity, degrees of freedom], in the order of the letters."""
    return {
        str(number): [
            [position.letter, int(position.multiplicity), int(position.get_dof())]
            for position in reversed(Group(number).Wyckoff_positions)
        ]
        for number in range(1, 231)
    }


# --- elements ---------------------------------------------------------------------------------------------------------


def column(element: Element) -> str:
    """Column of the periodic table; the rows La-Lu and Ac-Lr are matched position by position."""
    for first in (57, 89):
        if first <= element.Z <= first + 14:
            return f"f{element.Z - first}"
    return str(element.group)


def fill(values: list[float | None]) -> list[float]:
    """Fill missing values over Z = 1..118 by the rule at the head of this file."""
    known = [e for e, value in zip(ELEMENTS, values, strict=True) if value is not None]
    filled = []
    for element, value in zip(ELEMENTS, values, strict=True):
        if value is None:
            relatives = [e for e in known if column(e) == column(element)]
            if relatives:
                source = min(relatives, key=lambda e: (abs(e.row - element.row), e.Z))
            else:
                source = min(known, key=lambda e: (abs(e.Z - element.Z), e.Z))
            value = values[source.Z - 1]
        filled.append(float(value))
    return filled


def valence_electrons(element: Element, orbital: str) -> float | None:
    """Electrons in one kind of orbital outside the noble-gas core; None where the configuration is unknown."""
    configuration = (element.data.get("Electronic structure") or {}).get("0")
    if configuration is None:
        return None
    return float(sum(int(n) for kind, n in re.findall(r"\d([spdf])(\d+)", configuration) if kind == orbital))


def ionization_energy(element: Element, order: int) -> float | None:
    """Ionization energy in eV; None where unknown, or where there is no such electron.

    Beyond lawrencium pymatgen's lists are theory with gaps, and shifted (65 eV for the first of Ds): taken as unknown.
    """
    energies = (element.data.get("Ionization energies") or []) if element.Z <= 103 else []
    return energies[order - 1] if len(energies) >= order else None


def datum(element: Element, key: str, factor: float = 1.0) -> float | None:
    """One number of pymatgen's periodic table, times a unit factor; None where the table has none."""
    value = element.data.get(key)
    return None if value is None else round(float(value) * factor, 10)


def mean_ionic_radius(element: Element) -> float | None:
    """Mean ionic radius in A over the oxidation states; None where pymatgen has none."""
    radii = list((element.data.get("Ionic radii") or {}).values())
    return round(float(np.mean(radii)), 4) if radii else None


def oxidation_states(element: Element) -> list[int]:
    """Union of pymatgen's common and ICSD oxidation states, without 0, ascending."""
    return sorted({int(s) for s in (*element.common_oxidation_states, *element.icsd_oxidation_states)} - {0})


def properties() -> dict[str, list[float]]:
    """Physical properties over Z = 1..118, filled. The unit is the last part of the name where there is one."""
    table: dict[str, list[float | None]] = {
        "atomic_number": [float(e.Z) for e in ELEMENTS],
        "atomic_mass_g_per_mol": [float(e.atomic_mass) for e in ELEMENTS],
        "period": [float(e.row) for e in ELEMENTS],
        "group": [float(e.group) for e in ELEMENTS],
        "mendeleev_number": [datum(e, "Mendeleev no") for e in ELEMENTS],
        "electronegativity": [datum(e, "X") for e in ELEMENTS],
        "atomic_radius_A": [datum(e, "Atomic radius") for e in ELEMENTS],
        "atomic_radius_calculated_A": [datum(e, "Atomic radius calculated") for e in ELEMENTS],
        "covalent_radius_A": [CovalentRadius.radius.get(e.symbol) for e in ELEMENTS],
        "van_der_waals_radius_A": [datum(e, "Van der waals radius") for e in ELEMENTS],
        "mean_ionic_radius_A": [mean_ionic_radius(e) for e in ELEMENTS],
        "first_ionization_energy_eV": [ionization_energy(e, 1) for e in ELEMENTS],
        "second_ionization_energy_eV": [ionization_energy(e, 2) for e in ELEMENTS],
        "electron_affinity_eV": [datum(e, "Electron affinity") for e in ELEMENTS],
        "s_valence_electrons": [valence_electrons(e, "s") for e in ELEMENTS],
        "p_valence_electrons": [valence_electrons(e, "p") for e in ELEMENTS],
        "d_valence_electrons": [valence_electrons(e, "d") for e in ELEMENTS],
        "f_valence_electrons": [valence_electrons(e, "f") for e in ELEMENTS],
        "lowest_oxidation_state": [float(min(oxidation_states(e), default=0)) for e in ELEMENTS],
        "highest_oxidation_state": [float(max(oxidation_states(e), default=0)) for e in ELEMENTS],
        "melting_point_K": [datum(e, "Melting point") for e in ELEMENTS],
        "boiling_point_K": [datum(e, "Boiling point") for e in ELEMENTS],
        "density_of_solid_g_per_cm3": [datum(e, "Density of solid", 1e-3) for e in ELEMENTS],
        "molar_volume_cm3_per_mol": [datum(e, "Molar volume") for e in ELEMENTS],
        "thermal_conductivity_W_per_mK": [datum(e, "Thermal conductivity") for e in ELEMENTS],
        "bulk_modulus_GPa": [datum(e, "Bulk modulus") for e in ELEMENTS],
    }
    for name, values in table.items():
        print(f"  {name}: {sum(v is None for v in values)} of 118 filled")
    return {name: fill(values) for name, values in table.items()}


def elements() -> dict[str, Any]:
    """Columns over Z = 1..118.

    The formula order is pymatgen's own order of elements: Pauling electronegativity, then symbol; elements without an
    electronegativity last.
    """
    return {
        "symbol": [e.symbol for e in ELEMENTS],
        "mass": [float(e.atomic_mass) for e in ELEMENTS],
        "period": [int(e.row) for e in ELEMENTS],
        "group": [int(e.group) for e in ELEMENTS],
        "formula_order": [e.Z for e in sorted(ELEMENTS)],
        "properties": properties(),
    }


# --- fits to and measurements on real crystals ------------------------------------------------------------------------


def read_crystals(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Counts (N, 118) and volumes (N,) in A^3 of the conventional cells."""
    table = pd.read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path)
    column_of = {e.symbol: e.Z - 1 for e in ELEMENTS}
    counts = np.zeros((len(table), 118))
    for row, cell in enumerate(table["elements"]):
        for symbol, count in json.loads(cell).items():
            counts[row, column_of[symbol]] = count
    return counts, table["volume"].to_numpy(float)


def fit_volumes(counts: np.ndarray, volume: np.ndarray) -> np.ndarray:
    """Fit the volume per atom of each element (118,) in A^3 so that ``volume / estimate`` scatters about 1.

    Non-negative least squares with the error of a cell proportional to its estimated volume; an error above half the
    estimate counts linearly (Huber), because a few cells of the data are mostly vacuum. The weights depend
    on the fitted estimate, so they are iterated until it converges.
    """
    estimate = counts.sum(axis=1) * (volume / counts.sum(axis=1)).mean()
    while True:
        error = np.abs(volume / estimate - 1)
        weight = np.sqrt(np.minimum(1, 0.5 / np.maximum(error, 1e-9))) / estimate
        per_element, _ = nnls(counts * weight[:, None], volume * weight)
        previous, estimate = estimate, counts @ per_element
        if np.abs(estimate / previous - 1).max() < 1e-5:
            return per_element


def volumes(counts: np.ndarray, volume: np.ndarray) -> dict[str, Any]:
    """Volume per atom over Z = 1..118 in A^3: fitted where some crystal holds the element, filled elsewhere."""
    per_element = fit_volumes(counts, volume)
    fitted = (counts > 0).any(axis=0) & (per_element > 0)
    values = fill([round(float(v), 3) if ok else None for v, ok in zip(per_element, fitted, strict=True)])
    ratio = volume / (counts @ np.array(values))
    absent = ", ".join(ELEMENTS[i].symbol for i in np.flatnonzero(~fitted))
    print(f"atomic volumes: {len(volume)} crystals; filled: {absent}")
    print(f"  volume / estimate: mean {ratio.mean():.3f}, mean relative error {np.abs(ratio - 1).mean():.2%}")
    print(f"  {((ratio >= 0.6) & (ratio <= 1.6)).mean():.2%} of the cells within [0.6, 1.6] of the estimate")
    return {"volume": values, "fitted": [ELEMENTS[i].symbol for i in np.flatnonzero(fitted)]}


def report_neutrality(counts: np.ndarray) -> None:
    """Print the share of crystals, and of crystals with a strong anion, that each charge rule accepts."""
    from crystalgfn.crystallography.charges import is_neutral

    crystals = [{int(i) + 1: int(row[i]) for i in np.flatnonzero(row)} for row in counts]
    ionic = [c for c in crystals if len(c) > 1 and {8, 9, 17, 35, 53, 16, 7} & set(c)]
    for label, subset in (("all", crystals), ("with O, F, Cl, Br, I, S or N", ionic)):
        for rule in ("per_element", "per_atom"):
            share = np.mean([is_neutral(c, rule) for c in subset])
            print(f"neutral {rule}: {share:.1%} of {len(subset)} crystals ({label})")


# --- writing ----------------------------------------------------------------------------------------------------------


def to_json(table: Mapping[str, Any]) -> str:
    """Write one key on each line, so that a diff shows a change of the tables."""
    lines = (f" {json.dumps(key)}: {json.dumps(value)}" for key, value in table.items())
    return "{\n" + ",\n".join(lines) + "\n}\n"


def main() -> int:
    """Build the tables; return 1 if ``--check`` finds one out of date."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--crystals", type=Path, help="table of real crystals to fit the atomic volumes to")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a table is out of date")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")

    tables = {"space_groups": space_groups(), "wyckoff": wyckoff(), "operations": operations(), "elements": elements()}
    tables["affine_normalizers"] = affine_normalizers()
    tables["site_symmetries"] = site_symmetries()
    tables["charges"] = {
        "oxidation_states": [oxidation_states(e) for e in ELEMENTS],
        "common": [sorted({int(s) for s in e.common_oxidation_states} - {0}) for e in ELEMENTS],
    }
    if arguments.crystals:
        counts, volume = read_crystals(arguments.crystals)
        tables["volumes"] = volumes(counts, volume)

    stale = 0
    for name, table in tables.items():
        path, text = DATA / f"{name}.json", to_json(table)
        if arguments.check:
            if not path.exists() or path.read_text() != text:
                print(f"{path.name} is out of date")
                stale = 1
        else:
            path.write_text(text)
            print(f"wrote {path.name}, {len(text)} bytes")
    if arguments.crystals and not arguments.check:
        report_neutrality(counts)
    return stale


if __name__ == "__main__":
    sys.exit(main())
