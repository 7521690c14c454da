"""Training by likelihood: frequencies are learned, exactly; epochs repeat, resume, and the best one is kept."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from crystalgfn.errors import CheckpointError, CrystalGFNError
from crystalgfn.gflownet.checkpoint import load_prior_checkpoint, save_prior_checkpoint
from crystalgfn.gflownet.likelihood import log_likelihood, nats_by_stage
from crystalgfn.gflownet.objectives.likelihood import Likelihood
from crystalgfn.gflownet.prior import PriorTrainer
from crystalgfn.gflownet.recipe import TrainingRecipe
from crystalgfn.gflownet.trainer import MAX_NONFINITE_IN_A_ROW
from crystalgfn.policy.build import policy_of
from crystalgfn.policy.options import PolicyOptions
from crystalgfn.policy.policy import CrystalPolicy
from crystalgfn.policy.stages.stage import Stage
from crystalgfn.spaces.states import CrystalStates
from direct_compositions import enumerate_directly
from policy_setup import small_space


def compositions(space, group) -> CrystalStates:
    """Every composition of a cubic group, found without the masks; u = 0.5."""
    found = list(enumerate_directly(space.elements, group, space.composition.constraints))
    elements, counts = torch.zeros(2, len(found), space.max_elements, dtype=torch.int64).unbind(0)
    for row, composition in enumerate(found):
        for t, (column, count) in enumerate(composition):
            elements[row, t], counts[row, t] = column + 1, count
    groups = torch.full((len(found),), group)
    return CrystalStates(groups, elements, counts, torch.where(space.lattice.free(groups), 0.5, 0.0).double())


def trainer(
    *, n=60, held_out=0, width=16, dropout=0.0, single_parent=False, seed=0, recipe=None, **keys
) -> PriorTrainer:
    """A trainer of a narrow policy on samples of another one."""
    space = small_space(groups=(62, 225), n_atoms_primitive=(1, 4))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        states = policy_of(space).sample(n + held_out, space, generator=torch.Generator().manual_seed(0)).states
        policy = policy_of(space, PolicyOptions(width=width, layers=1))
    if dropout:
        policy.forward_network.trunk.register_forward_hook(
            lambda trunk, _, hidden: nn.functional.dropout(hidden, dropout, training=trunk.training)
        )
    for stage in policy.stages.values():
        stage.single_parent = single_parent
    recipe = TrainingRecipe(iterations=1, batch_size=16, ema=0.9, **(recipe or {}))
    objective = Likelihood(**{"warm_up": 2, "epochs": 6, **keys})
    return PriorTrainer(policy, space, states[:n], recipe, objective, held_out=states[n:], seed=seed)


def weights(one) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in one.sampling_policy.parameters()])


def test_frequencies_are_learned_and_the_loss_goes_down_to_their_entropy():
    space = small_space(groups=(225,), n_atoms_primitive=(1, 4), charge="none", n_elements=(1, 2))
    each = compositions(space, 225)
    share = np.random.default_rng(0).dirichlet(np.full(len(each), 0.5))
    frequency = np.random.default_rng(1).multinomial(2000, share)
    states = each[torch.from_numpy(np.repeat(np.arange(len(each)), frequency))]
    p = torch.from_numpy(frequency / 2000)
    entropy = -torch.special.xlogy(p, p).sum().item()
    torch.manual_seed(0)
    policy = policy_of(space, PolicyOptions(width=64, layers=2))
    recipe = TrainingRecipe(iterations=1, batch_size=200, lr=0.02, ema=0.9)
    objective = Likelihood(epochs=15, warm_up=10, weight_decay=0.0)
    one = PriorTrainer(policy, space, states, recipe, objective, held_out=states[:0], seed=0)
    one.run()
    best = one.best_policy()
    drawn = best.sample_backward(each, space, generator=torch.Generator().manual_seed(0))
    nats = nats_by_stage(best, drawn, space)["composition"]
    assert torch.exp(-nats).sum().item() == pytest.approx(1, abs=1e-4)  # a distribution over all compositions there are
    assert len(each) > 30
    assert 1.5 < entropy < math.log(len(each)) - 0.3
    assert (p @ nats).item() == pytest.approx(entropy, abs=0.02)  # the difference is the KL divergence


def test_ways_are_drawn_once_where_each_state_has_one(monkeypatch):
    for single_parent, calls in ((True, 2), (False, 3 * (4 + 1))):
        one, draw, drawn = trainer(held_out=10, single_parent=single_parent), CrystalPolicy.sample_backward, []
        with monkeypatch.context() as patch:
            patch.setattr(CrystalPolicy, "sample_backward", lambda *a, **k: drawn.append(draw(*a, **k)) or drawn[-1])  # noqa: B023
            one.run(3)
        assert one.policy.single_parent == single_parent
        assert (one.batches, len(drawn)) == (4, calls)


def test_the_epoch_of_the_least_validation_is_kept(monkeypatch):
    one = trainer(held_out=10)
    script = iter([3.0, 1.0, 2.0, 1.5])
    monkeypatch.setattr(one, "_nats", lambda: {"space_group": next(script), "composition": 0.25})
    results, averages = [], []
    one.run(4, lambda epoch: results.append(epoch) or averages.append(weights(one)))
    assert [epoch.best for epoch in results] == [True, True, False, False]
    assert [epoch.validation for epoch in results] == [3.25, 1.25, 2.25, 1.75]
    assert (one.best_epoch, one.best_nats) == (2, {"space_group": 1.0, "composition": 0.25})
    kept = torch.cat([p.flatten() for p in one.best_policy().parameters()])
    assert torch.equal(kept, averages[1])
    assert not torch.equal(kept, averages[3])


def test_without_held_out_crystals_the_last_epoch_is_kept():
    one, results = trainer(), []
    one.run(3, results.append)
    assert one.best_epoch == 3
    assert torch.equal(one.best, weights(one))
    assert all(math.isnan(epoch.validation) for epoch in results)
    assert results[-1].train < results[0].train


def test_validation_is_that_of_the_averaged_weights_without_dropout():
    one = trainer(n=40, held_out=20, dropout=0.5)
    epoch = one.step()
    assert list(epoch.by_stage) == ["space_group", "composition", "lattice"]
    assert epoch.validation == pytest.approx(sum(epoch.by_stage.values()))
    log_p, error = log_likelihood(
        one.best_policy(), one.space, one.held_out.states, trajectories=2000, generator=torch.Generator().manual_seed(0)
    )
    assert error.max() < 0.5
    assert epoch.validation > -log_p.mean().item() - 0.1  # Jensen's inequality
    assert epoch.validation < -log_p.mean().item() + 4


def test_what_is_random_follows_from_the_seed_alone():
    first = trainer(dropout=0.3)
    first.run(2)
    torch.manual_seed(99)
    state = torch.get_rng_state()
    again, other = trainer(dropout=0.3), trainer(dropout=0.3, seed=1)
    again.run(2)
    other.run(2)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(weights(first), weights(again))
    assert not torch.equal(weights(first), weights(other))


def test_dropout_acts_in_training():
    one, other = trainer(dropout=0.5), trainer(dropout=0.5)
    monitored = []
    other.policy.train = lambda mode=True: monitored.append(mode) or nn.Module.train(other.policy, False)
    one.run(1)
    other.run(1)
    assert True in monitored
    assert not torch.equal(weights(one), weights(other))


def test_a_checkpoint_goes_on_to_the_same_weights(tmp_path):
    whole, parts = trainer(held_out=10, dropout=0.3), []
    whole.run(5, parts.append)
    first = trainer(held_out=10, dropout=0.3)
    first.run(2)
    save_prior_checkpoint(tmp_path / "c.safetensors", first, {"crystalgfn": "x"})
    second, rest = trainer(held_out=10, dropout=0.3), []
    assert load_prior_checkpoint(tmp_path / "c.safetensors", second)["crystalgfn"] == "x"
    second.run(5, rest.append)
    assert rest == parts[2:]
    assert torch.equal(whole.best, second.best)
    assert (whole.best_epoch, whole.best_nats) == (second.best_epoch, second.best_nats)
    narrow = trainer(held_out=10, width=8)
    with pytest.raises(CheckpointError, match="does not fit the configuration"):
        load_prior_checkpoint(tmp_path / "c.safetensors", narrow)


def test_the_learning_rate_rises_and_falls():
    one = trainer(n=160, epochs=10, warm_up=20, recipe={"lr": 0.01})
    rates = []
    one.run(report=lambda epoch: rates.append(epoch.lr))
    assert rates[0] == pytest.approx(0.01 * 10 / 21, rel=0.05)
    assert rates == [rates[0], *sorted(rates[1:], reverse=True)]
    assert rates[1] > rates[0]
    assert rates[-1] == pytest.approx(0.01 * 0.01, rel=0.1)


def test_stages_remember_the_crystals_once_the_network_has_learned_them(monkeypatch):
    seen = []
    monkeypatch.setattr(Stage, "remember", lambda stage, states: seen.append((stage, states)))
    one = trainer(n=30, held_out=10)
    one.run(1)
    assert [stage.name for stage, _ in seen] == list(one.policy.stages)  # of a copy, to measure it
    trained = {id(stage) for policy in (one.policy, one.sampling_policy) for stage in policy.stages.values()}
    assert not trained & {id(stage) for stage, _ in seen}
    assert all(len(states) == 30 for _, states in seen)
    best = one.best_policy()
    assert [stage for stage, _ in seen[3:]] == list(best.stages.values())


def test_updates_that_are_not_finite_are_left_out_counted_and_finally_an_error(monkeypatch):
    one = trainer(n=60, epochs=30)
    before = weights(one).clone()
    monkeypatch.setattr(Likelihood, "loss", lambda self, batch, log_z: batch.scores.log_pf.sum() * math.nan)
    one.run(2)
    assert one.nonfinite == 8
    assert torch.equal(before, weights(one))
    with pytest.raises(CrystalGFNError, match="diverged"):
        one.run(3 + MAX_NONFINITE_IN_A_ROW // 4)
