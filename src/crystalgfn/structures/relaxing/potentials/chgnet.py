"""CHGNet 0.3.0 (Deng et al., Nat. Mach. Intell. 5, 1031 (2023), arXiv:2302.14231), whose weights are in its wheel.

Nothing is fetched. Its energies are on the scale of the Materials Project's 2020 corrections.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from crystalgfn.crystallography.elements import COVALENT_RADIUS
from crystalgfn.errors import PropertyError
from crystalgfn.structures.quiet import quiet
from crystalgfn.structures.relaxing.potentials.batched import BatchedPotential
from crystalgfn.structures.relaxing.potentials.batcher import Batcher
from crystalgfn.structures.relaxing.potentials.calculator import CalculatorPotential, point_calculator
from crystalgfn.structures.relaxing.potentials.references import FormationEnergy, References
from crystalgfn.structures.relaxing.relaxation import SinglePoint

if TYPE_CHECKING:
    from pymatgen.core import Structure

BATCH = 16
"""Structures in each call of the energy-only prediction on the CPU."""

WALL_RATIO, WALL_HEIGHT = 0.65, 100.0
"""Distance over the sum of covalent radii at which the wall begins, and its energy (eV) for a pair at distance 0.

CHGNet has no dependable repulsive wall: atoms 0.1 A apart came out of relaxations with ordinary energies. The wall
is a parabola that 0.17 % of real crystals reach, and is under 0.6 eV high where the check of distances begins to fail;
it keeps atoms apart in relaxations.
"""


class CHGNet:
    """The network with the weights of its wheel; a :class:`~.batched.Model`.

    Args:
        device: ``"cpu"`` or ``"cuda"``.

    Raises:
        PropertyError: chgnet is not installed.
    """

    def __init__(self, device: str = "cpu") -> None:
        try:
            from chgnet.model import CHGNet as Network
        except ImportError:
            raise PropertyError("chgnet is not installed: pip install 'crystalgfn[structures]'") from None
        self._device = device
        with quiet():
            self._network = Network.load(use_device=device, verbose=False).requires_grad_(False).eval()
        # a crystal whose atoms fly apart is an error, not a warning: relaxation records it
        self._network.graph_converter.set_isolated_atom_response("error")

    def energies(self, structures: Sequence[Structure]) -> NDArray[np.float64]:
        """Return total energies (B,), eV/atom."""
        import torch

        with quiet(), torch.no_grad():
            graphs = self._graphs(structures)
            per_atom = self._network(graphs, task="e")["e"]
            walls = torch.stack(
                [_wall(g, g.atom_frac_coord @ g.lattice, g.lattice) / len(g.atomic_number) for g in graphs]
            )
        energies: NDArray[np.float64] = (per_atom + walls).double().cpu().numpy()
        return energies

    def points(self, structures: Sequence[Structure]) -> list[SinglePoint]:
        """Return energy, forces and stress of each of B structures.

        The calculator of the chgnet package goes back through the network twice, once for forces and once for the
        stress, and keeps what a third pass would need; this goes back once, in about half the time.
        """
        import torch
        from chgnet.model.model import BatchedGraph

        network, graphs = self._network, self._graphs(structures)
        batch = BatchedGraph.from_graphs(
            graphs, network.bond_basis_expansion, network.angle_basis_expansion, compute_stress=True
        )
        per_atom = network._compute(batch)["e"] + network.composition_model(graphs)
        identity = torch.eye(3, device=self._device)
        energies = [
            energy * len(graph.atomic_number) + _wall(graph, positions, graph.lattice @ (identity + strain))
            for energy, graph, positions, strain in zip(
                per_atom, graphs, batch.atom_positions, batch.strains, strict=True
            )
        ]
        slopes = torch.autograd.grad(energies, [*batch.atom_positions, *batch.strains])
        return [
            SinglePoint(float(energy), -to_positions.cpu().numpy(), to_strain.cpu().numpy() / structure.lattice.volume)
            for energy, to_positions, to_strain, structure in zip(
                energies, slopes[: len(graphs)], slopes[len(graphs) :], structures, strict=True
            )
        ]

    def _graphs(self, structures: Sequence[Structure]) -> list[Any]:
        graphs = [self._network.graph_converter(structure) for structure in structures]
        return graphs if self._device == "cpu" else [graph.to(self._device) for graph in graphs]


class CHGNetPotential(CalculatorPotential):
    """CHGNet on the CPU; energies in batches.

    Args:
        references: elemental references; the shipped ones by default.

    Raises:
        PropertyError: chgnet is not installed.
    """

    def __init__(self, references: References | None = None) -> None:
        self._model = CHGNet()
        super().__init__("chgnet", point_calculator(lambda structure: self._model.points([structure])[0]), references)

    def energies(self, structures: Sequence[Structure]) -> NDArray[np.float64]:
        """Return total energies (B,), eV/atom, in batches; NaN for a structure that CHGNet refuses."""
        out = np.full(len(structures), np.nan)
        # structures of similar size share a batch, which takes time by its atoms and fails as a whole
        order = np.argsort([len(structure) for structure in structures], kind="stable")
        for start in range(0, len(order), BATCH):
            self._fill(out, structures, order[start : start + BATCH])
        return out

    def formation_energy(self, structure: Structure, energy: float) -> FormationEnergy:
        """Return the formation energy (eV/atom) with CHGNet's fitted references."""
        if self._references is None:
            self._references = References.builtin("chgnet")
        return super().formation_energy(structure, energy)

    def _fill(self, out: NDArray[np.float64], structures: Sequence[Structure], rows: NDArray[Any]) -> None:
        try:
            out[rows] = self._model.energies([structures[i] for i in rows])
        except Exception:  # isolated atoms, singular cells, unknown elements: whatever fails, it is one structure
            if len(rows) > 1:
                half = len(rows) // 2
                self._fill(out, structures, rows[:half])
                self._fill(out, structures, rows[half:])


def batched_chgnet(references: References | None, batcher: Batcher) -> BatchedPotential:
    """Return CHGNet on the device of a batcher.

    Raises:
        PropertyError: chgnet is not installed.
    """
    return BatchedPotential("chgnet", CHGNet(batcher.device), batcher, references or References.builtin("chgnet"))


def _wall(graph: Any, positions: Any, lattice: Any) -> Any:
    """Energy (eV) of pairs of atoms nearer than the wall allows; Cartesian positions (N, 3) and lattice (3, 3), A."""
    import torch

    first, second = graph.atom_graph[:, 0].long(), graph.atom_graph[:, 1].long()
    radii = torch.tensor(COVALENT_RADIUS, dtype=positions.dtype, device=positions.device)[graph.atomic_number.long()]
    away = positions[second] + graph.neighbor_image.to(positions.dtype) @ lattice - positions[first]
    distance = away.square().sum(1).clamp(min=1e-8).sqrt()
    inside = torch.relu(1 - distance / (WALL_RATIO * (radii[first] + radii[second])))
    return 0.5 * WALL_HEIGHT * inside.square().sum()  # the graph holds each pair twice
