"""Hard bounds on cells: every decoded cell holds them, every cell that holds them is decoded from somewhere."""

from __future__ import annotations

from math import exp, log

import numpy as np
import pytest
import torch
from pymatgen.core import Lattice

from crystalgfn.crystallography.lattices import (
    angle_factor,
    cell_volume,
    hexagonal_to_rhombohedral,
    rhombohedral_to_hexagonal,
)
from crystalgfn.errors import ConstraintError
from crystalgfn.spaces.constraints.lattice_bounds import LatticeBounds
from crystalgfn.spaces.lattice import FREE, RHOMBOHEDRAL, CellContents
from crystalgfn.spaces.lattice_angles import AngleRange
from crystalgfn.spaces.lattice_box import BoxLattice
from crystalgfn.spaces.lattice_volume import VolumeLattice

SEEDS = range(18)


def random_bounds(seed, *, volume=True):
    """Any subset of the bounds, from loose to so tight that little is left."""
    rng = np.random.default_rng(seed)

    def interval(low, high, widest):
        least = rng.uniform(low, high)
        return least, least * rng.uniform(1.05, widest)

    wanted = rng.random(5) < 0.6
    low = rng.choice([30.0, 60.0, 70.0, 90.0])
    return LatticeBounds(
        lengths=interval(2, 6, 6) if wanted[0] else None,
        angles=(low, low + rng.choice([25.0, 35.0, 60.0])) if wanted[1] else None,
        volume_per_atom=interval(6, 25, 3) if wanted[2] and volume else None,
        density=interval(1, 8, 5) if wanted[3] and volume else None,
        longest_over_shortest=rng.uniform(1.05, 6) if wanted[4] else None,
    )


def random_contents(size, generator):
    n_atoms = torch.randint(1, 60, (size,), generator=generator)
    volume, mass = (
        n_atoms * (low + wide * torch.rand(size, dtype=torch.float64, generator=generator))
        for low, wide in ((8, 20), (10, 80))
    )
    return CellContents(n_atoms, volume, mass)


def possible_rows(decoder, size, seed):
    """u, systems and contents for which the decoder promises a cell."""
    generator = torch.Generator().manual_seed(seed)
    system, contents = torch.arange(size) % 8 + 1, random_contents(size, generator)
    u = torch.rand(size, 6, dtype=torch.float64, generator=generator)
    mean = (contents.mass / contents.n_atoms).tolist()
    promised = [
        decoder.possible(s, n, (m, m)) for s, n, m in zip(system.tolist(), contents.n_atoms.tolist(), mean, strict=True)
    ]
    rows = torch.tensor(promised).nonzero().squeeze(1)
    return u[rows], system[rows], contents[rows]


def check_bounds(lattice, contents, bounds):
    """Judge cells by arithmetic of their own: pymatgen's volume, and nothing of the decoder's."""
    cells = lattice.numpy()
    lengths, angles = cells[:, :3], cells[:, 3:]
    volume = np.array([Lattice.from_parameters(*cell).volume for cell in cells])
    if bounds.lengths:
        assert ((lengths >= bounds.lengths[0]) & (lengths <= bounds.lengths[1])).all()
    if bounds.angles:
        assert ((angles >= bounds.angles[0]) & (angles <= bounds.angles[1])).all()
    if bounds.longest_over_shortest:
        assert (lengths.max(1) / lengths.min(1) <= bounds.longest_over_shortest).all()
    for limits, values in (
        (bounds.volume_per_atom, volume / contents.n_atoms.numpy()),
        (bounds.density, contents.mass.numpy() * 1.66053906660 / volume),
    ):
        if limits:
            assert (values >= limits[0] * (1 - 1e-9)).all()
            assert (values <= limits[1] * (1 + 1e-9)).all()


def decoders(seed):
    yield VolumeLattice(bounds=random_bounds(seed))
    try:
        yield BoxLattice(
            (0.9, 100.0), (50.0, 140.0) if seed % 2 else (60.0, 110.0), bounds=random_bounds(seed, volume=False)
        )
    except ConstraintError as error:  # the wider range of angles can be cut so that no gamma closes some cells
        assert "closes" in str(error)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_cell_holds_every_bound(seed):
    for decoder in decoders(seed):
        u, system, contents = possible_rows(decoder, 1600, seed)
        for point in (u, u.round(), u.round() * (1 - 2e-9) + 1e-9, u**6, 1 - u**6):
            lattice = decoder.decode(point, system, contents)
            assert torch.isfinite(lattice).all()
            check_bounds(lattice, contents, decoder.bounds)


