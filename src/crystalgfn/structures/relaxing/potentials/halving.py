"""As many structures at once as fit into the memory of a device."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from crystalgfn.errors import DataError, PropertyError

if TYPE_CHECKING:
    from pymatgen.core import Structure

Compute = Callable[[Sequence["Structure"]], Iterable[Any]]
"""A function that gives a result for each of B structures, and fails for all where it fails for one."""

MOST_ATOMS = 16_384
"""Atoms in the first calls; where they do not fit, there are fewer in all later ones."""


@dataclass
class Halving:
    """Calls functions of structures with as many at a time as fit.

    Attributes:
        atoms: most atoms in one call; a single structure may have more.
    """

    atoms: int = MOST_ATOMS

    def __call__(self, compute: Compute, structures: Sequence[Structure]) -> list[Any]:
        """Return the result for each of B structures, or the exception by which a structure fails alone.

        Raises:
            PropertyError: the device has no memory left even for a crystal of two atoms.
        """
        return [result for part in self._parts(structures) for result in self._results(compute, part)]

    def _parts(self, structures: Sequence[Structure]) -> Iterator[Sequence[Structure]]:
        """Yield the structures, in order, as many at a time as the limit allows by then."""
        start = 0
        while start < len(structures):
            end, atoms = start + 1, len(structures[start])
            while end < len(structures) and atoms + len(structures[end]) <= self.atoms:
                atoms += len(structures[end])
                end += 1
            yield structures[start:end]
            start = end

    def _results(self, compute: Compute, structures: Sequence[Structure]) -> list[Any]:
        try:
            return list(compute(structures))
        except Exception as error:  # any library may raise
            # without the frames of the call, which hold tensors
            lacking, reason = out_of_memory(error), error.with_traceback(None)
        if lacking:
            _free()
        if len(structures) == 1:
            return [self._too_large(compute, len(structures[0])) if lacking else reason]
        middle = len(structures) // 2
        halves = structures[:middle], structures[middle:]
        results = [result for half in halves for result in self._results(compute, half)]
        if lacking and not any(isinstance(result, Exception) for result in results):
            self.atoms = min(self.atoms, max(sum(map(len, half)) for half in halves))
        return results

    @staticmethod
    def _too_large(compute: Compute, atoms: int) -> DataError:
        """The reason why a single structure has no result, if it is its size."""
        try:
            compute([_small()])
        except Exception as error:
            if out_of_memory(error):
                raise PropertyError(
                    "the device has no memory left for a crystal of 2 atoms, allowed: a device that no other program "
                    "fills; --resume goes on"
                ) from None
            raise
        return DataError(f"{atoms} atoms alone do not fit into the memory of the device")


def _small() -> Structure:
    from pymatgen.core import Lattice, Structure

    return Structure(Lattice.cubic(3.5), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])


def out_of_memory(error: Exception) -> bool:
    """Whether an error of PyTorch says that the memory of a device is full."""
    import torch

    # where memory ends outside of its allocator, CUDA says so in a general error
    return isinstance(error, torch.OutOfMemoryError) or "out of memory" in str(error)


def _free() -> None:
    """Give back what the allocator holds in pieces too small for the next call."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.empty_cache()
