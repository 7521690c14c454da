"""The training loop."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Generator, Tensor, nn

from crystalgfn.errors import CrystalGFNError
from crystalgfn.gflownet.flat import FlatWeights
from crystalgfn.gflownet.frozen_policy import FrozenPolicy
from crystalgfn.gflownet.objectives.objective import ScoredBatch
from crystalgfn.gflownet.ranks import ALONE, Ranks
from crystalgfn.gflownet.recipe import TrainingRecipe
from crystalgfn.gflownet.replay import ReplayBuffer
from crystalgfn.gflownet.rollout import Rollout, query
from crystalgfn.gflownet.target import Target
from crystalgfn.gflownet.whole import whole_batch
from crystalgfn.policy.policy import CrystalPolicy
from crystalgfn.policy.trajectories import Trajectories
from crystalgfn.spaces.crystal import CrystalSpace
from crystalgfn.spaces.states import CrystalStates

MAX_NONFINITE_IN_A_ROW = 50


@dataclass(frozen=True)
class Progress:
    """Statistics of one iteration.

    Attributes:
        iteration: counted from 1.
        trajectories: number of trajectories drawn from P_F so far.
        loss: loss of this iteration.
        log_z: importance-weighted estimate from this batch, in nats.
        elbo: mean over the batch of log R + log P_B - log P_F, or of log R + log P_prior - log P_F where there is a
            prior: a lower bound on log Z when epsilon is 0 and the newest weights drew it.
        ess: effective sample size of the batch as a share of it, 0..1.
        log_reward: mean over trajectories drawn from P_F.
        grad_norm: norm of the gradient before clipping.
        nonfinite: updates left out so far because the loss or its gradient was not finite.
        property_median: median over the last rollout of the criterion of the reward's first term, mostly a property,
            in its unit; NaN for a target without terms.
        property_best: the value of the criterion that the goal of the term prefers; NaN for a target without terms.
        space_groups: number of distinct space groups in the last rollout.
        kl_to_prior: mean of log P_F - log P_prior over trajectories drawn from P_F, nats; NaN without a prior.
    """

    iteration: int
    trajectories: int
    loss: float
    log_z: float
    elbo: float
    ess: float
    log_reward: float
    grad_norm: float
    nonfinite: int
    property_median: float
    property_best: float
    space_groups: int
    kl_to_prior: float


@dataclass(frozen=True)
class Batch:
    """Trajectories of one update.

    Attributes:
        trajectories: first trajectories of P_F, then trajectories drawn backward from replayed states, then from data.
        log_reward: ``(B,)``.
        drawn: number of trajectories drawn from P_F.
        from_data: number of trajectories drawn backward from data.
        log_prior: ``(B,)`` log-probabilities under the prior; None without a prior.
    """

    trajectories: Trajectories
    log_reward: Tensor
    drawn: int
    from_data: int
    log_prior: Tensor | None = None


class Trainer:
    """Trains the policies of a space on a target; every update of their weights is made here.

    Args:
        policy: forward and backward policies, trained in place and without dropout, which only priors learn with: log
            P_F has to be that of the policy that is sampled.
        space: what may be sampled.
        target: log-reward of terminal states.
        recipe: objective, optimiser, exploration.
        seed: seed of every draw.
        data: states of real crystals as a further source of backward trajectories, or None.
        prior: the prior, where the target is prior x reward, or None.
        ranks: processes that train together, each with its share of every batch; all numbers are those of all.

    Attributes:
        log_z: weights whose sum is log Z; none where the objective learns no log Z.
        sampling_policy: policy with the exponential moving average of the weights, from which to draw samples.
    """

    def __init__(
        self,
        policy: CrystalPolicy,
        space: CrystalSpace,
        target: Target,
        recipe: TrainingRecipe,
        *,
        seed: int,
        data: CrystalStates | None = None,
        prior: FrozenPolicy | None = None,
        ranks: Ranks = ALONE,
    ) -> None:
        self.prior, self.ranks, self._own_recipe = prior, ranks, recipe.share(ranks.size)
        self.policy, self.space, self.target, self.recipe, self.data = policy, space, target, recipe, data
        policy.eval()  # with dropout, trajectories would not be scored under the policy that drew them
        self.device = space.device
        self.generator = Generator(device=self.device).manual_seed(ranks.seed(seed))
        log_z = recipe.objective.log_z_parameters()
        self.log_z = nn.Parameter(torch.zeros(log_z.weights if log_z else 0, device=self.device))
        self.sampling_policy = copy.deepcopy(policy).requires_grad_(False)
        self._weights, self._averaged = FlatWeights(policy), FlatWeights(self.sampling_policy)
        groups = [{"params": [self._weights.vector], "lr": recipe.lr, "peak": recipe.lr}]
        if log_z:
            groups.append({"params": [self.log_z], "lr": log_z.lr, "peak": log_z.lr})
        self._estimates_log_z = log_z is not None and log_z.start == "batch"
        self.optimizer = torch.optim.Adam(groups, fused=True)
        self.replay = (
            ReplayBuffer(self._own_recipe.replay_capacity, space.state_type) if recipe.replay_share > 0 else None
        )
        self.iteration = 0
        self.trajectories = 0
        self.nonfinite = 0
        self._nonfinite_in_a_row = 0
        self._round: list[Batch] = []
        self._rollout: Rollout | None = None

    def run(
        self,
        until: int,
        report: Callable[[Progress], None] | None = None,
        *,
        every: int = 1,
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        """Train up to an iteration.

        Args:
            until: the iteration.
            report: called after each ``every`` iterations and after the last.
            every: see ``report``.
            stop: asked between rounds of batches, where a checkpoint holds all; training ends early if it is True.
        """
        while self.iteration < until and (self._round or not stop()):
            measure = report is not None and ((self.iteration + 1) % every == 0 or self.iteration + 1 == until)
            progress = self.step(measure=measure)
            if report is not None and progress is not None:
                report(progress)

    def step(self, *, measure: bool = True) -> Progress | None:
        """One iteration: draw a round of batches if none is left, score the next batch, update the weights.

        Args:
            measure: whether to compute the statistics of :class:`Progress`.

        Raises:
            CrystalGFNError: too many updates in a row were not finite.
        """
        recipe, share = self.recipe, self.iteration / max(1, self.recipe.iterations)
        epsilon = recipe.epsilon + (recipe.epsilon_final - recipe.epsilon) * share
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak"] * recipe.lr_factor(share)
        if not self._round:
            self._round = self._draw(epsilon)
        batch = self._round.pop(0)
        if self.iteration == 0 and self._estimates_log_z:
            with torch.no_grad():
                self._start_log_z(self._scored(batch))
        scored = self._scored(batch)
        loss = self._loss(scored)
        self.log_z.grad = None
        loss.backward()
        self._add_up_gradients()
        norm = self._weights.clip_gradient(recipe.clip)
        self.iteration += 1
        if math.isfinite(norm):
            self.optimizer.step()
            self._nonfinite_in_a_row = 0
            self._averaged.follow(self._weights, recipe.ema, updates=self.iteration)
        else:
            self.nonfinite += 1
            self._nonfinite_in_a_row += 1
            if self._nonfinite_in_a_row > MAX_NONFINITE_IN_A_ROW:
                raise CrystalGFNError(
                    f"training diverged: {self._nonfinite_in_a_row} updates in a row were not finite up to iteration "
                    f"{self.iteration}; lower training.lr (found {recipe.lr:g}) or set training.clip"
                )
        return self._progress(scored, float(loss.detach()), norm) if measure else None

    def _draw(self, epsilon: float) -> list[Batch]:
        """Draw the batches of a round and return one for each of its updates.

        One large rollout costs less than several small ones, and any distribution of trajectories has the same optimum.
        """
        recipe = self._own_recipe
        n_data = round(recipe.batch_size * recipe.data_share) if self.data is not None else 0
        n_replay = round(recipe.batch_size * recipe.replay_share)
        if self.replay is None or len(self.replay) < recipe.replay_start:
            n_replay = 0
        drawn, batches = recipe.batch_size - n_data - n_replay, recipe.rollout_batches
        forward = self.policy.sample(
            drawn * batches,
            self.space,
            epsilon=epsilon,
            condition=self._conditions(batches, drawn),
            generator=self.generator,
        )
        log_reward, rollout = query(self.target, forward)
        self._rollout = rollout.of_all(self.ranks)
        self.trajectories += len(forward) * self.ranks.size
        sources = [(forward, log_reward, drawn)]
        if n_replay and self.replay is not None:
            states, rewards = self.replay.sample(n_replay * batches, generator=self.generator)
            back = self.policy.sample_backward(states, self.space, generator=self.generator)
            sources.append((back, rewards, n_replay))
        if n_data and self.data is not None:
            rows = torch.randint(len(self.data), (n_data * batches,), generator=self.generator, device=self.device)
            back = self.policy.sample_backward(self.data[rows], self.space, generator=self.generator)
            sources.append((back, self.target.log_reward(self.data[rows]), n_data))
        if self.replay is not None:
            self.replay.add(forward.states, log_reward)
        return [self._with_prior(_batch(sources, index, n_data)) for index in range(batches)] * recipe.passes

    def _with_prior(self, batch: Batch) -> Batch:
        """The batch with its log-probabilities under the prior, where there is one."""
        if self.prior is None:
            return batch
        return replace(batch, log_prior=self.prior.log_prob(batch.trajectories, self.space))

    def _conditions(self, batches: int, drawn: int) -> Tensor | None:
        """Conditions of a round, ``(batches * drawn, n)``: one per batch, since log Z depends on the condition."""
        if not self.policy.conditions:
            return None
        conditions = torch.rand(batches, self.policy.conditions, generator=self.generator, device=self.device)
        return self.ranks.of_first(conditions).repeat_interleave(drawn, 0)

    def _scored(self, batch: Batch) -> ScoredBatch:
        scores = self.policy.score(batch.trajectories, self.space)
        own = ScoredBatch(scores, batch.log_reward, batch.drawn, batch.from_data, batch.log_prior)
        return whole_batch(own, self.ranks)

    def _loss(self, batch: ScoredBatch) -> Tensor:
        objective, backward = self.recipe.objective, self.recipe.backward
        log_z = self.log_z.sum()
        if not backward.own:
            return objective.loss(batch, log_z)
        backward_loss = backward.loss(batch)
        return objective.loss(batch.with_fixed_backward_policy(), log_z) + backward_loss

    def _add_up_gradients(self) -> None:
        """Give the weights the gradient of all ranks; that of log Z is whole on each, and made the same bits."""
        self.ranks.add_up(self._weights.collect())
        if self.log_z.grad is not None:
            self.log_z.grad = self.ranks.of_first(self.log_z.grad)

    def _start_log_z(self, batch: ScoredBatch) -> None:
        """Begin log Z with its estimate from a batch."""
        self.log_z.fill_(float(batch.log_weight.mean()) / len(self.log_z))

    @torch.no_grad()
    def _progress(self, batch: ScoredBatch, loss: float, norm: float) -> Progress:
        scores, log_reward, drawn = batch.scores, batch.log_reward, batch.drawn
        log_w = batch.log_weight[:drawn].double()
        w = torch.softmax(log_w, 0)
        prior = math.nan if batch.log_prior is None else float(batch.log_prior[:drawn].mean())
        rollout = self._rollout
        assert rollout is not None  # the first iteration begins with one
        return Progress(
            iteration=self.iteration,
            trajectories=self.trajectories,
            loss=loss,
            log_z=float(torch.logsumexp(log_w, 0)) - math.log(drawn),
            elbo=float(log_w.mean()),
            ess=float(1 / (w.square().sum() * drawn)),
            log_reward=float(log_reward[:drawn].mean()),
            grad_norm=norm,
            nonfinite=self.nonfinite,
            property_median=rollout.median,
            property_best=rollout.best,
            space_groups=rollout.n_space_groups,
            kl_to_prior=float(scores.log_pf_sum[:drawn].mean()) - prior,
        )


def _batch(sources: list[tuple[Trajectories, Tensor, int]], index: int, from_data: int) -> Batch:
    """Batch number ``index`` of a round: its share of each source (trajectories, log-rewards, number per batch)."""
    ranges = [slice(index * n, (index + 1) * n) for *_, n in sources]
    parts = [(source[rows], reward[rows]) for (source, reward, _), rows in zip(sources, ranges, strict=True)]
    drawn = sources[0][2]
    if len(parts) == 1:
        return Batch(*parts[0], drawn=drawn, from_data=from_data)
    trajectories = Trajectories.concatenate([part for part, _ in parts])
    return Batch(trajectories, torch.cat([reward for _, reward in parts]), drawn=drawn, from_data=from_data)
