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
from crystalgfn.structures.relaxing.potentials.calculator import CalculatorPotential
from crystalgfn.structures.relaxing.potentials.references import FormationEnergy, References

if TYPE_CHECKING:
    from pymatgen.core import Structure

BATCH = 16
"""Structures in each call of the energy-only prediction."""

WALL_RATIO, WALL_HEIGHT = 0.65, 100.0
"""Distance over the sum of covalent radii at which the wall begins, and its energy (eV) for a pair at distance 0.

CHGNet has no dependable repulsive wall: atoms 0.1 A apart came out of relaxations with ordinary energies. The wall
is a parabola that 0.17 % of real crystals reach, and is under 0.6 eV high where the check of distances begins to fail;
it keeps atoms apart in relaxations.
"""


class CHGNetPotential(CalculatorPotential):
    """CHGNet with the weights of its wheel, on the CPU; energies in batches.

    Args:
        references: elemental references; the shipped ones by default.

    Raises:
        PropertyError: chgnet is not installed.
    """

    def __init__(self, references: References | None = None) -> None:
        try:
            from chgnet.model import CHGNet
        except ImportError:
            raise PropertyError("chgnet is not installed: pip install 'crystalgfn[structures]'") from None
        with quiet():
            self._model = CHGNet.load(use_device="cpu", verbose=False).requires_grad_(False).eval()
        # a crystal whose atoms fly apart is an error, not a warning: relaxation records it
        self._model.graph_converter.set_isolated_atom_response("error")
        super().__init__("chgnet", _calculator(self._model), references)

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
        import torch

        try:
            with quiet(), torch.no_grad():
                graphs = [self._model.graph_converter(structures[i]) for i in rows]
                per_atom = self._model(graphs, task="e")["e"]
                walls = torch.stack(
                    [_wall(g, g.atom_frac_coord @ g.lattice, g.lattice) / len(g.atomic_number) for g in graphs]
                )
            out[rows] = (per_atom + walls).double().numpy()
        except Exception:  # isolated atoms, singular cells, unknown elements: whatever fails, it is one structure
            if len(rows) > 1:
                half = len(rows) // 2
                self._fill(out, structures, rows[:half])
                self._fill(out, structures, rows[half:])


def _wall(graph: Any, positions: Any, lattice: Any) -> Any:
    """Energy (eV) of pairs of atoms nearer than the wall allows; Cartesian positions (N, 3) and lattice (3, 3), A."""
    import torch

    first, second = graph.atom_graph[:, 0].long(), graph.atom_graph[:, 1].long()
    radii = torch.tensor(COVALENT_RADIUS, dtype=positions.dtype)[graph.atomic_number.long()]
    away = positions[second] + graph.neighbor_image.to(positions.dtype) @ lattice - positions[first]
    distance = away.square().sum(1).clamp(min=1e-8).sqrt()
    inside = torch.relu(1 - distance / (WALL_RATIO * (radii[first] + radii[second])))
    return 0.5 * WALL_HEIGHT * inside.square().sum()  # the graph holds each pair twice


def _calculator(model: Any) -> Any:
    """Return an ASE calculator of a CHGNet model.

    The calculator of the chgnet package goes back through the network twice, once for forces and once for the stress,
    and keeps what a third pass would need; this calculator goes back once, in about half the time.
    """
    import torch
    from ase.calculators.calculator import Calculator, all_changes
    from chgnet.model.model import BatchedGraph
    from pymatgen.core import Lattice, Structure

    class Efs(Calculator):
        implemented_properties = ("energy", "free_energy", "forces", "stress")

        def calculate(self, atoms: Any = None, properties: Any = None, system_changes: Any = all_changes) -> None:
            super().calculate(atoms, properties or ["energy"], system_changes)
            with quiet():
                self.results = self._results(atoms)

        def _results(self, atoms: Any) -> dict[str, Any]:
            lattice = Lattice(atoms.cell.array)
            structure = Structure(lattice, atoms.numbers, atoms.get_scaled_positions(wrap=False))
            graph = model.graph_converter(structure)
            batch = BatchedGraph.from_graphs(
                [graph], model.bond_basis_expansion, model.angle_basis_expansion, compute_stress=True
            )
            positions, strain = batch.atom_positions[0], batch.strains[0]
            per_atom = model._compute(batch)["e"] + model.composition_model([graph])
            wall = _wall(graph, positions, graph.lattice @ (torch.eye(3) + strain))
            energy = per_atom.sum() * len(atoms) + wall
            to_positions, to_strain = torch.autograd.grad(energy, [positions, strain])
            return {
                "energy": float(energy),
                "free_energy": float(energy),
                "forces": -to_positions.numpy(),
                "stress": to_strain.numpy() / lattice.volume,
            }

    return Efs()
