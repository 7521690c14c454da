"""Lattice geometry against pymatgen's Lattice."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pymatgen.core import Lattice

from crystalgfn.crystallography.lattices import (
    cell_volume,
    hexagonal_to_rhombohedral,
    is_valid_cell,
    rhombohedral_to_hexagonal,
    satisfies_lattice_system,
)
from crystalgfn.crystallography.space_groups import CRYSTAL_LATTICE_SYSTEMS
from crystalgfn.errors import DataError

lengths = st.floats(0.9, 100)
# One conventional cell for each crystal-lattice system, with no more symmetry than that system has.
EXAMPLES = {
    "triclinic": (4.0, 5.0, 6.0, 80.0, 85.0, 95.0),
    "monoclinic": (4.0, 5.0, 6.0, 90.0, 105.0, 90.0),
    "orthorhombic": (4.0, 5.0, 6.0, 90.0, 90.0, 90.0),
    "tetragonal": (4.0, 4.0, 6.0, 90.0, 90.0, 90.0),
    "trigonal-rhombohedral": (4.0, 4.0, 13.0, 90.0, 90.0, 120.0),
    "trigonal-hexagonal": (4.0, 4.0, 6.0, 90.0, 90.0, 120.0),
    "hexagonal": (4.0, 4.0, 6.0, 90.0, 90.0, 120.0),
    "cubic": (4.0, 4.0, 4.0, 90.0, 90.0, 90.0),
}


def tensor(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def random_lattices(n: int) -> torch.Tensor:
    u = torch.rand((n, 6), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return torch.cat([0.9 + 50 * u[:, :3], 20 + 140 * u[:, 3:]], dim=1)


def test_volume_agrees_with_pymatgen_and_validity_with_the_triangle_inequalities():
    lattice = random_lattices(400)
    valid = is_valid_cell(lattice)
    alpha, beta, gamma = lattice[:, 3:].unbind(1)
    # Three angles close a cell if and only if each is below the sum of the others and together they are below 360.
    closes = (alpha < beta + gamma) & (beta < alpha + gamma) & (gamma < alpha + beta) & (alpha + beta + gamma < 360)
    assert torch.equal(valid, closes)
    assert 50 < int(valid.sum()) < 350
    for row, volume in zip(lattice[valid].tolist(), cell_volume(lattice[valid]).tolist(), strict=True):
        assert volume == pytest.approx(Lattice.from_parameters(*row).volume, rel=1e-6)
    assert torch.isnan(cell_volume(lattice[~valid])).all()


@pytest.mark.parametrize(
    "row",
    [
        (0.0, 1, 1, 90, 90, 90),
        (-1.0, 1, 1, 90, 90, 90),
        (1.0, 1, 1, 120, 120, 120.001),
        (1.0, 1, 1, 180, 90, 90),
        (1.0, 1, 1, 0, 90, 90),
        (1.0, 1, 1, 270, 270, 90),
        (math.inf, 1, 1, 90, 90, 90),
        (1.0, 1, 1, math.nan, 90, 90),
    ],
)
def test_impossible_cells_are_not_valid(row):
    assert not is_valid_cell(tensor(*row)[None]).any()


@given(lengths, st.floats(5, 119))
def test_rhombohedral_to_hexagonal_is_pymatgens_cell_of_three_volumes(a, alpha):
    a_h, c_h = rhombohedral_to_hexagonal(tensor(a), tensor(alpha))
    primitive = Lattice.from_parameters(a, a, a, alpha, alpha, alpha)
    hexagonal = Lattice([[1, -1, 0], [0, 1, -1], [1, 1, 1]] @ primitive.matrix)  # obverse setting
    lattice = torch.stack([a_h, a_h, c_h, *(torch.full_like(a_h, x) for x in (90, 90, 120))], dim=1)
    assert lattice[0].tolist() == pytest.approx(hexagonal.parameters, rel=1e-6)
    assert float(cell_volume(lattice)) == pytest.approx(3 * primitive.volume, rel=1e-6)


@given(lengths, st.floats(1, 119.9))
def test_hexagonal_to_rhombohedral_is_the_inverse(a, alpha):
    back = hexagonal_to_rhombohedral(*rhombohedral_to_hexagonal(tensor(a), tensor(alpha)))
    assert [float(x) for x in back] == pytest.approx([a, alpha], rel=1e-9)


def test_a_cubic_primitive_cell_has_the_known_hexagonal_axes():
    a_h, c_h = rhombohedral_to_hexagonal(tensor(1.0), tensor(90.0))
    assert float(a_h) == pytest.approx(math.sqrt(2))
    assert float(c_h) == pytest.approx(math.sqrt(3))


def test_functions_are_differentiable():
    a, alpha = tensor(5.0, 6.0).requires_grad_(), tensor(60.0, 80.0).requires_grad_()
    assert torch.autograd.gradcheck(rhombohedral_to_hexagonal, (a, alpha))
    assert torch.autograd.gradcheck(cell_volume, (tensor(4, 5, 6, 80, 85, 95)[None].requires_grad_(),))


@pytest.mark.parametrize(
    ("system", "satisfied"),
    [
        ("triclinic", set(CRYSTAL_LATTICE_SYSTEMS)),
        ("monoclinic", {"monoclinic", "orthorhombic", "tetragonal", "cubic"}),
        ("orthorhombic", {"orthorhombic", "tetragonal", "cubic"}),
        ("tetragonal", {"tetragonal", "cubic"}),
        ("trigonal-rhombohedral", {"trigonal-rhombohedral", "trigonal-hexagonal", "hexagonal"}),
        ("trigonal-hexagonal", {"trigonal-rhombohedral", "trigonal-hexagonal", "hexagonal"}),
        ("hexagonal", {"trigonal-rhombohedral", "trigonal-hexagonal", "hexagonal"}),
        ("cubic", {"cubic"}),
    ],
)
def test_a_system_accepts_its_cells_and_those_of_more_symmetry(system, satisfied):
    lattice = tensor(*(x for row in EXAMPLES.values() for x in row)).reshape(8, 6)
    index = torch.full((8,), 1 + CRYSTAL_LATTICE_SYSTEMS.index(system))
    found = satisfies_lattice_system(lattice, index, 1e-6)
    assert {name for name, ok in zip(EXAMPLES, found.tolist(), strict=True) if ok} == satisfied


def test_systems_may_differ_over_the_batch_and_the_tolerance_is_relative():
    lattice = tensor(10, 10.05, 10, 90, 90, 90, 10, 10.05, 10, 90, 90, 90).reshape(2, 6)
    systems = torch.tensor([3, 8])
    assert satisfies_lattice_system(lattice, systems, 1e-3).tolist() == [True, False]
    assert satisfies_lattice_system(lattice, systems, 1e-2).tolist() == [True, True]


def test_not_a_number_satisfies_nothing_it_matters_for():
    lattice = tensor(math.nan, 4, 4, 90, 90, 90)[None].expand(2, 6)
    assert satisfies_lattice_system(lattice, torch.tensor([8, 4])).tolist() == [False, False]


def test_wrong_shapes_and_systems_are_errors():
    with pytest.raises(DataError, match="must be 6"):
        cell_volume(torch.ones(3, 5))
    with pytest.raises(DataError, match="allowed are 1 to 8"):
        satisfies_lattice_system(torch.ones(2, 6), torch.tensor([0, 9]))
    assert satisfies_lattice_system(torch.ones(0, 6), torch.zeros(0, dtype=torch.int64)).shape == (0,)
