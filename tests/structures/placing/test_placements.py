"""Placed structures: group and counts against moyopy and pymatgen, order, seeds and refusals."""

from __future__ import annotations

import moyopy
import numpy as np
import pytest
from pymatgen.core import Structure

from crystalgfn.crystallography.sites.assignments import Assignment, canonical
from crystalgfn.crystallography.space_groups import CENTERING_MULTIPLICITY, CRYSTAL_LATTICE_SYSTEM
from crystalgfn.crystallography.wyckoff import WYCKOFF
from crystalgfn.errors import DataError
from crystalgfn.structures.placing.placements import TOO_NEAR_RATIO, Placement, place
from crystalgfn.structures.placing.prototype_files import load_library
from crystalgfn.structures.placing.prototypes import PrototypeLibrary
from structure_setup import LATTICES

MGO = 225, {12: 4, 8: 4}, (4.2, 4.2, 4.2, 90, 90, 90)
SPINEL = 227, {13: 16, 12: 8, 8: 32}, (8.08, 8.08, 8.08, 90, 90, 90)


def found(structure: Structure) -> moyopy.MoyoDataset:
    cell = moyopy.Cell(
        structure.lattice.matrix.tolist(), structure.frac_coords.tolist(), [site.specie.Z for site in structure]
    )
    return moyopy.MoyoDataset(cell, symprec=0.01, setting=moyopy.Setting.standard())


def check(placed: Placement, counts: dict[int, int], lattice: tuple[float, ...]) -> None:
    """The structures hold what was asked for, in the group or a supergroup with the same cell."""
    for structure in (placed.structure, placed.conventional):
        dataset = found(structure)
        assert dataset.number == placed.found_space_group
        operations = moyopy.operations_from_number(placed.space_group, primitive=True)
        theirs = moyopy.operations_from_number(dataset.number, primitive=True)
        assert len(theirs) == len(operations) if dataset.number == placed.space_group else len(theirs) > len(operations)
        assert len(dataset.prim_std_cell.numbers) == len(placed.structure)
    by_element = {element.Z: int(n) for element, n in placed.conventional.composition.items()}
    assert by_element == counts == placed.assignment.counts
    assert len(placed.conventional) == len(placed.structure) * CENTERING_MULTIPLICITY[placed.space_group]
    assert placed.conventional.lattice.parameters == pytest.approx(lattice, abs=1e-9)
    distances = placed.structure.get_neighbor_list(r=15.0)[3]
    assert placed.min_distance == pytest.approx(distances.min(), abs=1e-6)


@pytest.mark.parametrize("number", range(2, 231, 4))
def test_random_structures_have_group_counts_and_lattice(number):
    smallest, general = WYCKOFF[number][0].multiplicity, WYCKOFF[number][-1].multiplicity
    counts = {8: min(general, 48), 38: 2 * smallest if number < 75 else smallest}
    lattice = LATTICES[int(CRYSTAL_LATTICE_SYSTEM[number])]
    placed = place(number, counts, lattice, placements=5, seed=number)
    # In Fm-3c and I4_1/acd all ways to hold these counts turn out to have half the primitive cell.
    assert bool(placed) == (number not in (142, 226))
    for placement in placed:
        assert placement.source == "random"
        assert placement.assignment == canonical(placement.assignment)
        check(placement, counts, lattice)


def test_prototypes_come_first_and_are_exact():
    library = load_library("builtin")
    best, *others = place(*SPINEL, placements=8, seed=0, library=library)
    assert best.source == "prototype A2BC4_cF56_227_d_a_e"
    assert [site for site in best.assignment.sites if site[0] != 8] == [(12, "a"), (13, "d")]
    check(best, SPINEL[1], SPINEL[2])
    assert 1.85 < best.min_distance < 2.0
    assert others
    first = [placement.source != "random" for placement in (best, *others)]
    assert first == sorted(first, reverse=True)


FORSTERITE = 62, ((12, "a"), (12, "c"), (14, "c"), (8, "c"), (8, "c"), (8, "d")), (10.2, 5.98, 4.76, 90, 90, 90)


@pytest.mark.parametrize(
    ("number", "sites", "lattice", "distinct"),
    [
        (225, ((12, "a"), (8, "b")), MGO[2], 1),
        (225, ((12, "b"), (8, "a")), MGO[2], 1),
        (136, ((22, "b"), (8, "g")), (4.6, 4.6, 2.96, 90, 90, 90), 1),
        (*FORSTERITE, 6),
    ],
)
def test_known_sites_are_the_only_ones(number, sites, lattice, distinct):
    known = Assignment(number, sites)
    placed = place(number, known.counts, lattice, placements=6, seed=0, sites=known)
    assert {placement.assignment for placement in placed} == {known}
    assert len(placed) == distinct
    for placement in placed:
        check(placement, known.counts, lattice)


