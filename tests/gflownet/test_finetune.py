"""Fine-tuning: repeatable, of a copy, inside the narrower space, and of some use."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from crystalgfn.errors import ConfigError
from crystalgfn.evaluation.validity import check_section
from crystalgfn.runs.model import untrained
from small_run import small_config


@pytest.fixture(scope="module")
def narrow():
    """A model with random weights in a space narrower than its own."""
    return untrained(small_config()).restricted(required=["O"], n_elements=2, density=[1.0, 6.0])


def weights_of(model):
    return {name: value.clone() for name, value in model.policy.state_dict().items()}


def equal(one, two):
    return all(torch.equal(one[name], two[name]) for name in one)


def test_the_same_seed_gives_the_same_weights_and_leaves_the_original(narrow):
    before = weights_of(narrow)
    one, two, other = (weights_of(narrow.finetuned(iterations=6, seed=seed)) for seed in (1, 1, 2))
    assert equal(one, two)
    assert not equal(one, other)
    assert not equal(one, before)
    assert equal(weights_of(narrow), before)
    assert not any(p.requires_grad for p in narrow.policy.parameters())


def test_samples_stay_in_the_narrower_space_and_the_model_says_what_it_is(narrow):
    better = narrow.finetuned(iterations=6, seed=1)
    assert better.fingerprint == f"{narrow.fingerprint}, 6 more updates with seed 1"
    report = check_section(better.sample(300), narrow.config.constraints.model_dump())
    assert report.ok, str(report)


def test_it_brings_the_policy_nearer_to_the_target(narrow):
    before, after = (
        np.mean(model.sample(1000, seed=5).columns["log_weight"])
        for model in (narrow, narrow.finetuned(iterations=200, seed=0))
    )
    assert after > before + 0.3  # a lower bound of log Z


def test_progress_is_told(narrow):
    shares = []
    narrow.finetuned(iterations=30, report=lambda _, done: shares.append(done))
    assert shares == pytest.approx([1 / 3, 2 / 3, 1])


@pytest.mark.parametrize("iterations", [0, -1])
def test_no_updates_are_refused(narrow, iterations):
    with pytest.raises(ConfigError, match=f"finetune: found {iterations} iterations, allowed: 1 or more"):
        narrow.finetuned(iterations=iterations)
