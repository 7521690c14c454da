"""Finished samples that are trained on again, through trajectories drawn backward from these samples."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from crystalgfn.spaces.states import CrystalStates


class ReplayBuffer:
    """The ``capacity`` states of highest reward seen so far.

    Args:
        capacity: largest number of states in the buffer.
        state_type: class of the states of the space.
    """

    def __init__(self, capacity: int, state_type: type[CrystalStates] = CrystalStates) -> None:
        self.capacity, self.state_type = capacity, state_type
        self.states: CrystalStates | None = None
        self.log_reward = torch.zeros(0)

    def __len__(self) -> int:
        return len(self.log_reward)

    def add(self, states: CrystalStates, log_reward: Tensor) -> None:
        """Offer B states with their log-rewards ``(B,)``."""
        if self.states is not None:
            states = self.state_type.concatenate((self.states, states))
            log_reward = torch.cat((self.log_reward, log_reward))
        if len(log_reward) > self.capacity:
            best = torch.topk(log_reward, self.capacity).indices
            states, log_reward = states[best], log_reward[best]
        self.states, self.log_reward = states, log_reward

    def sample(self, n: int, *, generator: Generator) -> tuple[CrystalStates, Tensor]:
        """``n`` states with their log-rewards, uniformly and with replacement."""
        if self.states is None:
            raise ValueError("the replay buffer is empty")
        rows = torch.randint(len(self), (n,), generator=generator, device=self.log_reward.device)
        return self.states[rows], self.log_reward[rows]

    def state_dict(self) -> dict[str, Tensor]:
        """Tensors to write to a checkpoint; none if no state was added."""
        if self.states is None:
            return {}
        return {**self.states.tensors(), "log_reward": self.log_reward}

    def load_state_dict(self, tensors: dict[str, Tensor]) -> None:
        """Restore the buffer from the tensors of :meth:`state_dict`."""
        if tensors:
            fields = dict(tensors)
            self.log_reward = fields.pop("log_reward")
            self.states = self.state_type(**fields)
