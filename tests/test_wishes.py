"""Wishes: what is asked for is kept, the most probable samples are chosen, a killed run goes on to the same table."""

import json

import numpy as np
import pandas as pd
import pytest

from crystalgfn import wishes
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.errors import ConfigError, DataError, PropertyError, TrustError
from crystalgfn.evaluation.candidates import read_candidates
from crystalgfn.properties.registry import resolve
from crystalgfn.runs.model import load
from crystalgfn.spaces.site_encoding import crystal_keys
from crystalgfn.structures.candidates.workers import Tools
from crystalgfn.wishes import (
    CRYSTALS,
    MANIFEST,
    SAMPLES,
    STRUCTURES,
    WANTED,
    Wish,
    choose,
    design,
    wanted_columns,
    wished_model,
)

PLACED = Tools(potential="", hull="")
"""Atoms are placed and not relaxed, which takes no time."""

SPINEL = "AB2C4_cF56_227_a_d_e"
SMALL = {"chemsys": "Li-Mg-F", "n_atoms_primitive": [2, 6], "charge": "none"}


@pytest.fixture(scope="module")
def default():
    return load("default")


@pytest.fixture(autouse=True)
def _loaded_once(default, monkeypatch):
    monkeypatch.setattr(wishes, "load", lambda name, trust: default)


@pytest.fixture(scope="module")
def samples(default) -> Crystals:
    return default.restricted(**SMALL).sample(100, seed=0)


def log_target(crystals) -> np.ndarray:
    return crystals.column("log_reward") + crystals.column("log_prior")


def test_the_most_probable_of_each_new_formula_are_chosen(samples):
    chosen = choose(samples, Wish(limits=SMALL, n=5))
    assert len(set(chosen.formulas)) == len(chosen) == 5
    assert not chosen.column("known_formula").any()
    new = samples[samples.column("known_formula") == 0]
    for formula, probability in zip(chosen.formulas, log_target(chosen), strict=True):
        assert probability == log_target(new)[np.array(new.formulas) == formula].max()
    left = log_target(new)[~np.isin(new.formulas, chosen.formulas)]
    assert left.max() <= log_target(chosen).min()
    assert (np.diff(log_target(chosen)) <= 0).all()


def test_known_formulas_are_chosen_where_they_are_allowed(samples):
    told = samples.with_columns(known_formula=np.ones(len(samples)))
    with pytest.raises(DataError, match=r"all 100 samples are known, allowed: .*--with-known"):
        choose(told, Wish(limits=SMALL))
    assert len(choose(told, Wish(limits=SMALL, n=3, with_known=True))) == 3


def test_what_is_known_counts_no_less_where_it_may_be_chosen():
    plain, open_to_known = (wished_model(Wish(limits=SMALL, with_known=known)) for known in (False, True))
    one, other = (model.sample(200, seed=0) for model in (plain, open_to_known))
    difference = other.column("log_reward") - one.column("log_reward")
    known = (one.column("known_formula") == 1) & (one.column("known") == 0)
    assert known.any()
    np.testing.assert_allclose(difference[known], -np.log(0.05), rtol=1e-4)
    np.testing.assert_allclose(difference[one.column("known_formula") == 0], 0, atol=1e-4)


def test_structures_of_a_formula_differ_in_sites_and_keep_the_composition(tmp_path):
    table = design(Wish(formula="Li2MgF4", n=4, samples=100), tmp_path / "out", PLACED, workers=1)
    chosen = Crystals.from_file(tmp_path / "out" / CRYSTALS)
    assert {row.formula for row in table.rows} == set(chosen.formulas) == {"Li2MgF4"}
    assert len(np.unique(crystal_keys(chosen))) == len(chosen) == 4


def test_a_structure_type_is_kept_and_combined_with_elements(tmp_path):
    wish = Wish(like=SPINEL, limits={"required": ["Li", "O"]}, n=3, samples=60)
    design(wish, tmp_path / "out", PLACED, workers=1)
    chosen = Crystals.from_file(tmp_path / "out" / CRYSTALS)
    assert set(chosen.space_group.tolist()) == {227}
    assert (chosen.n_atoms == 56).all()
    assert all("Li" in formula and "O" in formula for formula in chosen.formulas)
    assert json.loads((tmp_path / "out" / "design.json").read_text())["limits"]["structure_type"] == SPINEL


