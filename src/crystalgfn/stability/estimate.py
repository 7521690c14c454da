"""A learned estimate of the energy of the full hull at a composition, for where no phases are known.

The weights that ship were trained by ``scripts/data/fit_hull_estimate.py`` on hull energies of the Materials Project's
entries; the compositions of :func:`held_out` were left out, so that its error can be measured.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from math import gcd
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from crystalgfn.errors import CheckpointError
from crystalgfn.files.tensors import read_tensors
from crystalgfn.stability.network import HullNetwork, Sizes

WEIGHTS = Path(str(files("crystalgfn.stability") / "data" / "estimate.safetensors"))
"""The weights that ship."""

SYSTEMS_HELD_OUT, FORMULAS_HELD_OUT = 16, 25
"""One in so many chemical systems, and of the others one in so many formulas, is left out of the training."""

_CHUNK = 1024


class Estimate(Protocol):
    """An estimate of hull energies."""

    def __call__(self, elements: Sequence[int], counts: Tensor) -> tuple[Tensor, Tensor]:
        """Return the energies of the hull and their standard deviations, each (B,) float64, eV/atom.

        Args:
            elements: D atomic numbers.
            counts: (B, D) atoms of each element.
        """
        ...


class LearnedEstimate:
    """The mean of an ensemble of networks, with a deviation made of its spread and of its error where members agree.

    Args:
        network: the trained ensemble.
        spread, floor: deviation^2 = (spread x standard deviation of the members)^2 + floor^2 (eV/atom), fitted to
            compositions that were left out.
    """

    def __init__(self, network: HullNetwork, *, spread: float, floor: float) -> None:
        self._network = network.eval().requires_grad_(False)
        self._spread, self._floor = spread, floor

    @classmethod
    def load(cls, path: Path = WEIGHTS) -> LearnedEstimate:
        """Read weights, by default those that ship.

        Raises:
            CheckpointError: the file is missing, damaged, or no estimate of the hull.
        """
        tensors, header = read_tensors(path)
        try:
            network = HullNetwork(Sizes(**header["sizes"]))
            network.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
            return cls(network, spread=float(header["spread"]), floor=float(header["floor"]))
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise CheckpointError(f"{path}: no weights of an estimate of the hull: {error}") from None

    @torch.inference_mode()
    def __call__(self, elements: Sequence[int], counts: Tensor) -> tuple[Tensor, Tensor]:
        """See :class:`Estimate`."""
        numbers, fractions = padded(elements, counts.cpu())
        parts = [self._network(*part) for part in zip(numbers.split(_CHUNK), fractions.split(_CHUNK), strict=True)]
        members = torch.cat(parts, 1).double()
        deviation = (self._spread * members.std(0, correction=0)).square().add(self._floor**2).sqrt()
        return members.mean(0), deviation


def padded(elements: Sequence[int], counts: Tensor) -> tuple[Tensor, Tensor]:
    """Return atomic numbers (B, K) and fractions (B, K) float32 of compositions with at most K elements, 0 for none.

    Args:
        elements: D atomic numbers.
        counts: (B, D) atoms of each element.
    """
    there = counts > 0
    width = int(there.sum(1).max()) if len(counts) else 1  # the network reduces over elements, also of no composition
    columns = there.to(torch.uint8).argsort(dim=1, descending=True, stable=True)[:, :width]
    numbers = torch.tensor(list(elements))[columns] * there.gather(1, columns)
    fractions = counts.gather(1, columns).double() / counts.sum(1, keepdim=True)
    return numbers, fractions.float()


def held_out(counts: Mapping[str, float]) -> str:
    """Return ``"system"`` or ``"formula"`` where that of a composition was left out of the training, else ``""``.

    Args:
        counts: whole numbers of atoms by element symbol.
    """
    amounts = sorted((symbol, round(n)) for symbol, n in counts.items() if n)
    divisor = gcd(*(n for _, n in amounts))
    if _number("-".join(symbol for symbol, _ in amounts)) % SYSTEMS_HELD_OUT == 0:
        return "system"
    formula = "".join(f"{symbol}{n // divisor}" for symbol, n in amounts)
    return "formula" if _number(formula) % FORMULAS_HELD_OUT == 0 else ""


def _number(text: str) -> int:
    return zlib.crc32(text.encode())
