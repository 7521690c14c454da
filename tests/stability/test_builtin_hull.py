"""The hull that ships: what it holds and answers, and the scripts that make its phases and its estimate."""

import json
import math

import numpy as np
import pytest
import torch

from crystalgfn.config import load_config
from crystalgfn.crystallography.elements import SYMBOLS, atomic_number
from crystalgfn.crystals.tables.files import read_table
from crystalgfn.stability.answer import HullKind
from crystalgfn.stability.facets import Facets
from crystalgfn.stability.hull import Hull
from crystalgfn.stability.load import load_hull
from crystalgfn.stability.phases import SHIPPED, ground_states, read_phases
from crystalgfn.structures.placing.prototype_files import load_library
from crystalgfn.structures.relaxing.potentials.references import References
from crystalgfn.structures.relaxing.potentials.sevennet import MODELS
from script_files import load_script

BUILTIN = load_hull("builtin")
ELEMENTS = load_config("default").constraints.elements.allowed


def test_every_element_of_default_is_in_it_at_its_own_ground_state():
    assert set(ELEMENTS) <= set(BUILTIN.elements)
    grounds = ground_states(read_phases(SHIPPED["chgnet"]))
    assert grounds.keys() == set(BUILTIN.elements)
    for symbol, energy in grounds.items():
        assert BUILTIN.energy_above_hull({symbol: 2}, energy).value == pytest.approx(0, abs=1e-9)
    # CHGNet's energies of silicon, aluminium and iron lie above the fitted references
    assert all(0.05 < grounds[symbol] < 0.15 for symbol in ("Si", "Al", "Fe"))


def test_each_potential_with_references_that_ship_has_phases():
    assert set(SHIPPED) == {"chgnet", *MODELS}


@pytest.mark.parametrize("potential", sorted(SHIPPED))
def test_each_potential_has_its_own_ground_states(potential):
    hull, grounds = load_hull("builtin", potential=potential), ground_states(read_phases(SHIPPED[potential]))
    assert set(hull.elements) == set(BUILTIN.elements) == grounds.keys()
    assert hull.potential == potential
    for symbol in ("Si", "Cu", "O"):
        assert hull.energy_above_hull({symbol: 1}, 0.5).hull == pytest.approx(grounds[symbol])
    assert load_hull("builtin").for_potential(potential) is hull


def test_a_potential_without_phases_is_measured_from_the_estimate_alone():
    hull = load_hull("builtin", potential="my:potential")
    assert hull.elements == BUILTIN.elements
    assert {hull.energy_above_hull({symbol: 1}, 0.0).value for symbol in hull.elements} == {0.0}
    quartz = {"Si": 1, "O": 2}  # CHGNet's phases lie below the estimate here
    assert BUILTIN.energy_above_hull(quartz, 0.0).kind is HullKind.PHASES
    assert hull.energy_above_hull(quartz, 0.0).kind is HullKind.ESTIMATE


def test_phases_are_plausible_and_near_the_hull_of_phases():
    phases = read_phases(SHIPPED["chgnet"])
    hull = Hull(phases, elements=ground_states(phases))
    assert len(phases) > 1500
    for (counts, energy), group in zip(phases, read_table(SHIPPED["chgnet"])["spacegroup"].to_pylist(), strict=True):
        assert 1 <= group <= 230
        assert -5 < energy < 0.4
        assert -1e-6 <= hull.energy_above_hull(counts, energy).value <= 0.1 + 1e-6


# formation energies of the Materials Project, eV/atom
@pytest.mark.parametrize(
    ("counts", "energy"),
    [
        ({"Li": 1, "F": 1}, -3.18),
        ({"Mg": 1, "O": 1}, -3.04),
        ({"Si": 1, "O": 2}, -3.28),
        ({"Mg": 1, "S": 1}, -1.72),
        ({"K": 1, "Cl": 1}, -2.26),
        ({"Ga": 1, "As": 1}, -0.42),
        ({"Ba": 1, "Ti": 1, "O": 3}, -3.49),
    ],
)
def test_well_known_phases_are_on_the_hull(counts, energy):
    found = BUILTIN.energy_above_hull(counts, energy)
    assert found.value == pytest.approx(0, abs=0.08)
    assert (found.kind is HullKind.ESTIMATE) == math.isfinite(found.deviation) == (not found.decomposition)


def test_every_mixture_of_its_elements_is_answered_and_nothing_else():
    answer = BUILTIN.energy_above_hull(dict.fromkeys(("Li", "Mg", "Al", "Si", "P", "O", "F"), 1), 0.0)
    assert answer.hull < -1
    assert "Es" in BUILTIN.energy_above_hull({"Es": 1, "Cl": 1}, -2.0).reason


