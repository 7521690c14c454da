"""Hyperparameters for columns of the user's: few rows are seen more often."""

import pytest

from crystalgfn.proxies.hyperparameters import SCALAR, for_rows


@pytest.mark.parametrize(("rows", "batch", "epochs"), [(80, 16, 240), (2000, 192, 109), (100_000, 192, 36)])
def test_few_rows_are_seen_more_often(rows, batch, epochs):
    fitted = for_rows(SCALAR, rows, transformation="log")
    assert (fitted.batch_size, fitted.epochs, fitted.network.transformation) == (batch, epochs, "log")
