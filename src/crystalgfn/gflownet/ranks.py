"""Processes that train together: their numbers, and everything that they tell each other.

Each process (*rank*) draws and scores its share of every batch. What objectives and progress see is the whole batch
(:mod:`crystalgfn.gflownet.whole`), and weights are updated alike everywhere, from the sum of the gradients.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from crystalgfn.errors import CrystalGFNError


class Ranks:
    """One process among those that train together; without arguments, alone, where no method costs anything.

    The processes call every method in the same order, from within a process group of torch.distributed.

    Args:
        rank: number of this process, 0..size - 1.
        size: number of processes.
        device: where the process group exchanges tensors: "cpu" (gloo) or "cuda" (nccl).
    """

    def __init__(self, rank: int = 0, size: int = 1, *, device: str = "cpu") -> None:
        self.rank, self.size, self.device = rank, size, device

    @property
    def first(self) -> bool:
        """Whether this is the one process that writes and prints."""
        return self.rank == 0

    def seed(self, seed: int) -> int:
        """The seed of this process; that of the first process is the seed of the run."""
        return seed if self.first else derived_seed(seed, self.rank)

    def gather(self, tensor: Tensor) -> list[Tensor]:
        """The tensors ``(...)`` of all processes in order, without gradients; shape and type are alike everywhere.

        Raises:
            CrystalGFNError: another process has ended.
        """
        if self.size == 1:
            return [tensor]
        sent = tensor.detach().flatten().view(torch.uint8).to(self.device)  # gloo does not know every type
        received = [torch.empty_like(sent) for _ in range(self.size)]
        with _connected():
            torch.distributed.all_gather(received, sent)
        return [each.to(tensor.device).view(tensor.dtype).view(tensor.shape) for each in received]

    def joined(self, tensor: Tensor) -> Tensor:
        """The tensors ``(n, ...)`` of all processes, one after the other: ``(size * n, ...)``."""
        return torch.cat(self.gather(tensor)) if self.size > 1 else tensor

    def of_first(self, tensor: Tensor) -> Tensor:
        """The tensor of the first process."""
        return self.gather(tensor)[0]

    def add_up(self, tensor: Tensor) -> None:
        """Replace a tensor of floating-point numbers by the sum over all processes, the same bits everywhere.

        Raises:
            CrystalGFNError: another process has ended.
        """
        if self.size > 1:
            with _connected():
                torch.distributed.all_reduce(tensor)

    def wait(self) -> None:
        """Return once all processes have come here."""
        self.gather(torch.zeros(1))


ALONE = Ranks()
"""A process that trains alone."""


def derived_seed(seed: int, number: int) -> int:
    """One of many independent seeds that follow from a seed."""
    return int(np.random.SeedSequence([seed, number]).generate_state(1, np.uint64)[0] >> 1)


@contextmanager
def _connected() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:  # the one type of all errors of torch.distributed
        raise CrystalGFNError(
            "another process of this training ended without a word; go on after the last checkpoint with --resume"
        ) from error
