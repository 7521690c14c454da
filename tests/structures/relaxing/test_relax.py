"""Relaxation: known minima come back, the group is kept or left and both are said, and no crystal raises."""

import math

import numpy as np
import pytest
from ase.calculators.calculator import Calculator
from ase.calculators.emt import EMT
from ase.calculators.lj import LennardJones
from pymatgen.core import Lattice, Structure

from crystalgfn.crystallography.symmetry.search import find_group
from crystalgfn.structures.relaxing import relax as module
from crystalgfn.structures.relaxing import volumes
from crystalgfn.structures.relaxing.potentials.calculator import CalculatorPotential
from crystalgfn.structures.relaxing.potentials.registry import load_potential
from crystalgfn.structures.relaxing.relax import prerelax, relax
from crystalgfn.structures.relaxing.relaxation import Schedule
from crystalgfn.structures.relaxing.volumes import prescan, scaled

FCC = Structure.from_spacegroup("Fm-3m", Lattice.cubic(3.6), ["Cu"], [[0, 0, 0]]).get_primitive_structure()
HCP = Structure.from_spacegroup("P6_3/mmc", Lattice.hexagonal(2.5, 4.6), ["Cu"], [[1 / 3, 2 / 3, 0.25]])


@pytest.fixture(scope="module")
def emt():
    return CalculatorPotential("emt", EMT())


class Broken(Calculator):
    """Fails in the way that is asked for."""

    implemented_properties = ("energy", "forces", "stress")

    def __init__(self, kind, after=0):
        super().__init__()
        self.kind, self.left = kind, after

    def calculate(self, atoms=None, properties=("energy",), system_changes=()):
        super().calculate(atoms, properties, system_changes)
        self.left -= 1
        bad = self.left < 0
        if bad and self.kind == "raise":
            raise ValueError("structure has isolated atoms")
        energy = math.nan if bad and self.kind == "nan" else -1.0
        stress = np.zeros(6)
        stress[:3] = -1.0 if self.kind == "grow" else 0.0
        self.results = {"energy": energy, "forces": np.zeros((len(atoms), 3)) + 0.0, "stress": stress}
        if self.kind == "slow":
            self.results["stress"][:3] = -0.03


def broken(kind, after=0):
    return CalculatorPotential(kind, Broken(kind, after))


@pytest.mark.parametrize("volume", [0.6, 1.0, 1.8])
@pytest.mark.parametrize("start", [FCC, HCP], ids=["fcc", "hcp"])
def test_the_minimum_is_found_from_any_volume(emt, start, volume):
    result = relax(scaled(start, volume), emt, seed=0)
    assert result.ok
    assert result.converged
    assert result.space_group == result.space_group_initial == find_group(start, 0.01)
    assert result.structure.volume / len(start) == pytest.approx(11.5, rel=0.03)  # EMT copper: a = 3.58 A
    assert result.energy == pytest.approx(-0.0, abs=0.02)
    assert result.volume_change == pytest.approx(result.structure.volume / (start.volume * volume) - 1)
    assert abs(result.relaxation_volume_change) < 0.1
    assert result.distance_ratio == pytest.approx(2.53 / 2.64, rel=0.02)


def test_symmetry_is_kept_with_it_and_left_without_it(emt):
    # simple cubic copper is a saddle: with its symmetry it stays, without it falls to close packing
    cubic = Structure(Lattice.cubic(2.4), ["Cu"], [[0, 0, 0]])
    big = cubic * (2, 2, 2)
    result = relax(big, emt, seed=1, schedule=Schedule(free_steps=200))
    assert result.symmetric.space_group == 221
    assert result.free.energy < result.symmetric.energy - 0.1
    assert result.chosen == "free"
    assert result.space_group != 221
    assert result.energy == result.free.energy
    assert result.symmetric.energy > result.free.energy


def test_primitive_cells_keep_their_group_and_their_size():
    potential = CalculatorPotential("lj", LennardJones(sigma=2.4, epsilon=0.2, rc=8.0))
    rutile = Structure.from_spacegroup(
        "P4_2/mnm", Lattice.tetragonal(5.1, 3.2), ["Ti", "O"], [[0, 0, 0], [0.3, 0.3, 0]]
    )
    body = Structure.from_spacegroup("I4/mmm", Lattice.tetragonal(3.0, 7.5), ["Ti", "O"], [[0, 0, 0], [0, 0, 0.35]])
    rhombohedral = Structure.from_spacegroup("R-3m", Lattice.hexagonal(3, 15), ["Ti", "O"], [[0, 0, 0], [0, 0, 0.26]])
    for structure in (rutile, body, rhombohedral):
        primitive = structure.get_primitive_structure(tolerance=0.01)
        result = relax(primitive, potential, seed=0, schedule=Schedule(steps=30, free_steps=0))
        assert len(result.structure) == len(primitive)
        group = find_group(structure, 0.01)
        assert result.space_group_initial == group
        # a run may gain symmetry, never lose it
        assert result.space_group == group or result.space_group > group
        assert result.free is None


def test_the_same_seed_gives_the_same_result(emt):
    a, b = (relax(HCP, emt, seed=7) for _ in range(2))
    assert a.energy == b.energy
    assert a.free.energy == b.free.energy
    assert relax(HCP, emt, seed=8).free.energy != a.free.energy


@pytest.mark.parametrize(
    ("potential", "reason"),
    [
        (broken("raise"), "no energy at any volume"),
        (broken("nan"), "no energy at any volume"),
        (broken("raise", after=6), "isolated atoms"),
        (broken("nan", after=6), "not finite"),
        (broken("grow"), "fly apart"),
    ],
)
def test_failures_are_reasons(potential, reason):
    result = relax(FCC, potential, seed=0)
    assert not result.ok
    assert reason in result.failure


def test_the_time_limit_is_looked_at_between_steps():
    result = relax(FCC, broken("slow"), seed=0, schedule=Schedule(time_limit_s=0.0))
    assert result.failure == "time limit"
    assert math.isfinite(result.energy)
    assert result.symmetric.steps == 0


@pytest.mark.parametrize(
    "structure",
    [
        Structure(Lattice.cubic(3), ["Cu"], [[0, 0, math.nan]]),
        Structure(Lattice([[1, 0, 0], [1, 0, 0], [0, 0, 1]]), ["Cu"], [[0, 0, 0]]),
        Structure(Lattice.cubic(3), ["Cu", "Cu"], [[0, 0, 0], [0, 0, 0]]),
        Structure(Lattice.cubic(3), [], []),
        Structure(Lattice.cubic(3), ["Na"], [[0, 0, 0]]),
    ],
    ids=["nan", "flat", "on top", "empty", "unknown to the potential"],
)
def test_hostile_structures_are_reasons(emt, structure):
    result = relax(structure, emt, seed=0)
    assert result.failure
    assert result.structure is structure or result.chosen


def test_the_prescan_avoids_holes_and_follows_the_minimum_up(emt):
    class Hole:
        """Lower the nearer the atoms are."""

        name = "hole"

        def energies(self, structures):
            return np.array([s.volume for s in structures])

    factor, _ = prescan(FCC, Hole())
    assert factor == pytest.approx(volumes.VOLUME_FACTORS[0])  # 0.78 of the radii: allowed
    factor, _ = prescan(scaled(FCC, 0.3), Hole())
    ratio = volumes.distance_ratio(scaled(FCC, 0.3 * factor))
    assert volumes.MIN_DISTANCE_RATIO <= ratio < 1.1 * module.MIN_DISTANCE_RATIO
    factor, _ = prescan(scaled(FCC, 0.35), emt)
    assert factor * 0.35 == pytest.approx(11.5 / FCC.volume, rel=0.1)


def test_silicon_with_chgnet():
    pytest.importorskip("chgnet", reason="the extra 'structures' is not installed")
    silicon = Structure.from_spacegroup("Fd-3m", Lattice.cubic(5.0), ["Si"], [[0, 0, 0]]).get_primitive_structure()
    potential = load_potential("chgnet")
    result = relax(silicon, potential, seed=0)
    assert result.ok
    assert result.converged
    assert result.space_group == 227
    assert (4 * result.structure.volume) ** (1 / 3) == pytest.approx(5.47, abs=0.05)
    assert potential.formation_energy(result.structure, result.energy).value == pytest.approx(0, abs=0.15)


def test_some_steps_tell_a_good_start_from_a_bad_one_and_relaxation_goes_on_from_there(emt):
    good = prerelax(FCC, emt, steps=3)
    stretched = Structure(Lattice.tetragonal(2.4, 4.9), ["Cu"], [[0, 0, 0]])
    bad = prerelax(stretched, emt, steps=3)
    assert good.energy < bad.energy
    assert good.energy_initial == pytest.approx(float(emt.energies([FCC])[0]))
    result = relax(scaled(FCC, 1.4), emt, seed=0, prerelaxed=prerelax(scaled(FCC, 1.4), emt, steps=3))
    assert result.converged
    assert result.structure.volume == pytest.approx(11.5, rel=0.03)
    assert result.volume_change == pytest.approx(11.5 / (1.4 * FCC.volume) - 1, abs=0.03)
    assert abs(result.relaxation_volume_change) < 0.05


@pytest.mark.parametrize("kind", ["raise", "nan"])
def test_a_start_that_fails_is_the_last(kind):
    start = prerelax(FCC, broken(kind), steps=3)
    assert start.energy == math.inf
    assert relax(FCC, broken(kind), seed=0, prerelaxed=start).failure
