"""BFGS in atoms and cell: exact gradients, the minimum of ASE, and an earlier descent helps a later one."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.constraints import FixSymmetry
from ase.filters import FrechetCellFilter
from ase.optimize import BFGS

from crystalgfn.structures.relaxing.descent import Descent
from crystalgfn.structures.relaxing.freedom import within_symmetry, without_symmetry


def alloy(scale: float = 1.0) -> Atoms:
    """Copper and gold in layers, with axes and heights away from their minimum."""
    atoms = bulk("Cu", "fcc", a=3.9, cubic=True)
    atoms.symbols[:] = ["Cu", "Au", "Cu", "Au"]
    atoms.set_cell(atoms.cell.array * np.array([[1.0], [1.0], [1.15]]) * scale, scale_atoms=True)
    return atoms


def descent_of(atoms, *, symmetric, learned=None):
    atoms.calc = EMT()
    cell, positions = atoms.cell.array.copy(), atoms.positions.copy()
    free = (
        within_symmetry(cell, positions, atoms.numbers, symprec=0.01)
        if symmetric
        else without_symmetry(cell, positions)
    )
    return Descent(atoms, free, learned=learned)


def run(atoms, *, symmetric, learned=None, steps=200, fmax=0.005):
    descent = descent_of(atoms, symmetric=symmetric, learned=learned)
    for state in descent.states(steps):
        if state.largest < fmax:
            break
    return state, descent


@pytest.mark.parametrize("symmetric", [True, False])
def test_the_minimum_is_that_of_ase_in_fewer_steps(symmetric):
    rng = np.random.default_rng(0)
    atoms = alloy()
    if not symmetric:
        atoms.positions += rng.normal(scale=0.1, size=(4, 3))
    theirs = atoms.copy()
    if symmetric:
        theirs.set_constraint(FixSymmetry(theirs, symprec=0.01))
    theirs.calc = EMT()
    optimizer = BFGS(FrechetCellFilter(theirs), logfile=None)
    optimizer.run(fmax=0.005, steps=300)
    state, _ = run(atoms, symmetric=symmetric)
    assert state.largest < 0.005
    assert state.energy == pytest.approx(theirs.get_potential_energy() / 4, abs=2e-4)
    assert state.steps <= optimizer.nsteps


def test_the_largest_force_is_that_of_atoms_and_cell():
    atoms = alloy()
    atoms.positions[0] += 0.2
    state = next(descent_of(atoms, symmetric=False).states(0))
    forces = np.sqrt((atoms.get_forces() ** 2).sum(axis=1))
    virial = np.sqrt((atoms.get_stress(voigt=False) ** 2).sum(axis=1)) * atoms.get_volume() / 4
    assert state.largest == pytest.approx(max(forces.max(), virial.max()), rel=1e-9)
    assert state.energy == pytest.approx(atoms.get_potential_energy() / 4)


@pytest.mark.parametrize("direction", [0, 5, 11, 14])
def test_gradients_are_differences_of_energies(direction):
    atoms = alloy(1.05)
    atoms.positions[1] += [0.1, -0.05, 0.2]
    descent = descent_of(atoms, symmetric=False)
    states = descent.states(2)
    next(states), next(states)
    gradient, here = descent.gradient[direction], (atoms.cell.array.copy(), atoms.positions.copy())
    move = descent.freedom.directions[direction]
    energies = []
    for sign in (1, -1):
        strain = np.eye(3) + sign * 1e-4 * move[-9:].reshape(3, 3)
        atoms.set_cell(here[0] @ strain)
        shift = move[:-9].reshape(-1, 3) @ descent.deformation
        atoms.set_positions((here[1] + sign * 1e-4 * shift) @ strain)
        energies.append(atoms.get_potential_energy())
    assert gradient == pytest.approx((energies[0] - energies[1]) / 2e-4, abs=2e-4)


def test_what_was_learned_saves_steps():
    atoms = alloy()
    first, descent = run(atoms, symmetric=True, steps=6, fmax=0.0)
    assert first.steps == 6
    rng = np.random.default_rng(1)
    again = atoms.copy()
    again.positions += rng.normal(scale=0.03, size=(4, 3))
    with_it, _ = run(again.copy(), symmetric=False, learned=descent.learned)
    without, _ = run(again.copy(), symmetric=False)
    assert with_it.energy == pytest.approx(without.energy, abs=2e-4)
    assert with_it.steps <= without.steps
