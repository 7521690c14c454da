"""Element tables against pymatgen and against textbook values."""

from __future__ import annotations

import subprocess
import sys
import warnings

import numpy as np
import pytest
from pymatgen.core import Composition, Element

from crystalgfn.crystallography.elements import (
    ATOMIC_MASS,
    ATOMIC_VOLUME,
    FORMULA_ORDER,
    GROUP,
    PERIOD,
    PROPERTIES,
    PROPERTY_NAMES,
    SYMBOLS,
    atomic_number,
)
from crystalgfn.errors import DataError


def test_symbols_masses_periods_and_groups_agree_with_pymatgen():
    assert len(SYMBOLS) == 119
    assert SYMBOLS[0] == ""
    for z in range(1, 119):
        element = Element.from_Z(z)
        assert SYMBOLS[z] == element.symbol
        assert atomic_number(element.symbol) == z
        assert ATOMIC_MASS[z] == pytest.approx(float(element.atomic_mass))
        assert (PERIOD[z], GROUP[z]) == (element.row, element.group)


@pytest.mark.parametrize(("wrong", "near"), [("Fee", "Fe"), ("fe", "Fe"), ("LI", "Li"), ("Nax", "Na")])
def test_unknown_symbol_names_the_nearest(wrong, near):
    with pytest.raises(DataError, match=rf"{wrong!r} \(nearest: '{near}'\)"):
        atomic_number(wrong)


@pytest.mark.parametrize("wrong", ["", "Qqq", None, 26, ["Fe"]])
def test_what_is_no_symbol_is_an_error(wrong):
    with pytest.raises(DataError, match="unknown element"):
        atomic_number(wrong)


def test_formula_order_rises_in_electronegativity_with_unknown_values_last():
    assert sorted(FORMULA_ORDER) == list(range(1, 119))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        values = np.array([Element.from_Z(z).X for z in FORMULA_ORDER])
    known = int(np.isfinite(values).sum())
    assert np.isfinite(values[:known]).all()
    assert (np.diff(values[:known]) >= 0).all()
    assert {"He", "Ne", "Ar"} <= {SYMBOLS[z] for z in FORMULA_ORDER[known:]}


@pytest.mark.parametrize("formula", ["LiFePO4", "NaCl", "BaTiO3", "CaCO3", "KMnO4"])
def test_formulas_are_written_as_pymatgen_writes_them(formula):
    composition = Composition(formula)
    ordered = sorted(composition.elements, key=lambda e: FORMULA_ORDER.index(e.Z))
    assert [e.symbol for e in ordered] == [part.rstrip("0123456789") for part in composition.formula.split()]


def test_properties_are_complete_distinct_and_frozen():
    assert PROPERTIES.shape == (119, len(PROPERTY_NAMES))
    assert len(set(PROPERTY_NAMES)) == len(PROPERTY_NAMES) >= 20
    assert np.isfinite(PROPERTIES).all()
    assert (PROPERTIES[0] == 0).all()
    assert (PROPERTIES[1:].std(axis=0) > 0).all()
    for table in (PROPERTIES, ATOMIC_MASS, ATOMIC_VOLUME, PERIOD, GROUP):
        with pytest.raises(ValueError, match="read-only"):
            table[1] = 0


def test_properties_are_in_the_units_their_names_say():
    largest = dict(zip(PROPERTY_NAMES, PROPERTIES.max(axis=0), strict=True))
    assert largest["first_ionization_energy_eV"] == pytest.approx(24.59, abs=0.01)  # He
    assert largest["density_of_solid_g_per_cm3"] == pytest.approx(22.6, abs=0.1)  # Os, Ir
    assert largest["atomic_radius_A"] == pytest.approx(2.60)  # Cs
    assert largest["electron_affinity_eV"] == pytest.approx(3.61, abs=0.01)  # Cl
    assert 3700 < largest["melting_point_K"] < 3900  # C


# CRC Handbook of Chemistry and Physics, rounded.
@pytest.mark.parametrize(
    ("symbol", "name", "value"),
    [
        ("Fe", "electronegativity", 1.83),
        ("Fe", "melting_point_K", 1811),
        ("Fe", "density_of_solid_g_per_cm3", 7.87),
        ("Na", "first_ionization_energy_eV", 5.139),
        ("Na", "second_ionization_energy_eV", 47.29),
        ("Cl", "electron_affinity_eV", 3.613),
        ("O", "p_valence_electrons", 4),
        ("Fe", "d_valence_electrons", 6),
        ("Gd", "f_valence_electrons", 7),
        ("Si", "covalent_radius_A", 1.11),
        ("Al", "boiling_point_K", 2792),
        ("Cu", "molar_volume_cm3_per_mol", 7.11),
        ("W", "period", 6),
    ],
)
def test_properties_of_the_handbook(symbol, name, value):
    found = PROPERTIES[atomic_number(symbol), PROPERTY_NAMES.index(name)]
    assert found == pytest.approx(value, rel=0.01)


def test_missing_properties_come_from_the_same_column():
    melting = PROPERTY_NAMES.index("melting_point_K")
    assert PROPERTIES[104, melting] == PROPERTIES[72, melting]  # Rf from Hf
    electronegativity = PROPERTY_NAMES.index("electronegativity")
    assert PROPERTIES[10, electronegativity] == PROPERTIES[36, electronegativity]  # Ne from Kr, the nearest known


# Volumes of conventional cells in A^3 from diffraction (ICSD, room temperature).
@pytest.mark.parametrize(
    ("cell", "volume"),
    [
        ({"Na": 4, "Cl": 4}, 179.4),
        ({"Mg": 4, "O": 4}, 74.7),
        ({"Ti": 2, "O": 4}, 62.4),
        ({"Ba": 1, "Ti": 1, "O": 3}, 64.3),
        ({"Li": 4, "Fe": 4, "P": 4, "O": 16}, 291.0),
        ({"Ga": 4, "As": 4}, 180.7),
        ({"Ca": 4, "F": 8}, 163.0),
        ({"Cs": 1, "Cl": 1}, 70.1),
        ({"Ni": 3, "Al": 1}, 45.5),
    ],
)
def test_atomic_volumes_estimate_real_cells(cell, volume):
    estimate = sum(n * ATOMIC_VOLUME[atomic_number(symbol)] for symbol, n in cell.items())
    assert 0.55 < volume / estimate < 1.6  # rock-salt MgO, at 0.60, is among the densest crystals for its elements


def test_atomic_volumes_are_physical():
    assert (ATOMIC_VOLUME[1:] > 5).all()
    assert (ATOMIC_VOLUME[1:] < 65).all()
    assert ATOMIC_VOLUME[55] > ATOMIC_VOLUME[37] > ATOMIC_VOLUME[19] > ATOMIC_VOLUME[11] > ATOMIC_VOLUME[3]


def test_import_needs_no_heavy_library():
    heavy = {"torch", "pandas", "pymatgen", "pyxtal", "moyopy", "spglib", "scipy"}
    modules = ", ".join(f"crystalgfn.crystallography.{m}" for m in ("elements", "space_groups", "wyckoff", "charges"))
    code = f"import sys, {modules}; print(*(m for m in sys.modules if m in {heavy!r}))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == []
