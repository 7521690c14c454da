"""Members added to a trained ensemble, and networks of the band gap."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from crystalgfn.crystals.crystal import Crystals
from crystalgfn.errors import ConfigError, DataError
from crystalgfn.proxies.data.labelled import LabelledCrystals, read_labelled
from crystalgfn.proxies.data.labels import BAND_GAP, find_label
from crystalgfn.proxies.ensembles import append
from crystalgfn.proxies.evaluate import evaluate_metals
from crystalgfn.proxies.networks.base import NetworkConfig
from crystalgfn.proxies.networks.features import Featuriser
from crystalgfn.proxies.networks.gap import METAL, gap_loss
from crystalgfn.proxies.networks.registry import build
from crystalgfn.proxies.networks.terms import Terms
from crystalgfn.proxies.networks.volume import VolumeNetwork, cell_config
from property_data import table, write

SMALL = NetworkConfig(members=2, hidden=16, blocks=1, token_size=8, blind=True)
CRYSTALS = Crystals.from_dataframe(table(20))
INPUTS = Featuriser()(CRYSTALS)


def small(members, **changes):
    network = build(replace(SMALL, members=members, **changes)).eval()
    network.fit_scaling(INPUTS, torch.linspace(-2, 0, 20))
    return network


def test_members_stand_side_by_side():
    first, second = small(2), small(3)
    joined = append(first, second).eval()
    batch = INPUTS.for_all_members()
    with torch.no_grad():
        expected = torch.cat([first(batch), second(batch)])
        assert torch.allclose(joined(batch), expected, atol=1e-5)


def test_of_a_volume_aware_model_the_relaxed_part_grows():
    first, further = small(2), small(1)
    cell = build(cell_config(SMALL))
    cell.fit_scaling(INPUTS, torch.linspace(-2, 0, 20))
    network = VolumeNetwork.join(first, cell).eval()
    joined = append(network, further).eval()
    batch = INPUTS.for_all_members()
    with torch.no_grad():
        terms = joined.terms(batch, joined.tables())
        assert terms.energy.shape == (3, 20)
        assert torch.allclose(terms.energy[:2], network(batch), atol=1e-5)
        assert torch.allclose(terms.doubt, network.terms(batch, network.tables()).doubt)


@pytest.mark.parametrize("changes", [{"hidden": 24}, {"blind": False}, {"reach": 3.0}])
def test_other_sizes_do_not_join(changes):
    with pytest.raises(ConfigError, match="do not fit"):
        append(small(2), small(2, **changes))


def test_members_of_other_rows_do_not_join():
    other = small(2)
    other.target_mean += 1
    with pytest.raises(ConfigError, match="trained on other rows: their target_mean differs"):
        append(small(2), other)


def test_gap_is_the_expected_one():
    network = build(replace(SMALL, kind="gap", blind=False)).eval()
    gaps = torch.tensor([0.0, 0.01] * 5 + [2.0, 4.0] * 5)
    network.fit_scaling(INPUTS, gaps)
    assert float(network.target_mean) == pytest.approx(3.0)  # of the non-metals alone
    terms = network.terms(INPUTS.for_all_members(), network.tables())
    assert terms.logit is not None
    assert terms.gap is not None
    assert bool((terms.gap > 0).all())
    assert torch.allclose(terms.energy, torch.sigmoid(terms.logit) * terms.gap)


def test_gap_loss_by_hand():
    terms = Terms(torch.tensor([[0.0, 1.0]]), logit=torch.tensor([[-2.0, 1.0]]), gap=torch.tensor([[9.0, 1.5]]))
    target = torch.tensor([[0.0, 2.0]])
    sides = (F.softplus(torch.tensor(-2.0)) + F.softplus(torch.tensor(-1.0))) / 2
    # Huber over its width 0.1 is |d| - 0.05 beyond it: 0.5 and 1 for the non-metal; the metal's own gap is not judged
    assert float(gap_loss(terms, target, huber=0.1)) == pytest.approx(float(sides) + 0.45 / 2 + 0.95 / 2, abs=1e-5)
    with pytest.raises(TypeError, match="band gap"):
        gap_loss(Terms(torch.zeros(1, 2)), target, huber=0.1)


def test_area_under_the_curve():
    gaps = np.array([0.0, 0.0, 1.0, METAL, 2.0])
    found = evaluate_metals(
        lambda crystals: torch.tensor([0.9, 0.6, 0.6, 0.4, 0.1]), LabelledCrystals(CRYSTALS[:5], gaps, "", ""), None
    )
    assert found["accuracy"] == pytest.approx(3 / 5)
    assert found["auc"] == pytest.approx((2 + 1.5 + 1) / 6)  # pairs in the right order, ties half


def test_rows_without_a_gap_are_left_out(tmp_path):
    frame = table(30)
    frame["band_gap"] = [float("nan")] * 10 + [1.0] * 20
    assert len(read_labelled(write(frame, tmp_path / "some.parquet"), BAND_GAP).target) == 20
    frame["band_gap"] = float("nan")
    with pytest.raises(DataError, match="no rows with band_gap"):
        read_labelled(write(frame, tmp_path / "none.parquet"), BAND_GAP)


def test_unknown_target():
    with pytest.raises(ConfigError, match=r"unknown target 'bandgap', allowed: formation_energy, band_gap"):
        find_label("bandgap")
