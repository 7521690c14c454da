"""Rows of strained copies."""

import numpy as np

from property_data import SMALL_FIT as SMALL


def test_strained_rows_stand_on_the_side_of_their_formula(tables, data):
    real, copies, split = tables
    sides = np.array(split.side_of(real.crystals.formulas, copies.crystals.formulas), dtype=object)
    assert data.extra is not None
    assert data.extra_validation is not None
    assert len(data.extra) == (sides == "train").sum()
    assert len(data.extra_validation) == (sides == "validation").sum()
    assert float(data.extra.target.max()) <= SMALL.strained_cap
    assert float(data.train.target.abs().max()) == 0
