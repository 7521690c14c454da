"""Training: the same seed gives the same network, a killed run continues as if it had not been killed."""

from dataclasses import replace

import pytest
import torch

from crystalgfn.errors import CheckpointError
from crystalgfn.proxies.data.energy_rows import energy_data
from crystalgfn.proxies.data.strain_rows import strain_data
from crystalgfn.proxies.hyperparameters import CELL, RECIPES
from crystalgfn.proxies.training import fit_network, mean_absolute_error, predict_rows
from property_data import SMALL_FIT as SMALL


def same(left: torch.nn.Module, right: torch.nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(left.state_dict().values(), right.state_dict().values(), strict=True))


def test_same_seed_same_network(data):
    first, history = fit_network(SMALL, data, seed=5)
    torch.manual_seed(99)  # the global generator must not matter
    second, again = fit_network(SMALL, data, seed=5)
    assert same(first, second)
    assert history == again
    other, _ = fit_network(SMALL, data, seed=6)
    assert not same(first, other)


def test_global_generator_is_left_alone(data):
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    fit_network(replace(SMALL, epochs=1), data, seed=5)
    assert torch.equal(torch.rand(1), expected)


def test_a_killed_training_continues_as_if_nothing_had_happened(data, tmp_path):
    whole, history = fit_network(SMALL, data, seed=5)
    checkpoint = tmp_path / "state.safetensors"

    class Killed(Exception):
        pass

    def kill(epoch):
        if epoch.number == 1:
            raise Killed

    with pytest.raises(Killed):
        fit_network(SMALL, data, seed=5, checkpoint=checkpoint, report=kill)
    resumed, again = fit_network(SMALL, data, seed=5, checkpoint=checkpoint, resume=True)
    assert same(whole, resumed)
    assert history == again
    with pytest.raises(CheckpointError, match="another recipe or seed"):
        fit_network(SMALL, data, seed=6, checkpoint=checkpoint, resume=True)
    with pytest.raises(CheckpointError, match="another recipe or seed"):
        fit_network(replace(SMALL, epochs=9), data, seed=5, checkpoint=checkpoint, resume=True)


@pytest.mark.parametrize("name", ["best", "table1"])
def test_recipes_learn(energies, name):
    hyperparameters = replace(RECIPES[name], epochs=60, batch_size=32, ema=0.9)
    network, history = fit_network(hyperparameters, energies, seed=0)
    target = energies.validation.target
    constant = float((target - energies.train.target.mean()).abs().mean())
    found = mean_absolute_error(network, energies.validation)
    assert found < 0.7 * constant
    assert min(e.validation_mae for e in history) == pytest.approx(found, abs=1e-6)


def test_strain_energy_is_learned(data):
    hyperparameters = replace(CELL, epochs=60, batch_size=32, ema=0.9)
    network, _ = fit_network(hyperparameters, data, seed=0)
    assert data.extra_validation is not None
    target = data.extra_validation.target
    found = predict_rows(network, data.extra_validation.inputs)
    assert float(torch.corrcoef(torch.stack([found, target]))[0, 1]) > 0.9
    assert float(found.min()) >= 0


def test_without_validation_rows_the_last_epoch_is_kept(tables):
    real, copies, split = tables
    joined = split.with_validation()
    data = energy_data(real, joined, SMALL, hull=None, seed=0)
    assert len(data.train) == (split.train | split.validation).sum()
    _, history = fit_network(replace(SMALL, patience=1), data, seed=5)
    assert [epoch.best for epoch in history] == [True] * SMALL.epochs
    assert strain_data(real, joined, SMALL, copies).extra_validation is None


def test_shape_stage_leaves_the_rest_as_it_was(data):
    start, _ = fit_network(replace(SMALL, epochs=1, trained="not shape"), data, seed=0)
    shaped, _ = fit_network(replace(SMALL, epochs=2, trained="shape"), data, seed=0, start=start)
    changed = {
        name.split("_")[0]
        for (name, before), after in zip(start.named_parameters(), shaped.parameters(), strict=True)
        if not torch.equal(before, after)
    }
    assert changed == {"shape"}
