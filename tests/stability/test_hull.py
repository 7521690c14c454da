"""Energies above hull: the linear program against pymatgen, reasons instead of crashes, files and the web's answers."""

import json
import math
import time
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.analysis.phase_diagram import PDEntry, PhaseDiagram
from pymatgen.core import Composition

from crystalgfn.errors import DataError
from crystalgfn.stability.hull import Hull
from crystalgfn.stability.load import hull_of_table, load_hull
from crystalgfn.stability.materials_project import MaterialsProjectHull

ELEMENTS = ("Li", "Mg", "O", "Fe", "Cl")


def random_phases(rng, elements, n):
    rows = []
    for _ in range(n):
        chosen = rng.choice(elements, size=rng.integers(2, len(elements) + 1), replace=False)
        rows.append(({str(e): int(rng.integers(1, 6)) for e in chosen}, float(rng.normal(-0.5, 0.8))))
    return rows


@pytest.mark.parametrize("n_elements", [2, 3, 4, 5])
@pytest.mark.parametrize("seed", range(2))
def test_equals_pymatgen(n_elements, seed):
    rng = np.random.default_rng(seed)
    elements = ELEMENTS[:n_elements]
    phases = random_phases(rng, elements, 40)
    entries = [PDEntry(Composition(c), e * sum(c.values())) for c, e in phases]
    diagram = PhaseDiagram([*entries, *(PDEntry(Composition(e), 0.0) for e in elements)])
    hull = Hull(phases)
    for counts, _ in random_phases(rng, elements, 20):
        composition = Composition(counts)
        expected = diagram.get_hull_energy_per_atom(composition)
        found = hull.energy_above_hull(counts, 0.25)
        assert found.value == pytest.approx(0.25 - expected, abs=1e-9)
        assert found.hull == pytest.approx(expected, abs=1e-9)
        assert sum(found.decomposition.values()) == pytest.approx(1)
        products = {k.composition.reduced_formula: v for k, v in diagram.get_decomposition(composition).items()}
        mine = {Composition(k).reduced_formula: v for k, v in found.decomposition.items()}
        assert {k: v for k, v in mine.items() if v > 1e-6} == pytest.approx(
            {k: v for k, v in products.items() if v > 1e-6}, abs=1e-6
        )


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.sampled_from(ELEMENTS), st.integers(1, 20), min_size=1), st.floats(-5, 5), st.integers(1, 7))
def test_counts_scale_and_the_sign_is_kept(counts, energy, factor):
    hull = Hull([({"Li": 2, "O": 1}, -2.0), ({"Mg": 1, "O": 1}, -3.0), ({"Fe": 1, "Cl": 2}, -1.2)])
    once = hull.energy_above_hull(counts, energy)
    more = hull.energy_above_hull({k: factor * v for k, v in counts.items()}, energy)
    assert once.value == pytest.approx(more.value, abs=1e-9)
    assert once.value == pytest.approx(energy - once.hull)
    assert once.hull <= 1e-12


def test_below_the_hull_is_negative():
    assert Hull([({"Li": 1, "Cl": 1}, -1.0)]).energy_above_hull({"Li": 3, "Cl": 3}, -1.5).value == pytest.approx(-0.5)


@pytest.mark.parametrize(
    ("counts", "energy", "reason"),
    [
        ({"Xx": 1}, 0.0, "unknown element"),
        ({"Na": 1, "Cl": 1}, 0.0, "no entry with Na"),
        ({"Li": 1, "Cl": 1}, math.nan, "no formation energy"),
        ({}, 0.0, "positive counts"),
        ({"Li": -1}, 0.0, "positive counts"),
        ({"Li": math.nan}, 0.0, "positive counts"),
        ({"Li": math.inf, "Cl": 1}, 0.0, "positive counts"),
    ],
)
def test_a_reason_instead_of_a_value(counts, energy, reason):
    found = Hull([({"Li": 1, "Cl": 1}, -2.0)]).energy_above_hull(counts, energy)
    assert math.isnan(found.value)
    assert reason in found.reason


def test_a_dozen_elements_take_no_time():
    elements = ["H", "Li", "C", "N", "O", "F", "Mg", "Si", "P", "S", "Cl", "Fe"]
    hull = Hull(random_phases(np.random.default_rng(0), elements, 500))
    start = time.monotonic()
    found = hull.energy_above_hull(dict.fromkeys(elements, 1), 0.0)
    assert math.isfinite(found.value)
    assert time.monotonic() - start < 5


def write(path, rows):
    pd.DataFrame(rows).to_parquet(path)
    return path


