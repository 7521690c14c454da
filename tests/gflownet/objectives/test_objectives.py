"""Objectives are zero for balanced policies and agree with their definitions written out."""

import math

import pytest
import torch

from crystalgfn.gflownet.objectives.backward import TrajectoryLikelihood
from crystalgfn.gflownet.objectives.log_partition_variance import LogPartitionVariance
from crystalgfn.gflownet.objectives.objective import ScoredBatch
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
    return ScoredBatch(None, scores, log_reward, drawn)


def test_trajectory_balance_and_variance_vanish_when_balanced():
    s, log_z = scores(), torch.tensor(1.7)
    log_reward = s.log_pf_sum - s.log_pb_sum + log_z
    assert TrajectoryBalance().loss(batch(s, log_reward), log_z) < 1e-10
    assert LogPartitionVariance().loss(batch(s, log_reward + 3), torch.tensor(0.0)) < 1e-10
    spread = batch(s, log_reward + torch.arange(5))
    assert LogPartitionVariance().loss(spread, torch.tensor(0.0)) == pytest.approx(2.0)


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
