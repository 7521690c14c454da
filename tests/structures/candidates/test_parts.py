"""Parts of candidates: structures and single points as plain numbers, those of earlier versions, and damaged ones."""

import numpy as np
import pytest
from pydantic import ValidationError
from pymatgen.core import Lattice, Structure

from crystalgfn.errors import DataError
from crystalgfn.structures.candidates.parts import Part, PlainPoint, PlainStructure
from crystalgfn.structures.relaxing.relaxation import SinglePoint

SALT = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])


def test_a_structure_comes_back_from_its_numbers():
    plain = PlainStructure.model_validate_json(PlainStructure.of(SALT).model_dump_json())
    built = plain.build()
    assert built.composition == SALT.composition
    np.testing.assert_array_equal(built.lattice.matrix, SALT.lattice.matrix)
    np.testing.assert_array_equal(built.frac_coords, SALT.frac_coords)


def test_parts_of_earlier_versions_are_read():
    part = Part.model_validate({"structure": SALT.as_dict(), "stages": {"placed": SALT.as_dict()}, "row": {}})
    assert part.structure == PlainStructure.of(SALT) == part.stages["placed"]
    assert part.point is None
    disordered = Structure(Lattice.cubic(3), [{"Cu": 0.5, "Au": 0.5}], [[0, 0, 0]]).as_dict()
    with pytest.raises(ValidationError, match="partial occupancy"):
        Part.model_validate({"structure": disordered, "row": {}})


def test_a_single_point_belongs_to_its_structure():
    point = SinglePoint(-27.1, np.arange(24.0).reshape(8, 3), np.eye(3))
    plain = PlainPoint.model_validate_json(PlainPoint.of(point).model_dump_json())
    again = plain.build(8)
    assert again.energy == -27.1
    np.testing.assert_array_equal(again.forces, point.forces)
    np.testing.assert_array_equal(again.stress, point.stress)
    with pytest.raises(DataError, match="forces on 8 atoms of 2"):
        plain.build(2)


@pytest.mark.parametrize(
    "changed", [{"numbers": [0, 1]}, {"numbers": []}, {"lattice": [[1, 0, 0]]}, {"fractional": [[0, 0, float("nan")]]}]
)
def test_impossible_numbers_are_refused(changed):
    content = {"lattice": np.eye(3).tolist(), "numbers": [11, 17], "fractional": [[0, 0, 0], [0.5, 0.5, 0.5]]}
    PlainStructure.model_validate(content).build()
    with pytest.raises(ValidationError):
        PlainStructure.model_validate(content | changed)


def test_a_cell_without_volume_is_no_structure():
    flat = PlainStructure(lattice=[[1, 0, 0], [0, 1, 0], [1, 1, 0]], numbers=[11], fractional=[[0, 0, 0]])
    with pytest.raises(DataError, match="not a structure"):
        flat.build()
