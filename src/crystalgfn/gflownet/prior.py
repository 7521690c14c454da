"""Training by likelihood: a policy learns the distribution of given crystals, epoch by epoch, and becomes a prior.

Maximum likelihood is the GFlowNet whose reward is known through samples alone. Trajectories are drawn backward from
real crystals, and P_F learns to take them. Where a single path leads to each crystal, this is the likelihood
itself; elsewhere the loss is the likelihood of crystals and ways together, and P_B is not trained.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from crystalgfn.errors import ConfigError, CrystalGFNError
from crystalgfn.gflownet.flat import FlatWeights
from crystalgfn.gflownet.likelihood import nats_by_stage
from crystalgfn.gflownet.objectives.likelihood import Likelihood
from crystalgfn.gflownet.objectives.objective import ScoredBatch
from crystalgfn.gflownet.ranks import ALONE, Ranks, derived_seed
from crystalgfn.gflownet.recipe import TrainingRecipe
from crystalgfn.gflownet.trainer import MAX_NONFINITE_IN_A_ROW
from crystalgfn.policy.policy import CrystalPolicy
from crystalgfn.policy.trajectories import Trajectories
from crystalgfn.spaces.crystal import CrystalSpace
from crystalgfn.spaces.states import CrystalStates


@dataclass(frozen=True)
class Epoch:
    """Result of one epoch; nats are -log-likelihoods, in the measure of the unit cube where cells are decided.

    Attributes:
        epoch: counted from 1.
        updates: number of updates of the weights so far.
        lr: learning rate of the last update.
        train: mean loss over the epoch, nats a crystal, of weights that change and with dropout.
        validation: mean over the held-out crystals under the averaged weights, nats a crystal; NaN without any.
        best: whether the averaged weights are the best so far.
        nonfinite: updates left out so far because the loss or its gradient was not finite.
        by_stage: parts of ``validation`` by the name of the stage.
    """

    epoch: int
    updates: int
    lr: float
    train: float
    validation: float
    best: bool
    nonfinite: int
    by_stage: Mapping[str, float]


class Ways:
    """Trajectories that end in given states: drawn once and kept where one trajectory leads to each state.

    Args:
        states: ends of the trajectories.
        space: masks, tables and limits.
    """

    def __init__(self, states: CrystalStates, space: CrystalSpace) -> None:
        self.states, self.space = states, space
        self._kept: Trajectories | None = None

    def __len__(self) -> int:
        return len(self.states)

    def draw(self, policy: CrystalPolicy, rows: Tensor | None = None, *, generator: Generator) -> Trajectories:
        """Draw a trajectory with P_B to each state, or to each of the states in ``rows`` ``(B,)``."""
        if not policy.single_parent:
            ends = self.states if rows is None else self.states[rows]
            return policy.eval().sample_backward(ends, self.space, generator=generator)
        if self._kept is None:
            self._kept = policy.eval().sample_backward(self.states, self.space, generator=generator)
        return self._kept if rows is None else self._kept[rows]


class PriorTrainer:
    """Trains the forward policy of a space on the likelihood of crystals; all updates of its weights are made here.

    What is random in an epoch (order, dropout, ways back) follows from the seed and the number of the epoch alone.

    Args:
        policy: trained in place.
        space: space of the crystals.
        states: crystals to learn from.
        recipe: batch size, learning rate, clipping and average; its objective holds the rest.
        objective: number of epochs, warm-up and weight decay.
        held_out: crystals that choose the epoch whose weights are kept; none keeps the last epoch.
        seed: seed of every draw.
        ranks: processes that train together, each on its share of every batch; all numbers are those of all.

    Raises:
        ConfigError: there are more processes than crystals in a batch.

    Attributes:
        sampling_policy: policy with the exponential moving average of the weights.
        best: ``(N,)``, the averaged weights of the best epoch, side by side; see :meth:`best_policy`.
        best_epoch: number of that epoch, 0 before the first.
        best_nats: validation of that epoch by stage, nats a crystal.
        cpu_seconds: of all epochs so far, of every process that trained.
    """

    def __init__(
        self,
        policy: CrystalPolicy,
        space: CrystalSpace,
        states: CrystalStates,
        recipe: TrainingRecipe,
        objective: Likelihood,
        *,
        held_out: CrystalStates,
        seed: int,
        ranks: Ranks = ALONE,
    ) -> None:
        self.policy, self.space, self.recipe, self.objective = policy, space, recipe, objective
        self.seed, self.device, self.ranks = seed, space.device, ranks
        self.crystals, self.held_out = Ways(states, space), Ways(held_out, space)
        least = len(states) // self.batches
        if least < ranks.size:
            raise ConfigError(f"training.batch_size: found {ranks.size} processes for a batch, allowed: up to {least}")
        self.sampling_policy = copy.deepcopy(policy).eval().requires_grad_(False)
        self._weights, self._averaged = FlatWeights(policy), FlatWeights(self.sampling_policy)
        self.optimizer = torch.optim.AdamW(
            [self._weights.vector], lr=recipe.lr, weight_decay=objective.weight_decay, fused=True
        )
        self.best, self.best_epoch = self._averaged.vector.detach().clone(), 0
        self.best_nats: dict[str, float] = {}
        self.epoch = self.updates = self.nonfinite = 0
        self.cpu_seconds = 0.0
        self._nonfinite_in_a_row = 0

    @property
    def batches(self) -> int:
        """Number of batches of an epoch, of about equal size."""
        return max(1, round(len(self.crystals) / self.recipe.batch_size))

    def run(self, until: int | None = None, report: Callable[[Epoch], None] | None = None) -> None:
        """Train up to an epoch, by default the last one of the objective; ``report`` is called after each epoch."""
        until = self.objective.epochs if until is None else until
        while self.epoch < until:
            result = self.step()
            if report is not None:
                report(result)

    def step(self) -> Epoch:
        """Train for an epoch, and measure the averaged weights on the held-out crystals.

        Raises:
            CrystalGFNError: too many updates in a row were not finite.
        """
        start = time.process_time()
        loss = self._pass(derived_seed(self.seed, self.epoch + 1))
        self.epoch += 1
        parts = self._nats()
        validation = sum(parts.values()) if len(self.held_out) else math.nan
        best = not self.best_nats or not len(self.held_out) or validation < sum(self.best_nats.values())
        if best:
            self.best.copy_(self._averaged.vector.detach())
            self.best_epoch, self.best_nats = self.epoch, parts
        spent = torch.tensor(time.process_time() - start, dtype=torch.float64, device=self.device)
        self.ranks.add_up(spent)
        self.cpu_seconds += float(spent)
        lr = float(self.optimizer.param_groups[0]["lr"])
        return Epoch(self.epoch, self.updates, lr, loss, validation, best, self.nonfinite, parts)

    def best_policy(self) -> CrystalPolicy:
        """A copy of the policy with the averaged weights of the best epoch, and with what its stages remember."""
        return self._finished(self.best)

    def _finished(self, weights: Tensor) -> CrystalPolicy:
        """The policy to sample with: some weights ``(N,)``, and what stages remember of the crystals beside them.

        Nothing is remembered in training, where a table of the very crystals would leave the network little to learn.
        """
        policy = copy.deepcopy(self.sampling_policy)
        FlatWeights(policy).vector.data.copy_(weights)
        for stage in policy.stages.values():
            stage.remember(self.crystals.states)
        return policy

    def _nats(self) -> dict[str, float]:
        """Mean over the held-out crystals under the averaged weights, nats a crystal by stage; NaN without crystals."""
        if not len(self.held_out):
            return dict.fromkeys(self.policy.stages, math.nan)
        generator = Generator(device=self.device).manual_seed(derived_seed(self.seed, 0))
        policy = self._finished(self._averaged.vector.detach())
        parts = nats_by_stage(policy, self.held_out.draw(policy, generator=generator), self.space)
        return {name: float(part.mean()) for name, part in parts.items()}

    def _pass(self, seed: int) -> float:
        """One pass over the crystals in random order; returns the mean loss."""
        generator = Generator(device=self.device).manual_seed(seed)
        total = torch.zeros((), dtype=torch.float64, device=self.device)
        with torch.random.fork_rng(devices=[self.device] if self.device.type == "cuda" else []):
            torch.manual_seed(self.ranks.seed(seed))  # dropout draws from the global generator
            order = torch.randperm(len(self.crystals), generator=generator, device=self.device)
            if not self.ranks.first:  # the order is that of all processes, ways back are not
                generator.manual_seed(self.ranks.seed(seed))
            for rows in order.tensor_split(self.batches):
                own = rows.tensor_split(self.ranks.size)[self.ranks.rank]
                batch = self.crystals.draw(self.policy, own, generator=generator)
                total += self._update(batch, share=len(own) / len(rows)) * len(own)
        self.policy.eval()
        self.ranks.add_up(total)
        return float(total) / len(self.crystals)

    def _update(self, batch: Trajectories, *, share: float) -> Tensor:
        """One update of the weights from a batch of which this process has a share; returns the loss before it."""
        self.policy.train()
        scores = self.policy.score(batch, self.space)
        none = scores.log_pf.new_zeros(len(batch))
        loss = self.objective.loss(ScoredBatch(scores, none, drawn=0, from_data=len(batch)), none.sum())
        (loss * share).backward()
        self.ranks.add_up(self._weights.collect())
        norm = self._weights.clip_gradient(self.recipe.clip)
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.lr * self._lr_factor()
        self.updates += 1
        if math.isfinite(norm):
            self.optimizer.step()
            self._nonfinite_in_a_row = 0
            self._averaged.follow(self._weights, self.recipe.ema, updates=self.updates)
            return loss.detach()
        self.nonfinite += 1
        self._nonfinite_in_a_row += 1
        if self._nonfinite_in_a_row > MAX_NONFINITE_IN_A_ROW:
            raise CrystalGFNError(
                f"training diverged: {self._nonfinite_in_a_row} updates in a row were not finite up to epoch "
                f"{self.epoch + 1}; lower training.lr (found {self.recipe.lr:g}) or set training.clip"
            )
        return loss.detach()

    def _lr_factor(self) -> float:
        """Factor of the learning rate: up over the warm-up, then down by the schedule of the recipe."""
        rise = min(1.0, (self.updates + 1) / (self.objective.warm_up + 1))
        return rise * self.recipe.lr_factor(self.updates / (self.objective.epochs * self.batches))
