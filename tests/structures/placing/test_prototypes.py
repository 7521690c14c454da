"""Prototypes: what is taken from a structure gives the structure back; exchange of elements; files."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Lattice, Structure

from crystalgfn.errors import DataError
from crystalgfn.structures.placing import prototype_files
from crystalgfn.structures.placing.prototypes import PrototypeLibrary
from crystalgfn.structures.placing.random_placement import placements_at
from crystalgfn.structures.placing.recognition import prototype_of

MATCHER = StructureMatcher(0.02, 0.02, 0.5)


@pytest.fixture(scope="module")
def aflow() -> PrototypeLibrary:
    return prototype_files.load_library("builtin")


def rebuilt(prototype) -> Structure:
    placements = placements_at(prototype.assignment, prototype.lattice, np.array(prototype.free)[None])
    return Structure(Lattice(placements.cell), placements.numbers, placements.fractional[0])


def shaken(structure: Structure) -> tuple[np.ndarray, list[int], np.ndarray]:
    """The structure from another origin, in a skewed cell twice as large, its atoms in another order."""
    rng = np.random.default_rng(0)
    large = structure.make_supercell([[1, 1, 0], [0, 1, 1], [2, 0, 1]], in_place=False)
    order = rng.permutation(len(large))
    points = (large.frac_coords + rng.uniform(size=3))[order]
    return large.lattice.matrix, [large[i].specie.Z for i in order], points


def test_a_prototype_gives_its_structure_back_from_any_description(aflow):
    for prototype in aflow.prototypes[::6]:
        structure = rebuilt(prototype)
        cell, numbers, points = shaken(structure)
        again = prototype_of("again", cell, numbers, points, symprec=1e-3)
        assert (again.space_group, again.formula) == (prototype.space_group, prototype.formula)
        assert again.assignment.counts == prototype.assignment.counts
        assert MATCHER.fit(structure, rebuilt(again)), prototype.id


def test_aflow_prototypes_are_there_with_their_licence(aflow):
    assert sum(not p.id.startswith("crystalgfn") for p in aflow.prototypes) == 288
    assert {1, 62, 166, 194, 225, 227} <= {p.space_group for p in aflow.prototypes} | {1}
    assert "MIT" in prototype_files.about(prototype_files.BUILTIN_FILE)["licence"]


def test_equal_counts_are_exchanged_both_ways_and_the_more_alike_comes_first(aflow):
    perovskites = list(aflow.find(221, {8: 3, 22: 1, 38: 1}, (3.9, 3.9, 3.9, 90, 90, 90)))
    sites = [c.placement.assignment.sites for c in perovskites]
    assert len(sites) >= 2
    assert perovskites == sorted(perovskites, key=lambda candidate: candidate.dissimilarity)
    # Ti in the octahedron, 1.95 A from O.
    assert perovskites[0].placement.distance[0] == pytest.approx(1.95)
    assert perovskites[0].placement.ratio[0] > perovskites[1].placement.ratio[0]


def test_own_axes_are_offered_scaled_to_the_volume(aflow):
    lattice = (5.2, 5.2, 2.3, 90, 90, 90)
    candidates = list(aflow.find(136, {8: 4, 22: 2}, lattice))
    scaled = [c for c in candidates if c.source.endswith("(scaled)")]
    given = [c for c in candidates if not c.source.endswith("(scaled)")]
    assert scaled
    assert given
    for candidate in scaled:
        a, _, c = candidate.placement.lattice[:3]
        assert a * a * c == pytest.approx(5.2 * 5.2 * 2.3)
        assert c / a == pytest.approx(0.64, abs=0.1)
    assert all(tuple(candidate.placement.lattice) == lattice for candidate in given)


def test_excluded_formulas_are_left_out(aflow):
    all_of = list(aflow.find(225, {11: 4, 17: 4}, (5.6, 5.6, 5.6, 90, 90, 90)))
    assert all_of
    formula = {p.id: p.formula for p in aflow.prototypes}[all_of[0].source.split()[1]]
    left = list(aflow.find(225, {11: 4, 17: 4}, (5.6, 5.6, 5.6, 90, 90, 90), exclude_formula=formula))
    assert all_of[0].source not in [candidate.source for candidate in left]


def test_libraries_are_saved_loaded_and_joined(aflow, tmp_path):
    few = PrototypeLibrary(aflow.prototypes[:5])
    prototype_files.write(few, tmp_path / "few.parquet")
    assert prototype_files.load_library(tmp_path / "few.parquet").prototypes == few.prototypes
    assert len(few + few) == 10


def test_a_table_of_structures_becomes_a_library(aflow, tmp_path):
    rows = []
    for prototype in aflow.prototypes[100:104]:
        structure = rebuilt(prototype)
        rows.append(
            {
                "material_id": prototype.id,
                "numbers": [site.specie.Z for site in structure],
                "cell": structure.lattice.matrix.ravel().tolist(),
                "fractional": structure.frac_coords.ravel().tolist(),
            }
        )
    rows.append({"material_id": "broken", "numbers": [8], "cell": [0.0] * 9, "fractional": [0.0] * 3})
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "structures.parquet")
    library = prototype_files.from_structures(tmp_path / "structures.parquet")
    assert [p.id for p in library.prototypes] == [row["material_id"] for row in rows[:-1]]
    assert [p.space_group for p in library.prototypes] == [p.space_group for p in aflow.prototypes[100:104]]


def test_bad_files_are_named(tmp_path):
    with pytest.raises(DataError, match=r"none\.parquet: no such file"):
        prototype_files.load_library(tmp_path / "none.parquet")
    pq.write_table(pa.table({"id": ["a"]}), tmp_path / "other.parquet")
    with pytest.raises(DataError, match=r"other\.parquet: has no column formula"):
        prototype_files.load_library(tmp_path / "other.parquet")
    with pytest.raises(DataError, match="has no column cell"):
        prototype_files.from_structures(tmp_path / "other.parquet")
