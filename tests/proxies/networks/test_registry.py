"""Kinds of networks by name: a new one is a class and a line, and is fitted, stored and loaded like the others."""

from dataclasses import replace

import pytest
import torch

from crystalgfn.crystallography.elements import SYMBOLS
from crystalgfn.errors import ConfigError
from crystalgfn.member_layers import MemberEmbedding, look_up
from crystalgfn.proxies.data.energy_rows import energy_data
from crystalgfn.proxies.data.labelled import read_labelled
from crystalgfn.proxies.data.splits import grouped_split
from crystalgfn.proxies.hyperparameters import Hyperparameters
from crystalgfn.proxies.models import ProxyProperty, save_model
from crystalgfn.proxies.networks.base import NetworkConfig, ProxyNetwork
from crystalgfn.proxies.networks.registry import NETWORKS, build
from crystalgfn.proxies.training import fit_network
from property_data import table, write


class ElementSum(ProxyNetwork):
    """A number for each element, weighed by the fractions."""

    def __init__(self, config):
        super().__init__(config)
        self.element = MemberEmbedding(config.members, 119, 1, std=0.1)

    def tables(self):
        return (self.element.weight,)

    def raw(self, inputs, tables):
        return (look_up(tables[0], inputs.atomic_numbers)[..., 0] * inputs.fractions).sum(-1)


def test_a_new_kind_is_fitted_stored_and_loaded(monkeypatch, tmp_path):
    monkeypatch.setitem(NETWORKS, "element sum", ElementSum)
    real = read_labelled(write(table(60), tmp_path / "real.parquet"))
    split = grouped_split(real.crystals.formulas, real.target, seed=0)
    hyperparameters = Hyperparameters(network=NetworkConfig(kind="element sum", members=2), epochs=1, batch_size=8)
    data = energy_data(real, split, hyperparameters, hull=None, seed=0)
    untrained = replace(hyperparameters, epochs=0)
    start, _ = fit_network(untrained, data, seed=0)
    network, history = fit_network(hyperparameters, data, seed=0)
    assert len(history) == 1
    assert not torch.equal(network.element.weight, start.element.weight)
    card = {"name": "sum", "unit": "eV/atom", "domain": {"elements": SYMBOLS[1:]}}
    save_model(tmp_path / "sum", network, card, "", half=False)
    assert torch.equal(ProxyProperty.load(tmp_path / "sum")(real.crystals), ProxyProperty(network, card)(real.crystals))


def test_unknown_kind_names_the_nearest():
    with pytest.raises(
        ConfigError, match=r"unknown network kind 'volum', allowed: .*table1, scalar \(nearest: 'volume'\)"
    ):
        build(NetworkConfig(kind="volum"))
