"""SevenNet on many structures at once: the graphs of its calculator, joined to one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from crystalgfn.structures.quiet import quiet
from crystalgfn.structures.relaxing.relaxation import SinglePoint

if TYPE_CHECKING:
    from pymatgen.core import Structure


class SevenNetBatches:
    """Raw energies, forces and stresses; a :class:`~.batched.Model`.

    Args:
        calculator: SevenNet's ASE calculator, whose network is used from now on for batches only.
    """

    def __init__(self, calculator: Any) -> None:
        self._network, self._cutoff, self._device = calculator.model, calculator.cutoff, calculator.device
        self._network.set_is_batch_data(True)
        self._known = set(calculator.type_map)

    def energies(self, structures: Sequence[Structure]) -> NDArray[np.float64]:
        """Return raw total energies (B,), eV/atom."""
        return np.array([point.energy / len(point.forces) for point in self.points(structures)], dtype=np.float64)

    def points(self, structures: Sequence[Structure]) -> list[SinglePoint]:
        """Return raw energy, forces and stress of each of B structures.

        Raises:
            ValueError: an element that SevenNet does not know.
        """
        import sevenn._keys as keys
        from torch_geometric.data import Batch

        with quiet():
            batch = Batch.from_data_list([self._graph(structure) for structure in structures]).to(self._device)
            found = self._network(batch)
        energies = found[keys.PRED_TOTAL_ENERGY].detach().cpu().tolist()
        ends = np.cumsum([len(structure) for structure in structures])
        forces = np.split(found[keys.PRED_FORCE].detach().cpu().numpy(), ends[:-1])
        xx, yy, zz, xy, yz, zx = -found[keys.PRED_STRESS].detach().cpu().numpy().T
        stresses = np.array([[xx, xy, zx], [xy, yy, yz], [zx, yz, zz]]).transpose(2, 0, 1)
        return [SinglePoint(*values) for values in zip(energies, forces, stresses, strict=True)]

    def _graph(self, structure: Structure) -> Any:
        from pymatgen.io.ase import AseAtomsAdaptor
        from sevenn.atom_graph_data import AtomGraphData
        from sevenn.train.dataload import unlabeled_atoms_to_graph

        atoms = AseAtomsAdaptor.get_atoms(structure, msonable=False)
        if unknown := set(atoms.numbers.tolist()) - self._known:
            raise ValueError(f"SevenNet does not know the atomic numbers {sorted(unknown)}")
        return AtomGraphData.from_numpy_dict(unlabeled_atoms_to_graph(atoms, self._cutoff))
