"""Calls on a device whose memory is full: half as many structures, until they fit."""

import pytest
import torch
from pymatgen.core import Lattice, Structure

from crystalgfn.errors import DataError, PropertyError
from crystalgfn.structures.relaxing.potentials.halving import Halving


class Device:
    """Counts atoms, and has memory for so many."""

    def __init__(self, memory):
        self.memory, self.calls = memory, []

    def __call__(self, structures):
        atoms = [len(structure) for structure in structures]
        self.calls.append(sum(atoms))
        if sum(atoms) > self.memory:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        if 5 in atoms:
            raise ValueError("five atoms")
        return atoms


def chain(atoms):
    return Structure(Lattice.orthorhombic(4 * atoms, 4, 4), ["Na"] * atoms, [[i / atoms, 0, 0] for i in range(atoms)])


def test_out_of_memory_halves_the_calls_and_loses_nothing():
    device, halving = Device(memory=20), Halving(atoms=64)
    assert halving(device, [chain(4) for _ in range(16)]) == [4] * 16
    assert device.calls[:3] == [64, 32, 16]
    assert halving.atoms == 16
    device.calls.clear()
    assert halving(device, [chain(4) for _ in range(16)]) == [4] * 16
    assert device.calls == [16] * 4  # it remembers what fits


def test_one_structure_that_does_not_fit_fails_alone_and_does_not_shrink_the_calls():
    device, halving = Device(memory=20), Halving(atoms=64)
    small, large, last = halving(device, [chain(2), chain(30), chain(3)])
    assert (small, last) == (2, 3)
    assert isinstance(large, DataError)
    assert str(large) == "30 atoms alone do not fit into the memory of the device"
    assert halving.atoms == 64


def test_any_other_failure_is_that_of_one_structure():
    device = Device(memory=100)
    found = Halving()(device, [chain(4), chain(5), chain(6)])
    assert (found[0], found[2]) == (4, 6)
    assert isinstance(found[1], ValueError)
    assert found[1].__traceback__ is None or found[1].__traceback__.tb_next is None  # which would hold tensors


def test_a_device_without_memory_ends_the_work():
    with pytest.raises(PropertyError, match=r"no memory left for a crystal of 2 atoms, allowed: .*--resume"):
        Halving()(Device(memory=1), [chain(4)])
