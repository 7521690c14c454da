"""Summaries of samples, each number against a direct count or against numpy."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given

from crystal_strategies import crystals as any_crystals
from crystalgfn.crystallography.charges import is_neutral
from crystalgfn.crystallography.wyckoff import is_compatible
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.errors import DataError
from crystalgfn.evaluation import metrics

H, LI, OX, F, MG, FE = 1, 3, 8, 9, 12, 26
CUBE = [4.0, 4.0, 4.0, 90.0, 90.0, 90.0]


def make(rows, **columns):
    """Crystals over H, Li, O, F, Mg, Fe from (space group, {element: count}, lattice)."""
    elements = (H, LI, OX, F, MG, FE)
    return Crystals(
        elements=elements,
        space_group=torch.tensor([row[0] for row in rows]),
        counts=torch.tensor([[row[1].get(z, 0) for z in elements] for row in rows]),
        lattice=torch.tensor([row[2] for row in rows], dtype=torch.float64),
        columns=columns,
    )


@pytest.fixture(scope="module")
def samples():
    """1,000 crystals whose neutrality, Wyckoff fit and energies differ."""
    rng = np.random.default_rng(0)
    rows = []
    for _ in range(1000):
        elements = rng.choice([H, LI, OX, F, MG, FE], size=rng.integers(1, 6), replace=False)
        counts = {int(z): int(rng.integers(1, 12)) for z in elements}
        lattice = [*rng.uniform(1, 12, 3), *rng.uniform(50, 140, 3)]
        rows.append((int(rng.integers(1, 231)), counts, lattice))
    energy = rng.normal(-2, 1, 1000)
    return make(rows, **{"formation_energy [eV/atom]": energy})


def test_energies(samples):
    energy = samples.column("formation_energy")
    found = metrics.summarise(samples)["energy"]
    assert found["column"] == "formation_energy [eV/atom]"
    assert found["median"] == pytest.approx(np.median(energy))
    assert found["below_minus_2"] == pytest.approx((energy < -2).mean())
    assert found["below_minus_3"] == pytest.approx((energy < -3).mean())


def test_the_100_best_are_those_of_lowest_energy(samples):
    top = metrics.summarise(samples)["top"]
    lowest = np.sort(samples.column("formation_energy"))[:100]
    assert top["n"] == 100
    assert top["energy"]["median"] == pytest.approx(np.median(lowest))
    best = samples[samples.column("formation_energy") <= lowest[-1]]
    assert top["diversity"]["n_space_groups"] == len(set(best.space_group.tolist()))
    assert top["geometry"]["volume_per_atom"]["p50"] == pytest.approx(np.nanmedian(best.volume_per_atom.numpy()))


def test_energies_that_are_missing_are_left_out():
    rows = [(225, {MG: 4, OX: 4}, CUBE), (221, {LI: 1}, CUBE), (221, {LI: 1, H: 1}, CUBE)]
    summary = metrics.summarise(make(rows, e=np.array([-3.0, np.nan, -1.0])), energy="e")
    assert summary["energy"]["median"] == -2.0
    assert summary["top"]["n"] == 2
    assert summary["top"]["diversity"]["n_elements"] == 4


def test_diversity_by_hand():
    rows = [
        (225, {MG: 4, OX: 4}, CUBE),
        (225, {MG: 4, OX: 4}, [5.0, 5.0, 5.0, 90.0, 90.0, 90.0]),  # the same group and composition
        (1, {LI: 1, H: 1, OX: 1}, CUBE),
        (166, {FE: 3}, [3.0, 3.0, 9.0, 90.0, 90.0, 120.0]),
    ]
    found = metrics.summarise(make(rows), energy=None)["diversity"]
    assert found["n_space_groups"] == 3
    assert found["n_distinct"] == 3
    assert found["elements"] == ["H", "Li", "O", "Mg", "Fe"]
    assert found["element_counts"] == {"1": 0.25, "2": 0.5, "3": 0.25}
    assert found["crystal_lattice_systems"]["cubic"] == 0.5
    assert found["crystal_lattice_systems"]["trigonal-rhombohedral"] == 0.25
    assert found["n_crystal_lattice_systems"] == 3
    assert found["point_symmetries"]["centrosymmetric"] == 0.75
    assert found["n_point_symmetries"] == 2
    assert found["n_atoms_median"] == 5.5


def test_geometry_by_hand():
    rows = [
        (221, {LI: 1, H: 1}, CUBE),  # 32 A^3 an atom
        (221, {LI: 1, H: 1}, [1.9, 1.9, 1.9, 90.0, 90.0, 90.0]),  # 3.4
        (1, {LI: 1, H: 1}, [1.5, 4.0, 6.0, 90.0, 90.0, 90.0]),  # 18, but one length is short
        (1, {LI: 1, H: 1}, [4.0, 4.0, 4.0, 140.0, 140.0, 140.0]),  # no cell
    ]
    found = metrics.summarise(make(rows), energy=None)
    assert found["geometry"]["volume_per_atom"]["p50"] == pytest.approx(18.0)
    assert found["geometry"]["volume_in_band"] == 0.5
    assert found["geometry"]["shortest_length_ok"] == 0.5
    assert found["geometry"]["plausible"] == 0.25
    assert found["geometry"]["length_ratio_median"] == 1.0
    assert found["validity"]["cell"] == 0.75
    assert found["validity"]["lattice_system"] == 1.0


def test_shares_of_neutral_and_wyckoff_compatible_crystals_agree_with_the_direct_checks(samples):
    as_dicts = [dict(zip(samples.elements, row, strict=True)) for row in samples.counts.tolist()]
    for rule in ("per_element", "per_atom"):
        expected = [is_neutral(counts, rule) for counts in as_dicts]
        assert 0 < sum(expected) < len(expected)
        np.testing.assert_array_equal(metrics.neutral(samples, rule), expected)
    compatible = [
        is_compatible(group, row)
        for group, row in zip(samples.space_group.tolist(), samples.counts.tolist(), strict=True)
    ]
    assert 0 < sum(compatible) < len(compatible)
    np.testing.assert_array_equal(metrics.wyckoff_compatible(samples), compatible)


def test_common_states_are_stricter():
    rows = [
        (225, {MG: 4, OX: 4}, CUBE),  # Mg 2+, O 2-
        (227, {FE: 24, OX: 32}, CUBE),  # magnetite: only with mixed valence
        (225, {FE: 4, OX: 4}, CUBE),  # Fe 2+
        (221, {LI: 1, OX: 1}, CUBE),  # peroxide: no state of -1 in any table, but known as such
        (229, {FE: 2}, CUBE),  # one element
    ]
    crystals = make(rows)
    assert metrics.neutral(crystals, "common").tolist() == [True, False, True, True, True]
    assert metrics.neutral(crystals, "common_strict").tolist() == [True, False, True, False, True]
    assert metrics.neutral(crystals, "per_atom").tolist() == [True, True, True, False, True]


def test_an_element_without_oxidation_states_is_neutral_alone_only():
    crystals = Crystals((2, 8), torch.tensor([225, 225]), torch.tensor([[4, 0], [4, 4]]), torch.tensor([CUBE, CUBE]))
    for rule in ("per_element", "per_atom", "common"):
        assert metrics.neutral(crystals, rule).tolist() == [True, False]


def test_weights():
    rows = [(221, {LI: 1}, CUBE)] * 3
    log_w = np.log([1.0, 2.0, 3.0])
    crystals = make(rows, log_reward=log_w + 700, log_pf=np.full(3, 5.0), log_pb=np.full(3, 5.0))
    found = metrics.summarise(crystals, energy=None)["weights"]
    assert found["log_z"] == pytest.approx(np.log(2.0) + 700)
    assert found["ess"] == pytest.approx(36 / 14 / 3)
    assert found["log_z_error"] > 0
    assert metrics.summarise(make(rows), energy=None)["weights"] is None


@given(any_crystals(min_size=1))
def test_every_table_gives_strict_json(crystals):
    summary = metrics.summarise(crystals, energy=None)
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary
    assert sum(summary["diversity"]["crystal_lattice_systems"].values()) == pytest.approx(1)


def test_what_cannot_be_summarised(samples):
    with pytest.raises(DataError, match="no crystals"):
        metrics.summarise(samples[:0])
    with pytest.raises(DataError, match="nearest: 'formation_energy"):
        metrics.summarise(samples, energy="formation_enrgy")
    with pytest.raises(DataError, match="allowed: numbers"):
        metrics.summarise(samples.with_columns(note=["x"] * len(samples)), energy="note")
    with pytest.raises(DataError, match="no finite number"):
        metrics.summarise(samples.with_columns(gap=np.full(len(samples), np.nan)), energy="gap")
    with pytest.raises(DataError, match="per_element"):
        metrics.neutral(samples, "always")
