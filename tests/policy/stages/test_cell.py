"""The cell in one draw: what is drawn is scored as likely as it was, however far a network was pushed."""

import math

import pytest
import torch
from torch import Generator

from crystalgfn.policy.stages.cell import FARTHEST, LOG_SCALE, CellStage

N = 4_000


@pytest.fixture
def stage():
    """A stage of one component whose head gives the same numbers for every input."""
    stage = CellStage(4, 1)
    with torch.no_grad():
        stage.mixture.weight.zero_()
        stage.mixture.bias.zero_()
    return stage


def set_to(stage, mean, log_scale):
    low, high = LOG_SCALE
    with torch.no_grad():
        stage.mixture.bias[1:7] = mean
        stage.mixture.bias[7:] = torch.logit(torch.tensor((log_scale - low) / (high - low)).clamp(1e-6, 1 - 1e-6))


class Still(torch.nn.Module):
    def trunk(self, prefix):
        return prefix


class Free:
    """A space whose six parameters are all free."""

    class lattice:
        @staticmethod
        def free(group):
            return torch.ones(len(group), 6, dtype=torch.bool)


class Before:
    @staticmethod
    def of(kind):
        return type("Steps", (), {"space_group": torch.ones(N, dtype=torch.int64)})


def drawn(stage):
    z = torch.zeros(N, 4)
    steps = stage.rollout(Still(), z, so_far=Before, space=Free, epsilon=0.0, generator=Generator().manual_seed(0))
    return steps.last, stage._log_density(z, steps.last.float(), steps.free)


@torch.inference_mode()
@pytest.mark.parametrize("mean", [0.0, 3.0, -7.0, FARTHEST, -21.0, 21.0, 1e6])
@pytest.mark.parametrize("log_scale", [-5.99, -3.0, 0.0])
def test_draws_have_the_entropy_of_their_distribution(stage, mean, log_scale):
    """Of u = sigmoid(x), x logistic of scale s: the mean of log p(u) is -6 (2 + log s) - 6 E log(u (1 - u))."""
    set_to(stage, mean, log_scale)
    u, log_p = drawn(stage)
    noise = torch.logit(torch.rand(200_000, generator=Generator().manual_seed(1), dtype=torch.float64))
    x = max(-FARTHEST, min(FARTHEST, mean)) + math.exp(log_scale) * noise
    logistic = torch.nn.functional.logsigmoid
    expected = -6 * (2 + log_scale) - 6 * float((logistic(x) + logistic(-x)).mean())
    assert float(log_p.mean()) == pytest.approx(expected, abs=0.25)
    assert float(log_p.min()) > expected - 60
    assert ((u > 0) & (u < 1)).all()


@torch.inference_mode()
def test_the_density_adds_up_to_one_at_the_farthest(stage):
    """Trapezoids over x = logit(u) of one free parameter, with the Jacobian u (1 - u)."""
    for log_scale in (-5.5, -2.0, 0.5):
        set_to(stage, 100.0, log_scale)
        s = math.exp(log_scale)
        x = torch.linspace(max(-13.5, FARTHEST - 40 * s), min(13.5, FARTHEST + 40 * s), 20_001, dtype=torch.float64)
        u = torch.sigmoid(x).float().unsqueeze(1).expand(-1, 6)
        free = torch.zeros(len(x), 6, dtype=torch.bool)
        free[:, 0] = True
        density = (
            stage._log_density(torch.zeros(len(x), 4), u, free).double().exp() * torch.sigmoid(x) * torch.sigmoid(-x)
        )
        assert float(torch.trapezoid(density, x)) == pytest.approx(1, abs=0.05)
