"""The same crystal in another cell is found, another one is not, and reference files are read by formula."""

import numpy as np
import pandas as pd
import pytest
from pymatgen.core import Lattice, Structure

from crystalgfn.errors import DataError
from crystalgfn.structures.candidates.duplicates import Reference, duplicate_groups, reduced_formula

SALT = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.6), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
CESIUM = Structure(Lattice.cubic(3.5), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
RUTILE = Structure.from_spacegroup(
    "P4_2/mnm", Lattice.tetragonal(4.6, 2.96), ["Ti", "O"], [[0, 0, 0], [0.305, 0.305, 0]]
)


def disguised(structure, seed=0):
    """Another cell, moved, turned, shuffled, scaled and with noise."""
    rng = np.random.default_rng(seed)
    other = structure.get_primitive_structure() * (2, 1, 1)
    other.translate_sites(range(len(other)), rng.uniform(size=3))
    other.perturb(0.02)
    other.scale_lattice(1.1 * other.volume)
    order = rng.permutation(len(other))
    return Structure(other.lattice, [other[i].specie for i in order], other.frac_coords[order])


def write(path, structures):
    rows = [
        {
            "material_id": f"mp-{k}",
            "numbers": list(s.atomic_numbers),
            "cell": s.lattice.matrix.ravel().tolist(),
            "fractional": s.frac_coords.ravel().tolist(),
        }
        for k, s in enumerate(structures)
    ]
    pd.DataFrame(rows).to_parquet(path)
    return path


def test_groups_name_the_first():
    groups = duplicate_groups([SALT, RUTILE, CESIUM, disguised(SALT), None, disguised(RUTILE), disguised(CESIUM, 1)])
    assert groups == [0, 1, 2, 0, -1, 1, 2]
    assert duplicate_groups([]) == []


def test_reduced_formulas():
    assert reduced_formula(SALT.atomic_numbers) == ((11, 1), (17, 1))
    assert reduced_formula([8, 22, 8, 8, 22, 8]) == ((8, 2), (22, 1))
    assert reduced_formula([]) == ()


def test_novelty(tmp_path):
    reference = Reference(write(tmp_path / "known.parquet", [RUTILE, SALT.get_primitive_structure()]))
    assert len(reference) == 2
    assert reference.match(disguised(SALT)) == "mp-1"
    assert reference.match(disguised(RUTILE)) == "mp-0"
    assert reference.match(CESIUM) is None
    assert reference.has_formula(CESIUM)
    other = CESIUM.copy()
    other.replace_species({"Na": "K"})
    assert reference.match(other) is None
    assert not reference.has_formula(other)


def test_wrong_files_are_errors(tmp_path):
    pd.DataFrame({"material_id": ["x"]}).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(DataError, match="no column 'numbers'"):
        Reference(tmp_path / "a.parquet")
    pd.DataFrame({"material_id": ["x"], "numbers": ["NaCl"], "cell": ["c"], "fractional": ["f"]}).to_parquet(
        tmp_path / "b.parquet"
    )
    with pytest.raises(DataError, match="lists of atomic numbers"):
        Reference(tmp_path / "b.parquet")
    bad = pd.DataFrame({"material_id": ["x"], "numbers": [[11, 17]], "cell": [[1.0]], "fractional": [[0.0]]})
    bad.to_parquet(tmp_path / "c.parquet")
    with pytest.raises(DataError, match="row 0"):
        Reference(tmp_path / "c.parquet").match(SALT)


def test_matcher_failures_are_not_matches(monkeypatch):
    from pymatgen.analysis.structure_matcher import StructureMatcher

    def broken(*_):
        raise ValueError("cannot reduce")

    monkeypatch.setattr(StructureMatcher, "fit", broken)
    assert duplicate_groups([SALT, SALT]) == [0, 1]


def test_oxidation_states_isotopes_and_spins_do_not_tell_crystals_apart(tmp_path):
    charged = SALT.copy()
    charged.add_oxidation_state_by_element({"Na": 1, "Cl": -1})
    spinning = SALT.copy()
    spinning.add_spin_by_element({"Na": 0.5})
    assert duplicate_groups([SALT, charged, spinning]) == [0, 0, 0]
    assert duplicate_groups([charged, SALT]) == [0, 0]
    hydride = Structure.from_spacegroup("Fm-3m", Lattice.cubic(4.08), ["Li", "H"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    heavy = Structure(hydride.lattice, [str(s.specie).replace("H", "D") for s in hydride], hydride.frac_coords)
    assert duplicate_groups([hydride, heavy]) == [0, 0]
    path = write(tmp_path / "known.parquet", [SALT])
    assert Reference(path).match(charged) is not None
