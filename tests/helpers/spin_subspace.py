"""A toy subspace with its stage, as small as they can be: one to three spins, at most one an element."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from crystalgfn.policy.build import STAGES, policy_of
from crystalgfn.policy.distributions import masked_log_softmax, sample_masked
from crystalgfn.policy.network import SetEncoder, small_head
from crystalgfn.policy.stages.composition_steps import CompositionSteps
from crystalgfn.policy.stages.stage import Stage, StageScore, Visits
from crystalgfn.policy.trajectories import Steps
from crystalgfn.spaces.crystal import SUBSPACES
from crystalgfn.spaces.states import CrystalStates
from crystalgfn.spaces.subspace import Subspace

MOST = 3
FORBIDDEN_GROUP = 225


def allowed_spins(elements: Tensor | None, batch: int) -> Tensor:
    """Spins 1, 2, 3 as ``(B, 3)`` bool: as many as elements ``(B, m)``, or any where these are not decided yet."""
    number = torch.full((batch,), MOST) if elements is None else (elements > 0).sum(1)
    return torch.arange(1, MOST + 1) <= number.unsqueeze(1)


@dataclass(frozen=True)
class SpinStates(CrystalStates):
    spin: Tensor


class SpinSpace(Subspace):
    """Spins, which the group ``FORBIDDEN_GROUP`` cannot have."""

    name = "spin"

    def __init__(self, possible):
        groups = tuple(g for g in possible.space_groups if g != FORBIDDEN_GROUP)
        self._possible = replace(possible, space_groups=groups)

    @classmethod
    def build(cls, limits, possible):
        return cls(possible)

    @property
    def possible(self):
        return self._possible

    def to(self, device):
        return self

    def decode(self, states):
        return {"columns": {"spin": states.spin.numpy()}}

    def encode(self, crystals, decided):
        spin = torch.as_tensor(crystals.columns["spin"])
        inside = allowed_spins(decided.get("elements"), len(spin)).gather(1, spin.unsqueeze(1) - 1).squeeze(1)
        rows = inside.nonzero().squeeze(1)
        return {"spin": spin[rows]}, rows


@dataclass(frozen=True)
class SpinSteps(Steps):
    spin: Tensor

    def outcome(self):
        return {"spin": self.spin}


class SpinStage(Stage[SpinSteps]):
    name = SpinSpace.name

    def __init__(self, width):
        super().__init__()
        self.spin = small_head(width, MOST)

    @classmethod
    def build(cls, space, options):
        return cls(options.width)

    def encoder(self, width):
        return SetEncoder(MOST + 1, width, expected=1)

    @staticmethod
    def mask(so_far, batch):
        decided = [steps.elements for steps in so_far.steps if isinstance(steps, CompositionSteps)]
        return allowed_spins(decided[0] if decided else None, batch)

    def rollout(self, network, prefix, *, so_far, space, epsilon, generator):
        logits, mask = self.spin(network.trunk(prefix)), self.mask(so_far, len(prefix))
        return SpinSteps(1 + sample_masked(logits, mask, epsilon=epsilon, generator=generator))

    def rollback(self, network, prefix, *, so_far, states, space, generator):
        return SpinSteps(states.spin)

    def visits(self, steps, so_far, *, space):
        return Visits(torch.arange(len(steps)), self.final(steps, so_far, space=space))

    def final(self, steps, so_far, *, space):
        return (steps.spin.unsqueeze(1).clone(),)

    def score(self, steps, so_far, *, space, entry, forward, backward):
        batch = len(steps)
        log_p = masked_log_softmax(self.spin(entry).expand(batch, -1), self.mask(so_far, batch))
        log_pf = log_p.gather(1, steps.spin.unsqueeze(1) - 1)
        return StageScore(log_pf, torch.zeros_like(log_pf), torch.arange(batch).unsqueeze(1))


def with_spin(place: int) -> tuple[type[Subspace], ...]:
    """The subspaces of a crystal with the spin at a place among them."""
    return (*SUBSPACES[:place], SpinSpace, *SUBSPACES[place:])


def spin_policy(space, options):
    """The policies over a space with spins."""
    return policy_of(space, options, stages=(*STAGES, SpinStage))