def test_a_killed_design_goes_on_without_drawing_again(tmp_path, monkeypatch):
    wish, folder = Wish(limits=SMALL, n=3, samples=60, seed=1), tmp_path / "out"

    def killed(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(wishes, "run", killed)
        design(wish, folder, PLACED, workers=1)
    drawn = {name: (folder / name).read_bytes() for name in (SAMPLES, CRYSTALS)}
    with pytest.raises(DataError, match="--resume"):
        design(wish, folder, PLACED, workers=1)
    with pytest.raises(DataError, match="started with n 3, found 4"):
        design(Wish(limits=SMALL, n=4, samples=60, seed=1), folder, PLACED, workers=1, resume=True)
    with monkeypatch.context() as patch:
        patch.setattr(wishes, "load", killed)  # no model is needed any more
        table = design(wish, folder, PLACED, workers=1, resume=True)
    assert {name: (folder / name).read_bytes() for name in drawn} == drawn
    whole = design(wish, tmp_path / "whole", PLACED, workers=1)
    assert [(row.formula, row.cif) for row in table.rows] == [(row.formula, row.cif) for row in whole.rows]


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        (Wish(formula="ABO3"), "'ABO3' with elements left open, allowed: one composition"),
        (Wish(formula="MgO", limits={"stoichiometry": "MgO"}), "formula: found beside stoichiometry"),
        (Wish(like=SPINEL, limits={"structure_type": SPINEL}), "like: found beside structure_type"),
    ],
)
def test_a_wrong_wish_leaves_no_folder(tmp_path, wish, message):
    with pytest.raises(ConfigError, match=message):
        design(wish, tmp_path / "out", PLACED)
    assert not (tmp_path / "out").exists()


def test_nothing_is_written_through_a_link(tmp_path):
    wish, folder, elsewhere = Wish(limits=SMALL, n=2, samples=20), tmp_path / "out", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    (folder / STRUCTURES).symlink_to(elsewhere)
    with pytest.raises(TrustError, match="lies outside"):
        design(wish, folder, PLACED, workers=1)
    assert not any(elsewhere.iterdir())


@pytest.mark.parametrize(
    ("wish", "charge"),
    [
        (Wish(limits={"chemsys": "Li-P-S-Cl"}), "common"),
        (Wish(limits={"required": ["O"]}, like=SPINEL), "common"),
        (Wish(limits={"required": ["O"], "charge": "none"}), "none"),
        (Wish(limits={"chemsys": "Y-Al-Cu"}), None),
        (Wish(formula="Na3O", limits={"required": ["O"]}), None),
        (Wish(limits={"forbidden": ["O"]}), None),
    ],
)
def test_salts_balance_their_usual_charges_unless_the_wish_says_otherwise(wish, charge):
    assert wish.all_limits.get("charge") == wish.request["limits"].get("charge") == charge


@pytest.mark.parametrize(
    ("wish", "name"),
    [
        (Wish(limits={"chemsys": "Li-P-S-Cl"}), "Li-P-S-Cl"),
        (Wish(limits={"required": ["Li", "O"]}, like="types/spinel.cif"), "Li-O-spinel"),
        (Wish(formula="Li6PS5Cl"), "Li6PS5Cl"),
        (Wish(like=SPINEL), SPINEL),
        (Wish(limits={"chemsys": "../../etc"}), "etc"),
        (Wish(), "design"),
    ],
)
def test_a_folder_is_named_after_the_wish(wish, name):
    assert wish.name == name


def test_more_is_drawn_for_more():
    assert [Wish(n=5).pool, Wish(n=1000).pool, Wish(samples=7).pool] == [2_000, 20_000, 7]
    assert Wish(n=5, want={"band_gap": (1, 2)}).pool == 100