def test_batches_agree_with_single_answers():
    elements = tuple(atomic_number(symbol) for symbol in ELEMENTS)
    rng = np.random.default_rng(0)
    counts = rng.integers(1, 9, size=(60, len(elements)))
    order = rng.random(counts.shape).argsort(1)
    counts = torch.as_tensor(counts * (order < rng.integers(1, 5, size=(60, 1))))
    answers = [
        BUILTIN.energy_above_hull({SYMBOLS[z]: n for z, n in zip(elements, row, strict=True) if n}, 0.0)
        for row in counts.tolist()
    ]
    assert {answer.kind for answer in answers} == {HullKind.PHASES, HullKind.ESTIMATE}
    found = Facets(BUILTIN).energies(elements, counts)
    np.testing.assert_allclose(found, [answer.hull for answer in answers], atol=1e-5)


@pytest.fixture(scope="module")
def prototypes():
    return load_script("data/relax_prototypes.py")


def test_the_script_of_prototypes_knows_prototypes_and_charges(prototypes):
    library = prototypes.by_stoichiometry()
    names = {name for found in library.values() for name, _ in found}
    assert {name for name, *_ in prototypes.EXTRA} <= names
    assert prototypes.neutral(("Li", "O"), (2, 1))
    assert not prototypes.neutral(("Li", "O"), (1, 1))
    wanted = list(prototypes.formulas(library))
    assert len(wanted) == len(set(wanted))
    assert {"Li2O", "MgO", "LiFePO4", "Mg2SiO4"} & set(wanted) >= {"Li2O", "MgO"}
    for _, structure in prototypes.substituted({"Li": 2, "O": 1}, library):
        assert structure.composition.reduced_formula == "Li2O"


def test_a_log_that_was_cut_is_read_up_to_the_cut(prototypes, tmp_path):
    log = tmp_path / "phases.jsonl"
    assert prototypes.read(log) == []
    log.write_text('{"formula": "LiF"}\n{"formula": "Mg')
    assert prototypes.read(log) == [{"formula": "LiF"}]
    assert log.read_text() == '{"formula": "LiF"}\n'


def test_results_that_were_cut_go_on_and_become_a_table(tmp_path):
    script = load_script("data/build_phases.py")
    salt = {"elements": '{"Na": 1, "Cl": 1}', "spacegroup": 225, "protostructure": "AB_cF8_225_a_b:Cl-Na"}
    rows = [
        {"name": "Na alone 0", "elements": '{"Na": 1}', "energy_per_atom": -0.96, "spacegroup": 229},
        {"name": "Cl alone 0", "elements": '{"Cl": 1}', "energy_per_atom": -3.6, "spacegroup": 64},  # an artefact
        {"name": "c9 0", **salt, "energy_per_atom": -4.0},
        {"name": "c9 1", **salt, "energy_per_atom": -4.05},
        {"name": "c9 2", "reason": "not converged"},
        {"name": "c9 3", **salt, "elements": '{"Na": 3, "Cl": 1}', "energy_per_atom": -1.0},
    ]
    rows = [{"protostructure": f"{row['name']}", **row} for row in rows]
    log = tmp_path / "results.jsonl"
    log.write_text("".join(json.dumps(row) + "\n" for row in rows) + '{"name": "c9')
    results = script.Results(log)
    assert results.done == {"Na alone 0", "Cl alone 0", "c9 0", "c9 1", "c9 2", "c9 3"}
    phases = results.phases(References({11: -1.0, 17: -3.0}, "emt"))
    script.write(tmp_path / "phases.parquet", phases, "emt")
    table = read_table(tmp_path / "phases.parquet").to_pylist()
    assert [(row["formation_energy_per_atom"], row["source"]) for row in table] == [
        (0.04, "element"),
        (-2.05, "sample"),
    ]


def test_the_lowest_structures_of_another_potential_are_tried_in_their_order():
    script = load_script("data/build_phases.py")
    labels = ["A_cF4_225_a:Cu", "A_cI2_229_a:Cu", "A_hP2_194_c:Cu", "A_cF4_225_a:Cu", "A_xx1_1_zz:Cu"]
    energies = [0.02, 0.0, 0.01, 0.05, -1.0]
    rows = [
        {"elements": '{"Cu": 1}', "protostructure": label, "formation_energy_per_atom": energy}
        for label, energy in zip(labels, energies, strict=True)
    ]
    rows.append({"elements": '{"Ag": 1}', "protostructure": "A_cF8_227_a:Cu", "formation_energy_per_atom": -2.0})
    found = script.lowest_in(rows, 29, load_library("builtin"))
    assert [request.space_group for request in found] == [229, 194, 225]
    assert found[0].counts == {29: 2}


def test_the_script_of_the_estimate_sorts_batches_and_calibrates():
    script = load_script("data/fit_hull_estimate.py")
    rng = np.random.default_rng(0)
    sizes = rng.integers(2, 7, size=3 * script.BATCH + 7)
    drawn = list(script.batches(sizes, rng))
    assert [len(rows) for rows in drawn] == [script.BATCH] * 3
    assert len(set(np.concatenate(drawn).tolist())) == 3 * script.BATCH
    assert sum(len(set(sizes[rows].tolist())) for rows in drawn) <= 8
    deviation = rng.uniform(0.01, 0.1, size=20_000)
    spread, floor = script.calibrated(rng.laplace(scale=2 * deviation / math.sqrt(2)), deviation)
    assert spread == pytest.approx(2, abs=0.21)
    assert floor <= 0.012
