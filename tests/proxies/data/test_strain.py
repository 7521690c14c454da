"""Strained copies: the lattice system survives, volumes are as asked for, failures are skipped."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from crystalgfn.crystallography.lattices import cell_volume, satisfies_lattice_system
from crystalgfn.crystallography.space_groups import CRYSTAL_LATTICE_SYSTEM
from crystalgfn.proxies.data import strain

CELLS = {
    2: (5.0, 6.0, 7.0, 80.0, 95.0, 103.0),
    14: (5.0, 6.0, 7.0, 90.0, 103.0, 90.0),
    62: (5.0, 6.0, 7.0, 90.0, 90.0, 90.0),
    136: (4.6, 4.6, 3.0, 90.0, 90.0, 90.0),
    166: (4.0, 4.0, 20.0, 90.0, 90.0, 120.0),
    194: (3.0, 3.0, 5.0, 90.0, 90.0, 120.0),
    225: (5.6, 5.6, 5.6, 90.0, 90.0, 90.0),
}


@given(st.sampled_from(sorted(CELLS)), st.sampled_from(["isotropic", "shape", "stretch"]), st.integers(0, 200))
def test_strain_keeps_the_lattice_system_and_the_volume_range(group, kind, seed):
    if group == 225:
        kind = "isotropic"
    cell = np.array(CELLS[group])
    new = strain.strain(group, cell, kind, np.random.default_rng(seed))
    system = torch.tensor([int(CRYSTAL_LATTICE_SYSTEM[group])])
    assert bool(satisfies_lattice_system(torch.tensor(new)[None], system))
    low, high = strain.ISOTROPIC_VOLUME_RATIO if kind == "isotropic" else strain.SHAPE_VOLUME_RATIO
    assert low * 0.999 <= cell_volume(torch.tensor(new)) / cell_volume(torch.tensor(cell)) <= high * 1.001
    if kind == "isotropic":
        assert np.allclose(new[:3] / cell[:3], new[0] / cell[0])
        assert np.array_equal(new[3:], cell[3:])


def test_cubic_cells_are_strained_isotropically_alone():
    rng = np.random.default_rng(0)
    kinds = [kind for kind, _ in strain.strains_of(225, np.array(CELLS[225]), strain.FAR, rng)]
    assert kinds == ["isotropic"] * 3
    assert [kind for kind, _ in strain.strains_of(62, np.array(CELLS[62]), strain.NEAR, rng)] == ["isotropic", "shape"]


def test_stretched_cells_go_further():
    rng = np.random.default_rng(0)
    cell = np.array(CELLS[62])
    factors = {}
    for kind in ("shape", "stretch"):
        logs = np.log([strain.strain(62, cell, kind, rng)[:3] / cell[:3] for _ in range(300)])
        factors[kind] = np.exp((logs - logs[:, :1]).max())
    assert factors["shape"] == pytest.approx(1.8, rel=0.05)
    assert factors["stretch"] == pytest.approx(3.5, rel=0.05)


def salt(a: float = 5.64) -> dict:
    return {
        "material_id": "salt",
        "source": "made up",
        "elements": json.dumps({"Na": 4, "Cl": 4}),
        "spacegroup": 225,
        **dict(zip(("a", "b", "c", "alpha", "beta", "gamma"), (a, a, a, 90.0, 90.0, 90.0), strict=True)),
        "n_atoms": 8,
        "formation_energy_per_atom": -2.1,
        # the primitive cell in another setting than the table's
        "numbers": np.array([11, 17]),
        "cell": np.array([0, a / 2, a / 2, a / 2, 0, a / 2, a / 2, a / 2, 0]),
        "fractional": np.array([0, 0, 0, 0.5, 0.5, 0.5]),
    }


class Harmonic:
    """Energy: squared logarithm of the volume per atom against that of salt; refuses what is too large."""

    def predict_structure(self, structures, /, *, task, batch_size):
        assert task == "e"
        if any(s.volume > 1.8 * 5.64**3 / 4 for s in structures):
            raise ValueError("isolated atoms")
        return [{"e": np.log(s.volume / (5.64**3 / 4)) ** 2 - 3.0} for s in structures]


def test_labels_are_differences_on_the_scale_of_the_table():
    rows = [row for seed in range(10) for row in strain.label([salt()], Harmonic(), seed=seed)]
    assert 0 < len(rows) < 20  # the large ones are left out
    for row in rows:
        assert row["energy_change"] == pytest.approx(np.log(row["volume_ratio"]) ** 2, abs=1e-6)
        assert row["formation_energy_per_atom"] == pytest.approx(-2.1 + row["energy_change"])
        assert row["a"] == pytest.approx(5.64 * row["volume_ratio"] ** (1 / 3))
        assert row["kind"] == "isotropic"


def test_rows_that_do_not_agree_with_their_structure_are_left_out():
    assert strain.label([salt() | {"spacegroup": 221}], Harmonic(), seed=0) == []
    assert strain.label([salt() | {"a": 6.5, "b": 6.5, "c": 6.5}], Harmonic(), seed=0) == []


def test_same_seed_same_strains():
    left, right = (strain.label([salt()], Harmonic(), seed=3) for _ in range(2))
    assert left == right


def test_chgnet_labels():
    pytest.importorskip("chgnet")
    from chgnet.model import CHGNet

    model = CHGNet.load(use_device="cpu", verbose=False)
    rows = strain.label([salt()], model, seed=0)
    assert len(rows) == 2
    assert all(-0.05 < row["energy_change"] < 10 for row in rows)
