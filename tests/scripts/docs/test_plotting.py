"""scripts/docs/plotting.py: quantities that figures share."""

import numpy as np
import pytest

from script_files import load_script

pytest.importorskip("matplotlib")


def test_density_integrates_to_one():
    x = np.linspace(-6, 2, 4001)
    energies = np.random.default_rng(0).normal(-2, 0.5, 50)
    density = load_script("docs/plotting.py").density(energies, x)
    assert density.sum() * (x[1] - x[0]) == pytest.approx(1, abs=1e-3)