def test_all_that_is_drawn_lies_in_the_wanted_range(tmp_path):
    wish = Wish(limits=SMALL, n=3, want={"band_gap": (3, 6)}, samples=20, seed=2, with_known=True)
    lines = []
    design(wish, tmp_path / "out", PLACED, workers=1, say=lines.append)
    for name in (SAMPLES, CRYSTALS):
        gaps = Crystals.from_file(tmp_path / "out" / name).column("band_gap")
        assert ((gaps >= 3) & (gaps <= 6)).all()
    told = pd.read_csv(tmp_path / "out" / WANTED, float_precision="round_trip")
    chosen = Crystals.from_file(tmp_path / "out" / CRYSTALS)
    table = pd.read_csv(tmp_path / "out" / STRUCTURES / "structures.csv")
    assert sorted(told["row"]) == [0, 1, 2]
    for row, formula, before in zip(told["row"], told["formula"], told["input band_gap [eV]"], strict=True):
        assert formula == chosen.formulas[row] == table.set_index("row")["formula"][row]
        assert before == pytest.approx(float(chosen.column("band_gap")[row]))
    again = resolve("band_gap")(read_candidates(tmp_path / "out" / STRUCTURES).crystals()[0])
    assert told["band_gap [eV]"].tolist() == pytest.approx(again.tolist(), abs=1e-5)
    inside = int(((told["band_gap [eV]"] >= 3) & (told["band_gap [eV]"] <= 6)).sum())
    assert (
        f"band_gap from 3 up to 6 eV: predicted again for the structures, {inside} of 3 lie there ({WANTED})" in lines
    )
    columns = wanted_columns(tmp_path / "out")
    assert columns == {"band_gap [eV]": dict(zip(told["row"], told["band_gap [eV]"], strict=True))}
    assert json.loads((tmp_path / "out" / MANIFEST).read_text())["want"] == {"band_gap": [3, 6]}
    with pytest.raises(DataError, match="want"):
        other = Wish(limits=SMALL, n=3, want={"band_gap": (3, 7)}, samples=20, seed=2, with_known=True)
        design(other, tmp_path / "out", PLACED, workers=1, resume=True)


def test_structures_are_told_by_their_sites_and_what_fails_loses_nothing(tmp_path, monkeypatch):
    ranges = {"known": (0, 0), "energy_above_hull": (None, 1)}
    wish = Wish(limits=SMALL, n=2, want=ranges, samples=20, seed=2, with_known=True)
    lines = []
    design(wish, tmp_path / "out", PLACED, workers=1, say=lines.append)
    told = pd.read_csv(tmp_path / "out" / WANTED)
    assert told["known"].tolist() == [0, 0]
    crystals = read_candidates(tmp_path / "out" / STRUCTURES).crystals(sites=True)[0]
    with_sites = resolve("energy_above_hull")(crystals).tolist()
    assert told["energy_above_hull [eV/atom]"].tolist() == pytest.approx(with_sites, abs=1e-5)
    without = resolve("energy_above_hull")(read_candidates(tmp_path / "out" / STRUCTURES).crystals()[0])
    assert with_sites != pytest.approx(without.tolist(), abs=1e-3)  # another model

    def fails(crystals):
        raise ValueError("no use")

    monkeypatch.setattr(resolve("known"), "function", fails)
    table = design(wish, tmp_path / "out", PLACED, workers=1, resume=True, say=lines.append)
    assert len(table) == 2
    assert lines[-2].startswith("known from 0 up to 0: not predicted again for the structures: property 'known' failed")
    assert pd.read_csv(tmp_path / "out" / WANTED)["known"].isna().all()


def test_a_model_that_is_gone_is_said_before_the_work(tmp_path):
    wish = Wish(limits=SMALL, n=1, want={"density": (1, None)}, samples=20, seed=2, with_known=True)
    design(wish, tmp_path / "out", PLACED, workers=1)
    (tmp_path / "out" / WANTED).unlink()
    gone = Wish(limits=SMALL, n=1, want={str(tmp_path / "gone"): (1, None)}, samples=20, seed=2, with_known=True)
    with pytest.raises(PropertyError, match="unknown property"):
        design(gone, tmp_path / "new", PLACED, workers=1)
    assert not (tmp_path / "new").exists()


def test_a_wish_that_found_nothing_new_leaves_its_folder_free(tmp_path, monkeypatch):
    wish = Wish(limits=SMALL, n=1, samples=3, seed=2, with_known=True)

    def none(samples, wish):
        raise DataError("design: all known")

    with monkeypatch.context() as patch:
        patch.setattr(wishes, "choose", none)
        with pytest.raises(DataError, match="all known"):
            design(wish, tmp_path / "out", PLACED, workers=1)
    more = Wish(limits=SMALL, n=1, samples=20, seed=2, with_known=True)
    assert len(design(more, tmp_path / "out", PLACED, workers=1)) == 1


def test_another_model_of_the_same_name_is_another_wish(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    wish = Wish(want={str(folder): (1, 2)})
    assert "wanted_models" not in Wish(want={"band_gap": (1, 2)}).request
    found = []
    for content in (b"one", b"two"):
        (folder / "weights.safetensors").write_bytes(content)
        found.append(wish.request["wanted_models"][str(folder)])
    assert found[0] != found[1]
