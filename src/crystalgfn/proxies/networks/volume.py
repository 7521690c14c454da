"""The volume-aware network: the energy of the relaxed crystal plus the cost of the given cell.

    E(x) = E_relaxed(space group, composition) + E_strain(space group, composition, lattice),   E_strain >= 0

The first part never sees the lattice, so strained copies cannot blur it, and no choice of cell can undercut it. The
second is the network of :mod:`crystalgfn.proxies.networks.cell`. The parts share no weights and are trained
one after the other: strain energies are ten times larger and would take over shared layers.
"""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from crystalgfn.proxies.networks.base import NetworkConfig, ProxyNetwork
from crystalgfn.proxies.networks.cell import CellNetwork
from crystalgfn.proxies.networks.inputs import Inputs
from crystalgfn.proxies.networks.sets import SetNetwork
from crystalgfn.proxies.networks.terms import Terms

DOUBTFUL_STRAIN = 0.05
"""eV/atom; smaller strain energies are mostly errors of the expected cell."""

STRAIN_DOUBT = 0.2
"""Standard deviation, eV/atom, of a strain energy of 1 eV/atom; it grows with the square root. The spread of the
members cannot show it, since they share one network of the cell. Set on copies of every second test formula, so that
two thirds (66.7 %) lie within one deviation; 67.7 % of the others do: benchmarks/uncertainty.py."""


class VolumeNetwork(ProxyNetwork):
    """Relaxed energy of M members plus the mean strain energy of the cell network; see the module's docstring.

    Strains s far below :data:`DOUBTFUL_STRAIN` are taken for zero: s^2 / (s + DOUBTFUL_STRAIN) is added.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)
        self.relaxed = SetNetwork(replace(config, kind="set", blind=True))
        self.cell = CellNetwork(cell_config(config))

    @classmethod
    def join(cls, relaxed: SetNetwork, cell: CellNetwork) -> VolumeNetwork:
        """Join two trained networks into one.

        Args:
            relaxed: a blind network of M members.
            cell: the network of the cell; its sizes become ``cell_members``, ``cell_hidden`` and ``cell_blocks``.
        """
        sizes = cell.config
        network = cls(
            replace(
                relaxed.config,
                kind="volume",
                cell_members=sizes.members,
                cell_hidden=sizes.hidden,
                cell_blocks=sizes.blocks,
            )
        )
        network.relaxed, network.cell = relaxed, cell
        return network

    def tables(self) -> tuple[Tensor, ...]:
        """Return the tables of the relaxed network, then those of the cell network."""
        return (*self.relaxed.tables(), *self.cell.tables())

    def terms(self, inputs: Inputs, tables: tuple[Tensor, ...]) -> Terms:
        """Return the energy (M, B), and the expected cell (M', B, 7) of the cell network's members."""
        relaxed, cell = self.parts(inputs, tables)
        strain = cell.energy.mean(0)
        strain = strain * strain / (strain + DOUBTFUL_STRAIN)
        return Terms(relaxed + strain, cell.equilibrium, doubt=STRAIN_DOUBT * strain.sqrt())

    def parts(self, inputs: Inputs, tables: tuple[Tensor, ...]) -> tuple[Tensor, Terms]:
        """Return the relaxed energy (M, B) and the terms of the cell network (M', B), eV/atom."""
        half = len(tables) // 2
        return self.relaxed.terms(inputs, tables[:half]).energy, self.cell.terms(inputs, tables[half:])


def cell_config(config: NetworkConfig) -> NetworkConfig:
    """Return the sizes of the cell network inside a ``"volume"`` network."""
    sizes = replace(config, members=config.cell_members, hidden=config.cell_hidden, blocks=config.cell_blocks)
    return replace(sizes, kind="cell", blind=False, reach=NetworkConfig.reach)
