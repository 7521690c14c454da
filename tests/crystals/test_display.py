"""Crystals at a prompt and in a notebook: short, whatever they hold."""

import numpy as np
import pytest

import crystalgfn
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.errors import DataError
from page_setup import samples


@pytest.mark.parametrize("n", [1, 10, 11, 5_000])
def test_a_look_is_short_and_says_how_many_there_are(n):
    crystals = samples(n)
    text = repr(crystals)
    assert f"Crystals: {n:,}," in text
    assert len(text) < 3_000
    assert crystals.formulas[0] in text
    assert len(text.splitlines()) <= 13
    page = crystals._repr_html_()
    assert len(page) < 20_000
    assert page.count("<tr") == min(n, 10) + 1
    assert "<svg" in page


def test_no_crystals_are_shown_too():
    none = samples(3)[:0]
    assert "none" in repr(none)
    assert "none" in none._repr_html_()


def test_names_and_texts_stay_text():
    hostile = "<script>alert(1)</script>"
    crystals = samples(3).with_columns(**{hostile: np.array([hostile] * 3, object)})
    assert "<script" not in crystals._repr_html_()


def test_missing_values_are_shown_as_missing():
    crystals = samples(2).with_columns(gap=np.array([np.nan, 1.5]), note=np.array([None, "x"], object))
    text = repr(
        Crystals(
            crystals.elements,
            crystals.space_group,
            crystals.counts,
            crystals.lattice,
            {n: crystals.columns[n] for n in ("gap", "note")},
        )
    )
    assert text.count("–") == 2


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("formula", lambda c: c.formulas),
        ("spacegroup", lambda c: c.space_group.tolist()),
        ("space_group", lambda c: c.space_group.tolist()),
        ("density", lambda c: c.density.tolist()),
        ("volume", lambda c: c.volume.tolist()),
        ("volume_per_atom", lambda c: c.volume_per_atom.tolist()),
        ("n_atoms", lambda c: c.n_atoms.tolist()),
        ("a", lambda c: c.lattice[:, 0].tolist()),
        ("formation_energy", lambda c: c.columns["formation_energy [eV/atom]"].tolist()),
        ("formation_energy [eV/atom]", lambda c: c.columns["formation_energy [eV/atom]"].tolist()),
        ("log_reward", lambda c: c.columns["log_reward"].tolist()),
    ],
)
def test_columns_go_by_name(name, expected):
    crystals = samples(20)
    values = crystals[name]
    assert values.shape == (20,)
    assert values.tolist() == expected(crystals)
    assert name in crystals._ipython_key_completions_() or name in ("space_group", "volume", "formation_energy")


def test_a_column_is_a_mask_and_an_own_column_comes_before_a_derived_one():
    crystals = samples(20)
    heavy = crystals[crystals["density"] > 3]
    assert (heavy.density > 3).all()
    own = crystals.with_columns(density=np.arange(20.0))
    assert own["density"].tolist() == list(range(20))


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        ("formla", "nearest: 'formula'"),
        ("formation_enrgy", "nearest: 'formation_energy"),
        ("", "no column ''"),
        (["formula", "density"], "to_dataframe"),
        (None, "allowed: positions"),
    ],
)
def test_what_names_nothing_is_answered_in_a_line(index, expected):
    with pytest.raises(DataError) as raised:
        samples(5)[index]
    assert expected in str(raised.value)
    assert "\n" not in str(raised.value)


def test_best_write_and_report(tmp_path):
    crystals = samples(30)
    best = crystals.best(4, by="formation_energy")
    energies = best["formation_energy"]
    assert len(best) == 4
    assert energies.tolist() == sorted(energies)
    assert energies[0] == crystals["formation_energy"].min()
    assert Crystals.from_file(best.write(tmp_path / "best.csv")).equals(best.with_elements(best.elements))
    assert crystalgfn.best(crystals, 4, energy="formation_energy").formulas == best.formulas
