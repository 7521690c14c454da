"""Properties that follow from counts and cell without error."""

import subprocess
import sys

import pytest

from crystalgfn.properties.registry import resolve
from property_data import cubic, one

SALT = one({"Na": 4, "Cl": 4}, 225, cubic(5.64))


def test_exact_properties():
    density = resolve("density")
    assert density.unit == "g/cm3"
    assert float(density(SALT)) == pytest.approx(2.165, abs=0.02)  # CRC handbook, at the measured cell
    assert float(resolve("volume_per_atom")(SALT)) == pytest.approx(5.64**3 / 8)


def test_number_of_elements_ignores_empty_columns():
    crystals = SALT.with_elements((3, 8, 11, 17))
    assert resolve("n_elements")(crystals).tolist() == [2]


def test_exact_properties_need_no_library_of_structures():
    code = (
        "import sys, torch; from crystalgfn.properties.registry import resolve;"
        "from crystalgfn.crystals.crystal import Crystals;"
        "c = Crystals((8,), torch.tensor([1]), torch.tensor([[1]]), torch.tensor([[4., 4, 4, 90, 90, 90]]));"
        "[resolve(n)(c) for n in ('density', 'n_elements', 'domain_distance', 'band_gap')];"
        "print('pymatgen' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
