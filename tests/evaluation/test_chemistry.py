"""SMACT validity names its set of oxidation states."""

import pytest

from crystalgfn.evaluation.chemistry import smact_validity


def test_smact_uses_the_named_set():
    pytest.importorskip("smact")
    found = smact_validity(["MgO", "MgO", "MgO7"])
    assert found["value"] == pytest.approx(2 / 3)
    assert "smact14" in found["method"]
