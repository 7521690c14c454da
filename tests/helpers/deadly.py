"""An ASE calculator that kills its process when it meets lithium: what a crash in a library looks like."""

import os

from ase.calculators.lj import LennardJones


class Deadly(LennardJones):
    def calculate(self, atoms=None, properties=("energy",), system_changes=()):
        if 3 in atoms.numbers:
            os._exit(9)
        super().calculate(atoms, properties, system_changes)


def make():
    return Deadly(sigma=1.9, epsilon=0.5, rc=8.0)
