"""What the features must not depend on, and what they must."""

import pytest
import torch

from crystalgfn.crystals.crystal import Crystals
from crystalgfn.errors import PropertyError
from crystalgfn.proxies.networks.features import Featuriser
from crystalgfn.proxies.networks.inputs import EQUILIBRIUM, LATTICE_COLUMNS, N_DESCRIPTORS
from property_data import cubic, one

CELL = (4.1, 5.2, 6.3, 90.0, 104.0, 90.0)


def test_order_of_columns_and_zero_columns_do_not_matter():
    crystals = one({"Fe": 4, "O": 6, "Li": 2}, 14, CELL)
    permuted = crystals.with_elements((1, 8, 92, 3, 26))
    left, right = Featuriser()(crystals), Featuriser()(permuted)
    for name, value in vars(left).items():
        assert torch.equal(value, getattr(right, name)), name


def test_elements_stand_by_rising_electronegativity():
    inputs = Featuriser()(one({"O": 6, "Li": 2, "Fe": 4}, 14, CELL))
    assert inputs.atomic_numbers.tolist() == [[3, 26, 8]]
    assert inputs.fractions[0].tolist() == pytest.approx([2 / 12, 4 / 12, 6 / 12])


def test_doubling_a_cell_changes_size_alone():
    single, double = (
        one({"Na": 1, "Cl": 1}, 1, (4, 4, 4, 90, 90, 90)),
        one({"Na": 2, "Cl": 2}, 1, (4, 4, 8, 90, 90, 90)),
    )
    left, right = Featuriser()(single), Featuriser()(double)
    assert torch.equal(left.fractions, right.fractions)
    # volume ratio and its powers, volume per atom; then everything of the composition
    same = [0, 1, 2, 3, 4, 5, *range(20, left.descriptors.shape[1])]
    assert torch.allclose(left.descriptors[:, same], right.descriptors[:, same], atol=1e-5)
    assert not torch.allclose(left.descriptors[:, 7], right.descriptors[:, 7])


def test_lattice_columns_are_the_ones_a_cell_can_change():
    left = Featuriser()(one({"Na": 4, "Cl": 4}, 14, CELL)).descriptors[0]
    right = Featuriser()(one({"Na": 4, "Cl": 4}, 14, (5.0, 4.0, 9.0, 88.0, 120.0, 93.0))).descriptors[0]
    changed = {i for i in range(len(left)) if abs(float(left[i] - right[i])) > 1e-6}
    assert changed == set(LATTICE_COLUMNS)
    assert set(EQUILIBRIUM) <= changed
    assert len(left) > N_DESCRIPTORS


@pytest.mark.parametrize("a", [1e-3, 1e4])
def test_absurd_cells_give_finite_features(a):
    inputs = Featuriser()(one({"Na": 4, "Cl": 4}, 1, (a, 1.0, a, 10.0, 170.0, 170.0)))
    assert torch.isfinite(inputs.descriptors).all()


def test_no_atoms_is_an_error():
    with pytest.raises(PropertyError, match=r"crystal 0 .* no atoms"):
        Featuriser()(one({"Na": 0}, 225, cubic(4.0)))


def test_empty_batch():
    crystals = one({"Na": 4, "Cl": 4}, 225, cubic(5.6))
    assert len(Featuriser()(crystals[:0])) == 0


def test_rows_do_not_depend_on_their_neighbours():
    wide = one({"Li": 1, "Fe": 1, "P": 1, "O": 4}, 62, (10.3, 6.0, 4.7, 90, 90, 90))
    narrow = one({"Na": 4, "Cl": 4}, 225, cubic(5.6))
    both = Featuriser()(Crystals.concatenate([narrow, wide]))
    alone = Featuriser()(narrow)
    assert torch.allclose(both.descriptors[:1], alone.descriptors, atol=1e-6)
    assert both.atomic_numbers[0].tolist() == [11, 17, 0, 0]


def test_composition_without_structure_is_the_same_for_all_its_crystals():
    usual = torch.zeros(N_DESCRIPTORS + 4 * 26)
    salt, other = one({"Na": 4, "Cl": 4}, 225, cubic(5.6)), one({"Na": 2, "Cl": 2}, 14, CELL)
    left, right = (Featuriser()(crystals).without_structure(usual) for crystals in (salt, other))
    for name, value in vars(left).items():
        if name != "lattice":
            assert torch.allclose(value, getattr(right, name), atol=1e-6), name
    assert left.space_group.tolist() == [0]


def test_descriptors_of_another_volume():
    small, large = (Featuriser()(one({"Na": 4, "Cl": 4}, 225, cubic(a))) for a in (5.2, 6.1))
    moved = small.with_volume(large.descriptors[:, 0] / 2)
    assert torch.allclose(moved.descriptors, large.descriptors, atol=1e-5)
