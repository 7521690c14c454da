"""Objectives are zero for balanced policies and agree with their definitions written out."""

import math
from dataclasses import replace

import pytest
import torch

from crystalgfn.gflownet.objectives.backward import TrajectoryLikelihood
from crystalgfn.gflownet.objectives.log_partition_variance import LogPartitionVariance
from crystalgfn.gflownet.objectives.objective import ScoredBatch
from crystalgfn.gflownet.objectives.relative_trajectory_balance import RelativeTrajectoryBalance
from crystalgfn.gflownet.objectives.subtrajectory_balance import SubTrajectoryBalance
from crystalgfn.gflownet.objectives.trajectory_balance import TrajectoryBalance
from crystalgfn.policy.policy import Scores


def scores(seed=0, batch=5, steps=6):
    g = torch.Generator().manual_seed(seed)
    is_step = torch.rand(batch, steps, generator=g) < 0.7
    is_step[:, 0] = True
    values = [torch.randn(batch, steps, generator=g) * is_step for _ in range(3)]
    return Scores(values[0], values[1], is_step, values[2])


def batch(scores, log_reward, drawn=5):
    """A batch of which objectives only see the scores and the rewards."""
    return ScoredBatch(scores, log_reward, drawn)


def test_trajectory_balance_and_variance_vanish_when_balanced():
    s, log_z = scores(), torch.tensor(1.7)
    log_reward = s.log_pf_sum - s.log_pb_sum + log_z
    assert TrajectoryBalance().loss(batch(s, log_reward), log_z) < 1e-10
    assert LogPartitionVariance().loss(batch(s, log_reward + 3), torch.tensor(0.0)) < 1e-10
    spread = batch(s, log_reward + torch.arange(5))
    assert LogPartitionVariance().loss(spread, torch.tensor(0.0)) == pytest.approx(2.0)


def prior_batch(delta):
    """A batch with given delta = sum log P_F - sum log P_prior - log R."""
    s = scores()
    return replace(batch(s, -torch.as_tensor(delta)), log_prior=s.log_pf_sum)


def test_relative_trajectory_balance_is_a_variance():
    delta = torch.tensor([0.0, 1.0, 2.0, 3.0, 4.0])
    assert RelativeTrajectoryBalance().loss(prior_batch(delta), torch.tensor(0.0)) == pytest.approx(2.0)
    for share in (0.0, 0.4, 1.0):
        same = RelativeTrajectoryBalance(towards_target=share).loss(
            prior_batch(torch.full((5,), 1.3)), torch.tensor(0.0)
        )
        assert float(same) == pytest.approx(0, abs=1e-10)
    with pytest.raises(ValueError, match="prior"):
        RelativeTrajectoryBalance().loss(batch(scores(), torch.zeros(5)), torch.tensor(0.0))


def test_towards_the_target_weights_count():
    delta = torch.tensor([0.0, 0.2, 0.4, 0.6, 0.8])
    weights = torch.exp(-delta) / torch.exp(-delta).sum()  # none above 1 / sqrt(5)
    counts = 0.7 / 5 + 0.3 * weights
    expected = (counts * (delta - (counts * delta).sum()) ** 2).sum()
    loss = RelativeTrajectoryBalance(towards_target=0.3).loss(prior_batch(delta), torch.tensor(0.0))
    assert float(loss) == pytest.approx(float(expected), rel=1e-5)


def test_one_weight_never_counts_for_the_whole_batch():
    missed = torch.tensor([0.0, 0.0, 0.0, 0.0, -50.0])  # a crystal that the policy gives e^-50 of its share
    ends = prior_batch(missed)
    cut = RelativeTrajectoryBalance(towards_target=1.0).loss(ends, torch.tensor(0.0))
    whole = RelativeTrajectoryBalance().loss(ends, torch.tensor(0.0))
    assert cut > 0.1 * whole  # uncut, all the weight would lie on one crystal, and the variance would be 0


def test_subtrajectory_balance_against_all_pairs_written_out():
    s, log_z, lam = scores(1), torch.tensor(0.4), 0.8
    log_reward = torch.randn(5, generator=torch.Generator().manual_seed(2))
    total = 0.0
    for row in range(5):
        taken = s.is_step[row].nonzero().squeeze(1).tolist()
        flow = [float(s.log_flow[row, c] + log_z) for c in taken] + [float(log_reward[row])]
        delta = [float(s.log_pf[row, c] - s.log_pb[row, c]) for c in taken]
        loss = weight = 0.0
        for i in range(len(flow)):
            for j in range(i + 1, len(flow)):
                loss += lam ** (j - i) * (flow[i] + sum(delta[i:j]) - flow[j]) ** 2
                weight += lam ** (j - i)
        total += loss / weight
    loss = SubTrajectoryBalance(subtb_lambda=lam).loss(batch(s, log_reward), log_z)
    assert float(loss) == pytest.approx(total / 5, rel=1e-5)


def test_subtrajectory_balance_needs_flows():
    s = scores()
    with pytest.raises(ValueError, match="flow"):
        without = batch(Scores(s.log_pf, s.log_pb, s.is_step, None), s.log_pf_sum)
        SubTrajectoryBalance(subtb_lambda=1.0).loss(without, torch.tensor(0.0))


def test_backward_likelihood():
    s = scores()
    loss = TrajectoryLikelihood().loss(batch(s, s.log_pf_sum))
    assert float(loss) == pytest.approx(-float(s.log_pb.sum()) / 5, rel=1e-6)
    assert math.isfinite(float(loss))
    on_policy = TrajectoryLikelihood().loss(batch(s, s.log_pf_sum, drawn=3))
    assert float(on_policy) == pytest.approx(-float(s.log_pb[:3].sum()) / 3, rel=1e-6)
