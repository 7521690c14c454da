"""Lattice decoders: bijections onto cells that exist, with the bounds and volume elements they state."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from crystalgfn.crystallography.lattices import (
    cell_volume,
    hexagonal_to_rhombohedral,
    is_valid_cell,
    satisfies_lattice_system,
)
from crystalgfn.errors import ConstraintError
from crystalgfn.spaces.constraints.lattice_bounds import LatticeBounds
from crystalgfn.spaces.lattice import CUBIC, FREE, HEXAGONAL, RHOMBOHEDRAL, TRICLINIC, CellContents
from crystalgfn.spaces.lattice_box import BoxLattice
from crystalgfn.spaces.lattice_volume import VolumeLattice

DECODERS = {
    "box": BoxLattice(),
    "narrow box": BoxLattice((10.0, 20.0), (75.0, 135.0), monoclinic=(90.0, 120.0)),
    "acute box": BoxLattice((2.0, 9.0), (30.0, 80.0)),
    "volume": VolumeLattice(),
    "tight volume": VolumeLattice((0.9, 1.1), 2.0, (85.0, 95.0), (90.0, 100.0)),
    "bounded box": BoxLattice(bounds=LatticeBounds(lengths=(3, 20), angles=(60, 120), longest_over_shortest=4)),
    # the band of volumes is partly within, partly beside what these leave
    "bounded volume": VolumeLattice(bounds=LatticeBounds(lengths=(3, 20), angles=(65, 115), longest_over_shortest=5)),
    "dense volume": VolumeLattice(bounds=LatticeBounds(density=(2, 4))),
}

FROZEN = {
    "volume": [
        [4.1896513199, 14.0350718001, 2.8570394729, 114.0, 84.0, 98.7],
        [4.11635488636, 13.7895332985, 2.80705660133, 90.0, 108.0, 90.0],
        [4.04807221752, 13.5607905973, 2.76049275502, 90.0, 90.0, 90.0],
        [8.53141207259, 8.53141207259, 2.08198710237, 90.0, 90.0, 90.0],
        [3.26823600561, 3.26823600561, 16.3818302321, 90.0, 90.0, 120.0],
        [8.95043291761, 8.95043291761, 2.18424403094, 90.0, 90.0, 120.0],
        [8.95043291761, 8.95043291761, 2.18424403094, 90.0, 90.0, 120.0],
        [5.33138391916, 5.33138391916, 5.33138391916, 90.0, 90.0, 90.0],
    ],
    "box": [
        [30.63, 80.18, 15.765, 140.0, 90.0, 101.7],
        [30.63, 80.18, 15.765, 90.0, 90.0, 90.0],
        [30.63, 80.18, 15.765, 90.0, 90.0, 90.0],
        [30.63, 30.63, 15.765, 90.0, 90.0, 90.0],
        [50.8167164894, 50.8167164894, 26.3961375149, 90.0, 90.0, 120.0],
        [30.63, 30.63, 15.765, 90.0, 90.0, 120.0],
        [30.63, 30.63, 15.765, 90.0, 90.0, 120.0],
        [30.63, 30.63, 30.63, 90.0, 90.0, 90.0],
    ],
}
"""Cells of systems 1..8 at one point, with 200 A^3 estimated: trained weights are of these numbers."""


def batch(size, seed=0):
    """Random u, systems and contents."""
    generator = torch.Generator().manual_seed(seed)
    u = torch.rand(size, 6, dtype=torch.float64, generator=generator)
    system = torch.arange(size) % 8 + 1
    n_atoms = torch.randint(1, 200, (size,), generator=generator)
    volume = n_atoms * (5 + 30 * torch.rand(size, dtype=torch.float64, generator=generator))
    return u, system, CellContents(n_atoms, volume, n_atoms * 40.0)


@pytest.fixture(params=DECODERS, ids=str)
def decoder(request):
    return DECODERS[request.param]


def test_free_parameters_of_each_system():
    assert FREE.sum(1).tolist()[1:] == [6, 4, 3, 2, 2, 2, 2, 1]
    assert not FREE[0].any()


@pytest.mark.parametrize("name", FROZEN)
def test_cells_without_bounds_are_those_that_weights_were_trained_with(name):
    u = torch.tensor([[0.3, 0.8, 0.15, 0.9, 0.4, 0.65]], dtype=torch.float64).expand(8, 6)
    contents = CellContents(torch.full((8,), 12), torch.full((8,), 200.0), torch.full((8,), 500.0))
    lattice = DECODERS[name].decode(u, torch.arange(1, 9), contents)
    assert torch.allclose(lattice, torch.tensor(FROZEN[name], dtype=torch.float64), rtol=1e-11)


def test_decoded_cells_exist_and_have_the_metric_of_their_system(decoder):
    u, system, contents = batch(4000)
    lattice = decoder.decode(u, system, contents)
    assert lattice.dtype == torch.float64
    assert is_valid_cell(lattice).all()
    assert satisfies_lattice_system(lattice, system).all()


@settings(max_examples=200)
@given(
    name=st.sampled_from(sorted(DECODERS)),
    system=st.integers(1, 8),
    u=st.lists(
        st.sampled_from([0.0, 1e-12, 1e-6, 0.5, 1 - 1e-6, 1 - 1e-12, 1.0]) | st.floats(0, 1), min_size=6, max_size=6
    ),
    n_atoms=st.integers(1, 400),
)
def test_extreme_points_decode_to_cells_that_exist(name, system, u, n_atoms):
    system = torch.tensor([system])
    point = torch.tensor([u], dtype=torch.float64)
    contents = CellContents(*torch.tensor([[n_atoms], [17 * n_atoms], [40 * n_atoms]]))
    lattice = DECODERS[name].decode(point, system, contents)
    assert torch.isfinite(lattice).all()
    assert is_valid_cell(lattice).all()
    assert cell_volume(lattice).item() > 1e-3 * lattice[0, :3].prod().item()
    assert satisfies_lattice_system(lattice, system).all()


def test_encoding_inverts_decoding(decoder):
    u, system, contents = batch(4000)
    free = FREE[system]
    lattice = decoder.decode(u, system, contents)
    back = decoder.encode(lattice, system, contents)
    assert torch.allclose(back, torch.where(free, u, 0.0), atol=1e-8)
    assert torch.allclose(decoder.decode(back, system, contents), lattice, rtol=1e-9)


def test_cells_outside_the_space_are_encoded_outside_the_cube(decoder):
    u, system, contents = batch(800)
    free = FREE[system]
    # move one free slot out on either side: decoding extrapolates where it can, and encoding must say so
    for outside in (-0.05, 1.05):
        moved = torch.where(torch.arange(6) == free.int().argmax(1, keepdim=True), outside, u)
        back = decoder.encode(decoder.decode(moved, system, contents), system, contents)
        assert ((back < 0) | (back > 1)).any(1).all()


def test_slots_that_are_not_free_do_not_matter(decoder):
    u, system, contents = batch(800)
    other = torch.where(FREE[system], u, 1 - u)
    assert torch.equal(decoder.decode(u, system, contents), decoder.decode(other, system, contents))


@pytest.mark.parametrize("system", range(1, 9))
def test_volume_element_equals_the_jacobian_by_autograd(decoder, system):
    u, _, contents = batch(12, seed=system)
    systems = torch.full((12,), system)
    free = FREE[system]
    found = decoder.log_volume_element(u, systems, contents)
    for row in range(12):
        one = slice(row, row + 1)

        def parameters(point, one=one):
            lattice = decoder.decode(point[None], systems[one], contents[one])[0]
            if system == RHOMBOHEDRAL:
                a, alpha = hexagonal_to_rhombohedral(lattice[:1], lattice[2:3])
                return torch.cat((a, alpha))
            return lattice[free]

        jacobian = torch.autograd.functional.jacobian(parameters, u[row])[:, free]
        assert torch.linalg.slogdet(jacobian)[1].item() == pytest.approx(
            found[row].item(), abs=1e-5
        )  # float32 constants


@pytest.mark.parametrize("system", range(1, 9))
def test_lebesgue_measure_integrates_to_the_volume_of_the_box(system):
    box = BoxLattice((2.0, 9.0), (70.0, 110.0))
    u, _, contents = batch(200_000 if system == TRICLINIC else 100)
    systems = torch.full((len(u),), system)
    integral = torch.exp(box.log_volume_element(u, systems, contents)).mean().item()
    lengths, angles = 7.0 ** int(FREE[system, :3].sum()), 40.0 ** int(FREE[system, 3:].sum())
    if system == TRICLINIC:  # gamma keeps a margin from the angles that close no cell
        assert integral < lengths * angles
        assert integral > 0.9 * lengths * angles
    else:
        assert integral == pytest.approx(lengths * angles, rel=1e-5)


def test_box_covers_its_bounds():
    box = BoxLattice((2.0, 9.0), (60.0, 110.0))
    u, system, contents = batch(4000)
    lattice = box.decode(u, system, contents)
    primitive = system == RHOMBOHEDRAL
    a, alpha = hexagonal_to_rhombohedral(lattice[primitive, 0], lattice[primitive, 2])
    for values, low, high in ((lattice[~primitive, :3], 2, 9), (a, 2, 9), (alpha, 60, 110)):
        assert low <= values.min() < low + 0.03 * (high - low)
        assert high - 0.03 * (high - low) < values.max() <= high
    triclinic = lattice[system == TRICLINIC, 3:]
    assert (triclinic >= 60).all()
    assert (triclinic <= 110).all()


def test_volumes_and_axes_stay_in_their_bounds():
    decoder = VolumeLattice((0.55, 1.6), 7.5)
    u, system, contents = batch(20_000)
    u[:400] = u[:400].round()
    lattice = decoder.decode(u, system, contents)
    ratio = cell_volume(lattice) / contents.volume
    assert ratio.min() >= 0.55 * (1 - 1e-9)
    assert ratio.max() <= 1.6 * (1 + 1e-9)
    assert torch.allclose(ratio, 0.55 * (1.6 / 0.55) ** u[:, 0], rtol=1e-9)
    longest = lattice[:, :3].max(1).values / lattice[:, :3].min(1).values
    assert longest.max() <= 7.5 * (1 + 1e-9)
    assert longest[system != CUBIC].max() > 7.3


def test_rhombohedral_cells_are_three_primitive_cells():
    box = BoxLattice()
    u, _, contents = batch(500)
    system = torch.full((500,), RHOMBOHEDRAL)
    lattice = box.decode(u, system, contents)
    a, alpha = 0.9 + 99.1 * u[:, 0], 50 + 69 * u[:, 3]
    primitive = torch.stack((a, a, a, alpha, alpha, alpha), 1)
    assert torch.allclose(cell_volume(lattice), 3 * cell_volume(primitive), rtol=1e-9)
    assert (lattice[:, 5] == 120).all()
    hexagonal = torch.full((500,), HEXAGONAL)
    assert satisfies_lattice_system(lattice, hexagonal).all()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: BoxLattice((5.0, 2.0)), "lengths"),
        (lambda: BoxLattice((0.0, 2.0)), "lengths"),
        (lambda: BoxLattice(angles=(50.0, 170.0)), "angles"),
        (lambda: BoxLattice(angles=(120.0, 119.0)), "angles"),
        (lambda: BoxLattice((1.0, 2.0), (119.5, 119.9)), "120|119"),
        (lambda: VolumeLattice((1.6, 0.5)), "volume"),
        (lambda: VolumeLattice((0.0, 0.5)), "volume"),
        (lambda: VolumeLattice(max_axis_ratio=1.0), "max_axis_ratio"),
        (lambda: VolumeLattice(angles=(60.0, 175.0)), "angles"),
    ],
)
def test_impossible_bounds_are_one_clear_line(make, words):
    with pytest.raises(ConstraintError, match=words) as error:
        make()
    assert "\n" not in str(error.value)
    assert "allowed" in str(error.value) or "need" in str(error.value)