@pytest.mark.parametrize("seed", SEEDS)
def test_encoding_inverts_decoding_within_bounds(seed):
    for decoder in decoders(seed):
        u, system, contents = possible_rows(decoder, 1600, seed)
        lattice = decoder.decode(u, system, contents)
        back = decoder.encode(lattice, system, contents)
        assert torch.allclose(back, torch.where(FREE[system], u, 0.0), atol=1e-6)
        assert torch.allclose(decoder.decode(back, system, contents), lattice, rtol=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_volume_element_is_the_jacobian_by_finite_differences(seed):
    for decoder in decoders(seed):
        u, system, contents = possible_rows(decoder, 160, seed)
        u = 0.1 + 0.8 * u

        def parameters(point, decoder=decoder, system=system, contents=contents):
            lattice = decoder.decode(point, system, contents)
            a, alpha = hexagonal_to_rhombohedral(lattice[:, 0], lattice[:, 2])
            primitive = torch.stack((a, a, a, alpha, alpha, alpha), 1)
            return torch.where((system == RHOMBOHEDRAL).unsqueeze(1), primitive, lattice)

        step = 1e-6 * torch.eye(6, dtype=torch.float64)
        columns = [(parameters(u + e) - parameters(u - e)) / 2e-6 for e in step]
        jacobian = torch.stack(columns, 2)
        found = decoder.log_volume_element(u, system, contents)
        for row in range(len(u)):
            free = FREE[system[row]]
            expected = torch.linalg.slogdet(jacobian[row][free][:, free])[1].item()
            assert found[row].item() == pytest.approx(expected, abs=2e-4)


def test_half_width_of_the_first_ratio_equals_brute_force():
    rng = np.random.default_rng(0)
    for _ in range(60):
        low = rng.uniform(0, 1)
        high, ratio = low + rng.uniform(0.2, 2), rng.uniform(0.1, 2)
        log_sum = rng.uniform(3 * low, 3 * high)
        decoder = VolumeLattice(bounds=LatticeBounds(lengths=(exp(low), exp(high)), longest_over_shortest=exp(ratio)))
        a, b = np.meshgrid(*(np.linspace(low, high, 801),) * 2)
        c = log_sum - a - b
        spread = np.maximum(np.maximum(a, b), c) - np.minimum(np.minimum(a, b), c)
        inside = (c >= low) & (c <= high) & (spread <= ratio)
        found = float(decoder._half_width(torch.tensor(log_sum)))
        assert found == pytest.approx(np.abs(b - a)[inside].max(initial=0), abs=3 * (high - low) / 800)
        # the longer formula, in which two terms never count
        others = (log_sum + ratio - 3 * low) / 2, (3 * high - log_sum + ratio) / 2
        assert found <= min(others) + 1e-9


def filled(system, lengths, angles):
    """Cells with the metric of their systems, from free lengths and angles; rhombohedral from a and alpha."""
    a, b, c = lengths.unbind(1)
    b, c = torch.where(system <= 3, b, a), torch.where(system == 8, a, c)
    a_h, c_h = rhombohedral_to_hexagonal(a, angles[:, 0].clamp(max=119))
    rhombohedral = system == RHOMBOHEDRAL
    a, b, c = (torch.where(rhombohedral, h, x) for h, x in ((a_h, a), (a_h, b), (c_h, c)))
    fixed = torch.full_like(angles, 90.0)
    fixed[:, 2] = torch.where((system >= 5) & (system <= 7), 120.0, 90.0)
    fixed[:, 1] = torch.where(system == 2, angles[:, 1], fixed[:, 1])
    return torch.cat((torch.stack((a, b, c), 1), torch.where((system == 1).unsqueeze(1), angles, fixed)), 1)


@pytest.mark.parametrize("kind", ["volume", "box"])
def test_every_cell_within_the_bounds_has_a_point(kind):
    """Cells drawn without the decoder, those outside the bounds thrown away: encoding finds all others in the cube."""
    bounds = {"lengths": (4.0, 9.0), "angles": (70.0, 125.0), "longest_over_shortest": 1.8}
    if kind == "volume":
        bounds = LatticeBounds(**bounds, volume_per_atom=(10.0, 30.0), density=(1.0, 9.0))
        decoder = VolumeLattice(max_axis_ratio=3.0, monoclinic=(60.0, 135.0), bounds=bounds)
        low, high = 4.0, 9.0
    else:
        bounds = LatticeBounds(**bounds)
        decoder = BoxLattice((3.5, 7.5), (60.0, 130.0), bounds=bounds)
        low, high = 3.5, 7.5
    size, generator = 200_000, torch.Generator().manual_seed(3)
    system = torch.arange(size) % 8 + 1
    lengths = low + (high - low) * torch.rand(size, 3, dtype=torch.float64, generator=generator)
    # gamma of triclinic cells keeps the decoder's own margin
    triclinic = torch.rand(size, 3, dtype=torch.float64, generator=generator)
    angles = AngleRange(70.0, 120.0 if kind == "volume" else 125.0).decode(0.001 + 0.998 * triclinic)
    angles[:, 1] = torch.where(system == 2, 70 + 55 * triclinic[:, 1], angles[:, 1])
    alphas = 60 + 59 * triclinic[:, 0]
    angles[:, 0] = torch.where(system == RHOMBOHEDRAL, alphas, angles[:, 0])
    lattice = filled(system, lengths, angles)
    n_atoms = torch.randint(4, 17, (size,), generator=generator)
    contents = CellContents(n_atoms, n_atoms * 1.0, n_atoms * 40.0)
    volume, sides = cell_volume(lattice), lattice[:, :3]
    inside = ((sides > 4) & (sides < 9)).all(1) & (sides.amax(1) < 1.8 * sides.amin(1))
    if kind == "volume":
        per_atom = volume / n_atoms
        inside &= (per_atom > 10) & (per_atom < 30)
        density = 40 * 1.66053906660 / per_atom
        inside &= (density > 1) & (density < 9)
    rows = inside.nonzero().squeeze(1)
    u = decoder.encode(lattice[rows], system[rows], contents[rows])
    assert ((u >= 0) & (u <= 1)).all()
    assert all((system[rows] == s).sum() > 100 for s in range(1, 9))
    # and the rest has none
    rest = (~inside).nonzero().squeeze(1)
    u = decoder.encode(lattice[rest], system[rest], contents[rest])
    assert not ((u >= 0) & (u <= 1)).all(1).any()


def test_cells_reach_their_bounds():
    bounds = LatticeBounds(lengths=(3, 12), angles=(70, 120), volume_per_atom=(9, 20), longest_over_shortest=2.5)
    decoder = VolumeLattice(bounds=bounds)
    grid = torch.cartesian_prod(*([torch.tensor([0.0, 0.5, 1.0], dtype=torch.float64)] * 6))
    lattice, per_atom = [], []
    for system in range(1, 9):
        for n_atoms in range(3, 230, 3):
            flattest = decoder.angles.factors(system)[0]
            assert decoder.possible(system, n_atoms, (40.0, 40.0)) == (9 * n_atoms < 12**3 * flattest)
            if not decoder.possible(system, n_atoms, (40.0, 40.0)):
                continue
            contents = CellContents(*torch.tensor([[n_atoms], [15 * n_atoms], [40 * n_atoms]]).expand(3, len(grid)))
            lattice.append(decoder.decode(grid, torch.full((len(grid),), system), contents))
            per_atom.append(cell_volume(lattice[-1]) / n_atoms)
    cells, per_atom = torch.cat(lattice), torch.cat(per_atom)
    longest, shortest = cells[:, :3].amax(1), cells[:, :3].amin(1)
    for values, low, high in (
        (cells[:, :3], 3, 12),
        (per_atom, 9, 20),
        (cells[:, 3:5], 70, 120),
        (longest / shortest, 1, 2.5),
    ):
        assert values.min().item() == pytest.approx(low, rel=1e-9)
        assert values.max().item() == pytest.approx(high, rel=1e-9)


def test_a_request_beside_the_band_of_volumes_wins_by_a_sliver():
    for density, end in (((20.0, 30.0), 20.0), ((0.1, 0.2), 0.2)):
        decoder = VolumeLattice(bounds=LatticeBounds(density=density))
        u = torch.rand(100, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        contents = CellContents(torch.full((100,), 10), torch.full((100,), 150.0), torch.full((100,), 400.0))
        lattice = decoder.decode(u, torch.arange(100) % 8 + 1, contents)
        found = 400 * 1.66053906660 / cell_volume(lattice)
        distance = torch.log(found / end).abs()
        assert distance.max() <= log(1.1) + 1e-9
        assert distance.max() > 0.9 * log(1.1)
        check_bounds(lattice, contents, decoder.bounds)


@pytest.mark.parametrize("angles", [(60, 120), (50, 150), (85, 95), (100, 120), (90, 130), (30, 80), (119, 120)])
def test_factors_bound_the_volume_of_unit_cells(angles):
    low, high = AngleRange(*angles).factors
    u = torch.rand(200_000, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    edge = torch.rand(u.shape, generator=torch.Generator().manual_seed(1)) < 0.4
    factor = angle_factor(AngleRange(*angles).decode(torch.where(edge, u.round(), u)))
    assert low <= factor.min() < 1.01 * low
    assert 0.99 * high < factor.max() <= high


def test_what_is_possible():
    def systems(bounds, n_atoms=8, mass=(40.0, 40.0)):
        decoder = VolumeLattice(bounds=LatticeBounds(**bounds))
        return [s for s in range(1, 9) if decoder.possible(s, n_atoms, mass)]

    assert systems({}) == list(range(1, 9))
    assert systems({"angles": (60, 119)}) == [1, 2, 3, 4, 8]
    assert systems({"angles": (60, 89)}) == [1]
    assert systems({"angles": (60, 90)}) == [1, 3, 4, 8]  # one beta, 90, is no range
    assert systems({"angles": (130, 150)}) == []
    assert systems({"lengths": (10, 20)}) == list(range(1, 9))  # the automatic band gives way
    assert systems({"lengths": (10, 20), "volume_per_atom": (8, 20)}) == []  # not for every triclinic angle
    assert systems({"lengths": (10, 20), "volume_per_atom": (8, 20)}, n_atoms=60) == list(range(1, 9))
    assert systems({"density": (2, 4), "volume_per_atom": (8, 40)}) == list(range(1, 9))
    assert systems({"density": (2, 4), "volume_per_atom": (8, 20)}, mass=(7.0, 40.0)) == []
    assert systems({"density": (2, 4), "lengths": (10, 12)}, n_atoms=24, mass=(40.0, 60.0)) == []
    box = BoxLattice(bounds=LatticeBounds(lengths=(3, 20), angles=(60, 110)))
    assert [s for s in range(1, 9) if box.possible(s, 1, (1.0, 1.0))] == [1, 2, 3, 4, 8]
    # hexagonal a = c at alpha = 97.2, where both are 1.5 times the primitive a
    box = BoxLattice((3.0, 5.0), (50.0, 150.0), bounds=LatticeBounds(lengths=(4.9, 5)))
    assert [s for s in range(1, 9) if box.possible(s, 1, (1.0, 1.0))] == list(range(1, 9))
    box = BoxLattice((3.5, 5.0), (50.0, 150.0), bounds=LatticeBounds(lengths=(4.9, 5)))
    assert RHOMBOHEDRAL not in [s for s in range(1, 9) if box.possible(s, 1, (1.0, 1.0))]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: LatticeBounds(lengths=(5, 5)), "lattice.lengths: found \\[5, 5\\] A"),
        (lambda: LatticeBounds(lengths=(0, 5)), "lattice.lengths"),
        (lambda: LatticeBounds(lengths=(1, float("inf"))), "finite"),
        (lambda: LatticeBounds(angles=(60, 180)), "lattice.angles"),
        (lambda: LatticeBounds(volume_per_atom=(20, 10)), "lattice.volume_per_atom"),
        (lambda: LatticeBounds(density=(float("nan"), 10)), "lattice.density"),
        (lambda: LatticeBounds(longest_over_shortest=1), "lattice.longest_over_shortest: found 1"),
        (lambda: BoxLattice(bounds=LatticeBounds(density=(1, 2))), "kind: volume.*allows"),
        (lambda: BoxLattice(bounds=LatticeBounds(volume_per_atom=(1, 2))), "kind: volume.*allows"),
        (lambda: BoxLattice((3, 9), bounds=LatticeBounds(lengths=(10, 20))), "lattice.lengths .* decoder's range"),
    ],
)
def test_impossible_bounds_are_one_clear_line(make, words):
    with pytest.raises(ConstraintError, match=words) as error:
        make()
    assert "\n" not in str(error.value)
