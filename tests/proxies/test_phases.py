"""Phases: what a recipe consists of, and the network that they make together."""

import pytest

from crystalgfn.errors import ConfigError
from crystalgfn.proxies.networks.volume import VolumeNetwork
from crystalgfn.proxies.phases import fit_phases, phases_of


def test_what_the_phases_fitted_is_joined(tables):
    real, copies, split = tables
    phases = phases_of("best", strained=True, base=False, epochs=1)
    assert [phase.name for phase in phases] == ["energy", "blind", "strain", "shape"]
    network, histories = fit_phases(phases, real, split, seed=0, strained=copies)
    assert isinstance(network, VolumeNetwork)
    assert [(name, len(history)) for name, history in histories.items()] == [(phase.name, 1) for phase in phases]
    with pytest.raises(ConfigError, match="'table1' takes no strained copies"):
        phases_of("table1", strained=True, base=False)
