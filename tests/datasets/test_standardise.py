"""Conventional cells: the convention, whatever cell a structure comes in, and the rows of the development data."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pymatgen.core import Lattice, Structure

from crystalgfn.crystallography.elements import SYMBOLS
from crystalgfn.crystallography.wyckoff import WYCKOFF
from crystalgfn.datasets.standardise import conventional_cell, find_cell
from crystalgfn.errors import DataError

SHARED = Path(__file__).parents[3] / "shared" / "data"


def build(group: str | int, lattice: Lattice, *sites: tuple[str, list[float]]) -> Structure:
    """Return a structure from a space group symbol and one site an orbit."""
    species, positions = zip(*sites, strict=True)
    return Structure.from_spacegroup(group, lattice, species, positions)


# lattice constants and positions as measured; the letters and multiplicities are those of ITA
KNOWN = {
    "rock salt": (
        build("Fm-3m", Lattice.cubic(4.212), ("Mg", [0, 0, 0]), ("O", [0.5, 0.5, 0.5])),
        (225, {12: 4, 8: 4}, (4.212, 4.212, 4.212, 90, 90, 90), {("Mg", 4), ("O", 4)}),
    ),
    "corundum": (
        build("R-3c", Lattice.hexagonal(4.759, 12.991), ("Al", [0, 0, 0.3522]), ("O", [0.3064, 0, 0.25])),
        (167, {13: 12, 8: 18}, (4.759, 4.759, 12.991, 90, 90, 120), {("Al", 12), ("O", 18)}),
    ),
    "spinel": (
        build(
            "Fd-3m:2",
            Lattice.cubic(8.083),
            ("Mg", [0.125, 0.125, 0.125]),
            ("Al", [0.5, 0.5, 0.5]),
            ("O", [0.2624, 0.2624, 0.2624]),
        ),
        (227, {12: 8, 13: 16, 8: 32}, (8.083, 8.083, 8.083, 90, 90, 90), {("Mg", 8), ("Al", 16), ("O", 32)}),
    ),
    "quartz": (
        build("P3_221", Lattice.hexagonal(4.913, 5.405), ("Si", [0.4697, 0, 2 / 3]), ("O", [0.4135, 0.2669, 0.7858])),
        (154, {14: 3, 8: 6}, (4.913, 4.913, 5.405, 90, 90, 120), {("Si", 3), ("O", 6)}),
    ),
    "baddeleyite": (
        build(
            "P2_1/c",
            Lattice.monoclinic(5.1505, 5.2116, 5.3173, 99.23),
            ("Zr", [0.2754, 0.0395, 0.2083]),
            ("O", [0.07, 0.3317, 0.3447]),
            ("O", [0.4496, 0.7569, 0.4792]),
        ),
        (14, {40: 4, 8: 8}, (5.1505, 5.2116, 5.3173, 90, 99.23, 90), {("Zr", 4), ("O", 4)}),
    ),
}


@pytest.mark.parametrize("name", KNOWN)
def test_known_crystals(name):
    structure, (group, counts, lattice, orbits) = KNOWN[name]
    cell = conventional_cell(structure)
    assert cell.space_group == group
    assert cell.counts == counts
    assert cell.lattice == pytest.approx(lattice, abs=1e-4)
    assert {(symbol, multiplicity) for symbol, _, multiplicity in cell.wyckoff} == orbits


@pytest.mark.parametrize("name", KNOWN)
def test_the_cell_does_not_depend_on_the_one_given(name):
    structure, _ = KNOWN[name]
    wanted = conventional_cell(structure)
    primitive = structure.get_primitive_structure()
    supercell = structure * (2, 1, 1)
    axes = Structure(structure.lattice.matrix[[2, 0, 1]], structure.species, structure.frac_coords[:, [2, 0, 1]])
    turned = structure.copy()
    turned.translate_sites(range(len(turned)), [0.1, 0.23, 0.37])
    for other in (primitive, supercell, axes, turned):
        found = conventional_cell(other)
        assert found.space_group == wanted.space_group
        assert found.counts == wanted.counts
        assert found.lattice == pytest.approx(wanted.lattice, abs=1e-3)
        assert Counter((s, n) for s, _, n in found.wyckoff) == Counter((s, n) for s, _, n in wanted.wyckoff)


def test_angles_of_right_cells_are_exact():
    cell = conventional_cell(KNOWN["corundum"][0].get_primitive_structure())
    assert cell.lattice[3:] == (90.0, 90.0, 120.0)


@pytest.mark.parametrize(
    ("structure", "message"),
    [
        (Structure(Lattice.cubic(3), [{"Fe": 0.5, "Ni": 0.5}], [[0, 0, 0]]), "disordered"),
        (Structure(Lattice.cubic(3), ["X"], [[0, 0, 0]]), "no element|atomic numbers"),
        (Structure(Lattice.cubic(3), [], []), "no atoms"),
        (
            Structure(Lattice.cubic(3), ["Fe", "Ni"], [[0, 0, 0], [0, 0, 0]]),
            r"on top of each other: Fe and Ni are 0\.000 A",
        ),
    ],
    ids=["disordered", "dummy", "empty", "overlapping"],
)
def test_structures_without_a_cell_are_refused(structure, message):
    with pytest.raises(DataError, match=message):
        conventional_cell(structure)


def test_numbers_that_are_not_finite_are_refused():
    with pytest.raises(DataError, match="not finite"):
        find_cell(np.eye(3), np.array([[np.nan, 0, 0]]), [26])
    with pytest.raises(DataError, match="atomic numbers from 0 to 0"):
        find_cell(np.eye(3) * 3, np.zeros((1, 3)), [0])


@pytest.mark.skipif(not (SHARED / "structures.parquet").exists(), reason="the development data are not here")
@pytest.mark.filterwarnings("ignore")
def test_development_data_are_reproduced():
    table = pd.read_parquet(SHARED / "crystals.parquet").sample(200, random_state=1)
    structures = pd.read_parquet(SHARED / "structures.parquet").set_index("material_id")
    different = []
    for row in table.itertuples():
        given = structures.loc[row.material_id]
        numbers = [int(z) for z in given.numbers]
        cell = find_cell(np.reshape(given.cell, (3, 3)), np.reshape(given.fractional, (-1, 3)), numbers)
        lattice = (row.a, row.b, row.c, row.alpha, row.beta, row.gamma)
        if cell.space_group != row.spacegroup or cell.lattice != pytest.approx(lattice, rel=1e-5):
            different.append(row.material_id)
            continue
        assert {SYMBOLS[z]: n for z, n in cell.counts.items()} == json.loads(row.elements)
        free = {position.letter: position.degrees_of_freedom for position in WYCKOFF[row.spacegroup]}
        # letters depend on the choice of origin, multiplicities and free coordinates do not
        orbits = [Counter((s, n, free[letter]) for s, letter, n in w) for w in (cell.wyckoff, json.loads(row.wyckoff))]
        assert orbits[0] == orbits[1]
    # crystals at the edge of the tolerance fall on either side: 23 in 6,000
    assert len(different) <= 4
