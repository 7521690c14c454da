"""Objectives are zero for balanced policies and agree with their definitions written out."""

import math

import pytest
import torch

from crystalgfn.gflownet import objectives
from crystalgfn.policy.policy import Scores


def scores(seed=0, batch=5, steps=6):
    g = torch.Generator().manual_seed(seed)
    is_step = torch.rand(batch, steps, generator=g) < 0.7
    is_step[:, 0] = True
    values = [torch.randn(batch, steps, generator=g) * is_step for _ in range(3)]
    return Scores(values[0], values[1], is_step, values[2])


def test_trajectory_balance_and_variance_vanish_when_balanced():
    s, log_z = scores(), torch.tensor(1.7)
    log_reward = s.log_pf_sum - s.log_pb_sum + log_z
    assert objectives.trajectory_balance(s, log_reward, log_z) < 1e-10
    assert objectives.log_partition_variance(s, log_reward + 3) < 1e-10
    assert objectives.log_partition_variance(s, log_reward + torch.arange(5)) == pytest.approx(2.0)


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
    assert float(objectives.subtrajectory_balance(s, log_reward, log_z, lam=lam)) == pytest.approx(total / 5, rel=1e-5)


def test_subtrajectory_balance_needs_flows():
    s = scores()
    with pytest.raises(ValueError, match="flow"):
        objectives.subtrajectory_balance(
            Scores(s.log_pf, s.log_pb, s.is_step, None), s.log_pf_sum, torch.tensor(0.0), lam=1.0
        )


def test_backward_likelihood():
    s = scores()
    assert float(objectives.backward_likelihood(s)) == pytest.approx(-float(s.log_pb.sum()) / 5, rel=1e-6)
    assert math.isfinite(float(objectives.backward_likelihood(s)))