def test_a_file_and_the_hull_it_implies(tmp_path):
    rows = [
        {"elements": json.dumps({"Li": 1, "O": 1}), "formation_energy_per_atom": -1.0, "e_above_hull": 0.4},
        {"elements": json.dumps({"Li": 2, "O": 1}), "formation_energy_per_atom": -2.0, "e_above_hull": 0.0},
        {"elements": json.dumps({"Mg": 2, "O": 1}), "formation_energy_per_atom": None, "e_above_hull": 0.0},
    ]
    hull = load_hull(write(tmp_path / "hull.parquet", rows))
    assert hull.energy_above_hull({"Li": 1, "O": 1}, -1.0).value == pytest.approx(0.5)  # Li2O and O2: -1.5
    assert hull.energy_above_hull({"Li": 2, "O": 1}, -1.9).value == pytest.approx(0.1)
    assert "Mg" in hull.energy_above_hull({"Mg": 1}, 0.0).reason


def test_wrong_files_are_errors(tmp_path):
    with pytest.raises(DataError, match="no column 'elements'"):
        hull_of_table(write(tmp_path / "a.parquet", [{"formula": "LiO"}]))
    with pytest.raises(DataError, match="row 1"):
        hull_of_table(write(tmp_path / "b.parquet", [{"elements": "LiO", "formation_energy_per_atom": 0.0}]))
    with pytest.raises(DataError, match="found 'low', allowed: a number"):
        hull_of_table(write(tmp_path / "c.parquet", [{"elements": '{"Li": 1}', "formation_energy_per_atom": "low"}]))
    with pytest.raises(DataError, match="no such file"):
        load_hull(tmp_path / "none.parquet")


class FakeClient:
    """Answers like mp-api's summary endpoint."""

    def __init__(self, error=None):
        self.asked = []
        self.error = error
        self.materials = SimpleNamespace(summary=self)

    def search(self, *, chemsys, **_):
        self.asked.append(chemsys)
        if self.error:
            raise self.error
        return [
            {"composition": {"Li": 2.0, "O": 1.0}, "formation_energy_per_atom": -2.0, "energy_above_hull": 0.1},
            {"composition": {"Li": 1.0}, "formation_energy_per_atom": 0.0, "energy_above_hull": 0.0},
            {"composition": {"O": 1.0}, "formation_energy_per_atom": 0.0, "energy_above_hull": 0.0},
        ]


def test_the_materials_project_is_asked_once():
    client = FakeClient()
    hull = MaterialsProjectHull(client=client)
    assert hull.energy_above_hull({"Li": 2, "O": 1}, -2.0).value == pytest.approx(0.1)
    assert hull.energy_above_hull({"Li": 1, "O": 3}, -2.0).value < 0
    assert client.asked == [["Li", "Li-O", "O"]]


def test_no_connection_is_a_reason_and_no_key_an_error(monkeypatch):
    found = MaterialsProjectHull(client=FakeClient(OSError("offline"))).energy_above_hull({"Li": 1}, 0.0)
    assert math.isnan(found.value)
    assert "offline" in found.reason
    monkeypatch.delenv("MP_API_KEY", raising=False)
    with pytest.raises(DataError, match="no key"):
        load_hull("mp")


def test_energies_at_a_composition():
    hull = Hull([({"Li": 1, "F": 1}, -2.9), ({"Li": 4, "F": 4}, -3.1), ({"Li": 1, "Cl": 1}, -2.0)])
    assert hull.energies_at({"F": 2, "Li": 2}) == (-3.1, -2.9)
    assert hull.energies_at({"Li": 2}) == (0.0,)
    assert hull.energies_at({"Li": 2, "F": 1}) == hull.energies_at({"Na": 1}) == ()
    assert [dict(counts) for counts in hull.compositions()] == [{"Li": 1, "F": 1}, {"Li": 1, "Cl": 1}]


def test_a_table_gives_the_energies_of_its_entries_and_of_the_fuller_hull(tmp_path):
    entries = {"elements": ['{"Li": 1, "F": 1}'], "formation_energy_per_atom": [-2.5], "e_above_hull": [0.5]}
    pd.DataFrame(entries).to_parquet(tmp_path / "hull.parquet")
    assert hull_of_table(tmp_path / "hull.parquet").energies_at({"Li": 1, "F": 1}) == (-3.0, -2.5)


@pytest.mark.parametrize("system", [False, True])
def test_leaving_out_equals_a_hull_without(system):
    rng = np.random.default_rng(1)
    phases = random_phases(rng, ELEMENTS[:3], 25)
    whole = Hull(phases)
    for counts, _ in phases[:10]:
        fractions = Composition(counts).fractional_composition
        rest = [
            (other, energy)
            for other, energy in phases
            if not Composition(other).fractional_composition.almost_equals(fractions)
            and not (system and set(other) == set(counts))
        ]
        left = Hull([*rest, *(({element: 1}, 0.0) for element in ELEMENTS[:3])])
        expected = left.energy_above_hull(counts, 0.0).hull
        assert whole.energy_without(counts, system=system) == pytest.approx(expected, abs=1e-9)
    assert math.isnan(whole.energy_without({"Li": 1}))
