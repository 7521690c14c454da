"""How well metals are told from others."""

import numpy as np
import pytest
import torch

from crystalgfn.crystals.crystal import Crystals
from crystalgfn.proxies.data.labelled import LabelledCrystals
from crystalgfn.proxies.evaluate import evaluate_metals
from crystalgfn.proxies.networks.gap import METAL
from property_data import table

CRYSTALS = Crystals.from_dataframe(table(5))


def test_area_under_the_curve():
    gaps = np.array([0.0, 0.0, 1.0, METAL, 2.0])
    found = evaluate_metals(
        lambda crystals: torch.tensor([0.9, 0.6, 0.6, 0.4, 0.1]), LabelledCrystals(CRYSTALS[:5], gaps, "", ""), None
    )
    assert found["accuracy"] == pytest.approx(3 / 5)
    assert found["auc"] == pytest.approx((2 + 1.5 + 1) / 6)  # pairs in the right order, ties half
