"""Training: the same seed gives the same network, a killed run continues as if it had not been killed."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from crystalgfn.errors import CheckpointError, ConfigError
from crystalgfn.proxies.data.energy_rows import energy_data
from crystalgfn.proxies.data.labelled import LabelledCrystals, read_labelled
from crystalgfn.proxies.data.rows import TrainingData
from crystalgfn.proxies.data.splits import Split, grouped_split
from crystalgfn.proxies.data.strain_rows import strain_data
from crystalgfn.proxies.hyperparameters import CELL, RECIPES, Hyperparameters
from crystalgfn.proxies.networks.base import NetworkConfig
from crystalgfn.proxies.networks.registry import build
from crystalgfn.proxies.networks.volume import VolumeNetwork
from crystalgfn.proxies.phases import fit_phases, phases_of
from crystalgfn.proxies.training import fit_network, mean_absolute_error, predict_rows
from property_data import strained, table, write

SMALL = Hyperparameters(
    network=NetworkConfig(kind="cell", members=2, token_size=16, hidden=32, blocks=1, dropout=0.1),
    epochs=4,
    batch_size=32,
)


@pytest.fixture(scope="module")
def tables(tmp_path_factory) -> tuple[LabelledCrystals, LabelledCrystals, Split]:
    folder = tmp_path_factory.mktemp("tables")
    frame = table(160)
    real = read_labelled(write(frame, folder / "real.parquet"))
    copies = read_labelled(write(strained(frame), folder / "strained.parquet"))
    return real, copies, grouped_split(real.crystals.formulas, real.target, seed=0)


@pytest.fixture(scope="module")
def data(tables) -> TrainingData:
    real, copies, split = tables
    return strain_data(real, split, SMALL, copies)


@pytest.fixture(scope="module")
def energies(tables) -> TrainingData:
    real, _, split = tables
    return energy_data(real, split, SMALL, hull=None, seed=0)


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


def test_table1_has_the_papers_sizes():
    network = build(RECIPES["table1"].network)
    sizes = {name: tuple(p.shape[1:]) for name, p in network.named_parameters()}
    assert sizes["element.weight"] == (119, 128)
    assert sizes["period.weight"][1] == 256
    assert sizes["group.weight"][1] == 16
    assert sizes["space_group.weight"] == (231, 128)
    assert sizes["projection.weight"][1] == 64
    assert sizes["lattice_in.0.weight"] == (6, 284)
    assert [sizes[f"layers.{i}.weight"] for i in range(5)] == [(876, 576), *[(576, 576)] * 4]
    assert (RECIPES["table1"].batch_size, RECIPES["table1"].learning_rate) == (448, 1.7e-3)


def test_floor_holds_for_any_weights():
    torch.manual_seed(0)
    network = build(NetworkConfig(members=2, floor=-4.7))
    assert float(network.bounded(torch.linspace(-1e4, 1e4, 1001)).min()) >= -4.7


def test_strained_rows_stand_on_the_side_of_their_formula(tables, data):
    real, copies, split = tables
    sides = np.array(split.side_of(real.crystals.formulas, copies.crystals.formulas), dtype=object)
    assert data.extra is not None
    assert data.extra_validation is not None
    assert len(data.extra) == (sides == "train").sum()
    assert len(data.extra_validation) == (sides == "validation").sum()
    assert float(data.extra.target.max()) <= SMALL.strained_cap
    assert float(data.train.target.abs().max()) == 0


def test_strain_energy_is_learned(data):
    hyperparameters = replace(CELL, epochs=60, batch_size=32, ema=0.9)
    network, _ = fit_network(hyperparameters, data, seed=0)
    assert data.extra_validation is not None
    target = data.extra_validation.target
    found = predict_rows(network, data.extra_validation.inputs)
    assert float(torch.corrcoef(torch.stack([found, target]))[0, 1]) > 0.9
    assert float(found.min()) >= 0


def test_workflow_joins_what_its_stages_trained(tables):
    real, copies, split = tables
    phases = phases_of("best", strained=True, base=False, epochs=1)
    assert [phase.name for phase in phases] == ["energy", "blind", "strain", "shape"]
    network, histories = fit_phases(phases, real, split, seed=0, strained=copies)
    assert isinstance(network, VolumeNetwork)
    assert [(name, len(history)) for name, history in histories.items()] == [(phase.name, 1) for phase in phases]
    with pytest.raises(ConfigError, match="'table1' takes no strained copies"):
        phases_of("table1", strained=True, base=False)


def test_without_validation_rows_the_last_epoch_is_kept(tables):
    real, copies, split = tables
    joined = split.with_validation()
    data = energy_data(real, joined, SMALL, hull=None, seed=0)
    assert len(data.train) == (split.train | split.validation).sum()
    _, history = fit_network(replace(SMALL, patience=1), data, seed=5)
    assert [epoch.best for epoch in history] == [True] * SMALL.epochs
    assert strain_data(real, joined, SMALL, copies).extra_validation is None


def test_hull_entries_teach_compositions_of_training_formulas_alone(tables, tmp_path):
    real, _, split = tables
    hull = tmp_path / "hull.parquet"
    write(table(160).rename(columns={"material_id": "entry"}), hull)
    data = energy_data(real, split, replace(RECIPES["best"], bound_weight=0.0), hull=hull, seed=0)
    assert data.extra is not None
    formulas = np.asarray(real.crystals.formulas, dtype=object)
    assert len(data.extra) == len(set(formulas[split.train]))
    assert int(data.extra.inputs.space_group.max()) == 0


def test_shape_stage_leaves_the_rest_as_it_was(data):
    start, _ = fit_network(replace(SMALL, epochs=1, trained="not shape"), data, seed=0)
    shaped, _ = fit_network(replace(SMALL, epochs=2, trained="shape"), data, seed=0, start=start)
    changed = {
        name.split("_")[0]
        for (name, before), after in zip(start.named_parameters(), shaped.parameters(), strict=True)
        if not torch.equal(before, after)
    }
    assert changed == {"shape"}


def test_compositions_borrow_the_structures_of_crystals_with_their_fractions(tables, tmp_path):
    real, _, split = tables
    hull = write(table(160), tmp_path / "hull.parquet")
    hyperparameters = replace(phases_of("best", strained=False, base=True)[0].hyperparameters, bound_weight=0.0)
    data = energy_data(real, split, hyperparameters, hull=hull, seed=0)
    assert data.borrowed is not None
    groups = set(data.train.inputs.space_group.tolist())
    assert set(data.borrowed.inputs.space_group.tolist()) <= groups
    lent = {tuple(row[row > 0].tolist()) for row in data.train.inputs.fractions.numpy().round(3)}
    assert {tuple(row[row > 0].tolist()) for row in data.borrowed.inputs.fractions.numpy().round(3)} <= lent