def test_prototypes_are_taken_where_they_have_the_known_sites():
    library = load_library("builtin")
    spinel = Assignment(227, ((12, "a"), (13, "d"), (8, "e")))
    moved = Assignment(227, ((12, "b"), (13, "c"), (8, "e")))  # from another origin
    for sites in (spinel, moved):
        placed = place(*SPINEL, placements=3, seed=0, sites=sites, library=library)
        assert placed[0].source == "prototype A2BC4_cF56_227_d_a_e"
        assert {canonical(placement.assignment) for placement in placed} == {canonical(spinel)}
    other = Assignment(227, ((12, "a"), (13, "c"), (8, "e")))
    placed = place(*SPINEL, placements=3, seed=0, sites=other, library=library)
    assert {(p.source, p.assignment) for p in placed} == {("random", other)}


def test_atoms_too_near_on_known_sites_are_not_placed():
    sites = Assignment(225, ((12, "a"), (8, "b")))
    for a, kept in ((1.9, False), (2.1, True)):  # 0.46 and 0.51 of the radii
        placed = place(*MGO[:2], (a, a, a, 90, 90, 90), seed=0, sites=sites)
        assert bool(placed) == kept
        assert all(placement.min_ratio >= TOO_NEAR_RATIO for placement in placed)


def test_an_excluded_formula_gives_no_prototype():
    library = load_library("builtin")
    with_it = place(227, {14: 8}, (5.43,) * 3 + (90,) * 3, placements=8, seed=0, library=library)
    without = place(227, {14: 8}, (5.43,) * 3 + (90,) * 3, placements=8, seed=0, library=library, exclude_formula="Si2")
    assert len(with_it) == len(without) == 1
    formulas = {p.id: p.formula for p in library.prototypes}
    assert all(formulas[p.source.split()[1]] != "Si" for p in without if p.source != "random")


def test_one_structure_is_given_once():
    assert len(place(*MGO, placements=10, seed=0)) == 1
    rutile = place(136, {22: 2, 8: 4}, (4.6, 4.6, 2.96, 90, 90, 90), placements=30, seed=0)
    assert 1 <= len(rutile) < 10


def test_placing_follows_the_seed():
    case = 62, {12: 8, 14: 4, 8: 16}, (10.2, 5.98, 4.76, 90, 90, 90)
    first, again, other = (place(*case, placements=4, seed=seed) for seed in (0, 0, 1))
    assert [p.structure for p in first] == [p.structure for p in again]
    assert [p.structure for p in first] != [p.structure for p in other]
    assert len(first) == 4
    assert min(p.min_ratio for p in first) > 0.6


def test_crowded_structures_come_last():
    placed = place(62, {12: 8, 14: 4, 8: 16}, (5.1, 3.0, 2.4, 90, 90, 90), placements=12, seed=0)
    crowded = [placement.min_ratio < 0.6 for placement in placed]
    assert any(crowded)
    assert crowded == sorted(crowded)


def test_no_structure_has_a_smaller_primitive_cell_than_asked_for():
    # a and b of P4/mmm filled alike are a cell of half the height; 2g and 2h are not.
    placed = place(123, {29: 2}, (3.0, 3.0, 6.0, 90, 90, 90), seed=0)
    assert placed
    assert all(len(found(p.structure).prim_std_cell.numbers) == 2 for p in placed)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"space_group": 231}, "space group is 231; allowed are 1 to 230"),
        ({"counts": {12: 4, 8: 3}}, "space group 225 cannot hold the counts O 3, Mg 4"),
        ({"counts": {}}, "cannot hold the counts none"),
        ({"counts": {12: 4, 119: 4}}, "atomic number is 119"),
        ({"counts": {12: 40_000, 8: 4}}, "counts add up to 40004 atoms; allowed are up to 2000"),
        ({"lattice": (4.2, 4.2, 0, 90, 90, 90)}, "no cell"),
        ({"lattice": (4.2, 4.2, float("nan"), 90, 90, 90)}, "no cell"),
        ({"lattice": (4.2, 4.2, 5.0, 90, 90, 90)}, "is not cubic"),
        ({"lattice": None}, "lattice is None"),
        ({"placements": 0}, "placements is 0"),
        ({"sites": Assignment(225, ((12, "a"),))}, "hold {12: 4}; allowed: {8: 4, 12: 4}"),
        ({"sites": Assignment(221, ((12, "c"), (12, "a"), (8, "d"), (8, "b")))}, "in space group 225"),
        ({"exclude_formula": "Mg&O", "library": PrototypeLibrary([])}, "formula 'Mg&O' cannot be read"),
    ],
)
def test_bad_input_is_one_clear_line(change, message):
    arguments = {"space_group": 225, "counts": MGO[1], "lattice": MGO[2], "seed": 0, **change}
    with pytest.raises(DataError, match=message) as caught:
        place(**arguments)
    assert "\n" not in str(caught.value)


def test_many_atoms_of_many_elements_are_placed():
    placed = place(47, {8: 20, 26: 4, 3: 4, 15: 4, 9: 8}, (10, 8.6, 8, 90, 90, 90), placements=6, seed=0)
    assert len(placed) == 6
    assert np.mean([p.min_ratio > 0.6 for p in placed]) >= 0.5
