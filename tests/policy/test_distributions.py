"""Draws against their probabilities, densities against torch.distributions."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.distributions import Beta, Categorical, MixtureSameFamily

from crystalgfn.policy.distributions import EDGE, BetaMixture, bernoulli_log_probs, masked_log_softmax, sample_masked

NUMBER = 200_000


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("epsilon", [0.0, 0.3, 1.0])
def test_draws_have_the_masked_probabilities(epsilon):
    logits = torch.tensor([0.3, 5.0, -2.0, 1.0, 0.0, 9.0])
    mask = torch.tensor([True, False, True, True, True, False])
    draws = sample_masked(logits.expand(NUMBER, -1), mask.expand(NUMBER, -1), epsilon=epsilon, generator=seeded())
    p = torch.exp(masked_log_softmax(logits, mask))
    assert p.sum().item() == pytest.approx(1)
    expected = (1 - epsilon) * p + epsilon * mask / 4
    frequency = draws.bincount(minlength=6) / NUMBER
    assert not frequency[~mask].any()
    assert (frequency - expected).abs().max() < 4 * 0.5 / math.sqrt(NUMBER)


@settings(max_examples=100)
@given(
    st.lists(st.booleans(), min_size=1, max_size=300).filter(any), st.integers(0, 2**31), st.sampled_from([1, 30, 1000])
)
def test_what_is_not_allowed_is_never_drawn(mask, seed, scale):
    mask = torch.tensor(mask).expand(500, -1)
    logits = scale * torch.randn(mask.shape, generator=seeded(seed))
    for epsilon in (0.0, 0.5):
        draws = sample_masked(logits, mask, epsilon=epsilon, generator=seeded(seed))
        assert mask.gather(1, draws.unsqueeze(1)).all()


def test_a_single_allowed_action_is_certain():
    mask = torch.tensor([[False, True, False]])
    assert masked_log_softmax(torch.tensor([[50.0, -50.0, 3.0]]), mask)[0, 1] == 0


def test_forced_choices_score_zero():
    logit, forced = torch.tensor([-3.0, -3.0, 2.0]), torch.tensor([True, False, False])
    yes, no = bernoulli_log_probs(logit, forced)
    assert yes[0] == 0
    assert no[0] == -torch.inf
    assert torch.allclose(yes[1:].exp() + no[1:].exp(), torch.ones(2))
    assert yes[1].item() == pytest.approx(math.log(1 / (1 + math.exp(3))))


def mixtures(number, low=0.1, high=100.0, seed=0):
    raw = 2 * torch.randn(number, 15, generator=seeded(seed))
    return BetaMixture(raw, low=low, high=high)


def reference(mixture):
    shapes = Beta(mixture.alpha.double(), mixture.beta.double())
    return MixtureSameFamily(Categorical(logits=mixture.log_weights.double()), shapes)


def test_densities_equal_those_of_torch():
    mixture = mixtures(2000)
    assert mixture.alpha.shape == mixture.beta.shape == (2000, 5)
    assert (mixture.alpha >= 0.1).all()
    assert (mixture.beta <= 100).all()
    x = torch.rand(2000, generator=seeded()).clamp(0.01, 0.99)
    assert torch.allclose(mixture.log_prob(x).double(), reference(mixture).log_prob(x.double()), atol=2e-3, rtol=1e-3)


def test_gradients_of_densities_equal_finite_differences():
    generator = torch.Generator().manual_seed(0)
    raw = torch.randn(7, 15, dtype=torch.float64, generator=generator, requires_grad=True)
    x = torch.rand(7, dtype=torch.float64, generator=generator)
    assert torch.autograd.gradcheck(lambda raw: BetaMixture(raw, low=0.1, high=100.0).log_prob(x), (raw,))


def test_densities_integrate_to_one():
    nodes = (torch.arange(20_000) + 0.5) / 20_000
    for row in range(20):
        raw = 2 * torch.randn(1, 15, generator=seeded(row))
        density = torch.exp(BetaMixture(raw.expand(len(nodes), -1), low=1.0, high=100.0).log_prob(nodes))
        assert density.mean().item() == pytest.approx(1, abs=2e-3)


@pytest.mark.parametrize("low", [0.1, 1.0])
def test_draws_have_the_moments_of_the_mixture(low):
    one = 2 * torch.randn(1, 15, generator=seeded(3))
    mixture = BetaMixture(one.expand(NUMBER, -1), low=low, high=100.0)
    draws = mixture.sample(epsilon=0.0, generator=seeded()).double()
    assert draws.min() >= EDGE * (1 - 1e-6)
    assert draws.max() <= 1 - 0.9 * EDGE  # float32
    exact = reference(BetaMixture(one, low=low, high=100.0))
    assert abs(draws.mean() - exact.mean) < 4 * (exact.variance / NUMBER) ** 0.5
    assert draws.var().item() == pytest.approx(exact.variance.item(), rel=0.02)


def test_exploration_is_uniform():
    mixture = BetaMixture(torch.full((NUMBER, 15), 3.0), low=1.0, high=100.0)
    draws = mixture.sample(epsilon=1.0, generator=seeded())
    counts = torch.histc(draws, 20, 0, 1)
    assert (counts / NUMBER - 0.05).abs().max() < 4 * math.sqrt(0.05 / NUMBER)


def test_tiny_shapes_still_give_numbers():
    mixture = BetaMixture(torch.full((5000, 15), -20.0), low=1e-4, high=100.0)
    draws = mixture.sample(epsilon=0.0, generator=seeded())
    assert torch.isfinite(draws).all()
    assert torch.isfinite(mixture.log_prob(draws)).all()
