"""Ranges of properties that samples are drawn for."""

import numpy as np
import pytest

from crystalgfn.config import load_preset
from crystalgfn.crystals.property import CheckedProperty
from crystalgfn.errors import ConfigError, PropertyError
from crystalgfn.runs.model import CHUNK, untrained
from crystalgfn.runs.wanted import Wanted, asked, foreign
from small_run import small_config

DENSITY = "density [g/cm3]"


@pytest.fixture(scope="module")
def model():
    return untrained(small_config())


def test_all_samples_lie_in_the_ranges(model):
    plain = model.sample(500, seed=0)
    low, high = np.quantile(plain.column("density"), [0.3, 0.6])
    crystals = model.within(density=(low, high), n_elements=(2, 3)).sample(400, seed=1)
    assert len(crystals) == 400
    assert (crystals.column("density") >= low).all()
    assert (crystals.column("density") <= high).all()
    assert set(crystals.column("n_elements")) <= {2, 3}
    assert crystals.equals(model.within(density=(low, high), n_elements=(2, 3)).sample(400, seed=1))


def test_they_are_those_of_the_model_that_lie_there_with_their_weights(model):
    """What is drawn and does not lie in the range is left out, and nothing else changes."""
    high = float(np.median(model.sample(500, seed=0).column("density")))
    drawn = model._described(model._trajectories(CHUNK, [5, 0, 0]))
    expected = drawn[drawn.column("density") <= high]
    n = len(expected)
    assert 0 < n < CHUNK
    found = model.within(density=(None, high)).sample(n, seed=5)
    assert found.formulas == expected.formulas
    for name in ("density", "log_reward", "log_pf", "log_pb", "log_weight"):
        np.testing.assert_allclose(found.column(name), expected.column(name), rtol=1e-5, atol=1e-5)


def test_a_property_that_no_term_asks_for_becomes_a_column(model):
    assert "band_gap [eV]" not in model.sample(5, seed=0).columns
    crystals = model.within(band_gap=(None, 0.5)).sample(30, seed=0)
    assert (crystals.column("band_gap [eV]") <= 0.5).all()


def test_a_later_range_replaces_one_of_the_same_property(model):
    wanted = model.within(density=(1, 2), n_elements=(None, 3)).within(density=(3, None)).wanted
    assert {each.name: each.bounds for each in wanted} == {"n_elements": [None, 3.0], "density": [3.0, None]}


def test_elements_that_a_property_does_not_know_are_forbidden():
    default = untrained(load_preset("default"))
    gap = Wanted.of("band_gap", (1, 2))
    left_out = default.within(band_gap=(1, 2)).config.constraints.elements.forbidden
    assert set(left_out) == set(default.config.constraints.elements.allowed) - set(gap.prop.elements)
    assert left_out
    again = default.restricted(forbidden=["Pb"]).within(band_gap=(1, 2)).config.constraints.elements.forbidden
    assert set(again) == {*left_out, "Pb"}


def test_strangers_are_named_by_atomic_number():
    gap = Wanted.of("band_gap", (1, 2))
    assert foreign([gap, Wanted.of("density", (1, 2))], ["Pu", "O", "He", "Ac"]) == [
        symbol for symbol in ("He", "O", "Ac", "Pu") if symbol not in gap.prop.elements
    ]
    assert foreign([], ["Pu"]) == []


def test_what_cannot_be_found_is_given_up(model, monkeypatch):
    monkeypatch.setattr("crystalgfn.runs.model.BARREN_DRAWS", 2)
    message = (
        r"wanted: found 0 of 2,000 samples predicted with density from 500 up to 501 g/cm3, allowed: wider ranges, so "
        r"that 5 can be found$"
    )
    with pytest.raises(ConfigError, match=message):
        model.within(density=(500, 501)).sample(5)
    monkeypatch.setattr("crystalgfn.runs.model.MOST_DRAWS", 1)
    high = float(np.quantile(model.sample(500, seed=0).column("density"), 0.1))
    with pytest.raises(ConfigError, match=r"of 1,000 samples .*, so that 900 can be found, or \d+ crystals$"):
        model.within(density=(None, high)).sample(900)


@pytest.mark.parametrize(
    "bounds", [(2, 1), (None, None), (float("nan"), 1), ("a", 1), (1,), (float("inf"), None), (None, float("-inf"))]
)
def test_what_is_no_range_is_refused(bounds):
    with pytest.raises(ConfigError, match=r"density: found .*, allowed: \(least, most\)"):
        Wanted.of("density", bounds)


def test_an_unknown_property_is_named_with_the_nearest():
    with pytest.raises(PropertyError, match=r"'bandgap'.*nearest: 'band_gap'"):
        Wanted.of("bandgap", (1, 2))


def test_ranges_are_read_from_options():
    assert asked(["band_gap=1.4:1.8", "density = 5:", "my/model=:0.5"], "--want") == {
        "band_gap": (1.4, 1.8),
        "density": (5.0, None),
        "my/model": (None, 0.5),
    }


@pytest.mark.parametrize("text", ["density=1.5:2", "density=3:", "density=:0.25"])
def test_a_range_is_written_as_it_was_read(text):
    ((name, bounds),) = asked([text], "--want").items()
    assert Wanted.of(name, bounds).option == text


@pytest.mark.parametrize("text", ["band_gap", "band_gap=1.6", "=1:2", "band_gap=a:2", "band_gap=", "1:2"])
def test_options_that_say_no_range_are_refused(text):
    with pytest.raises(ConfigError, match=r"--want: found .*, allowed: NAME=LEAST:MOST"):
        asked([text], "--want")


def test_a_property_stands_once():
    with pytest.raises(ConfigError, match="--want: found density twice"):
        asked(["density=1:", "density=:2"], "--want")


@pytest.mark.parametrize(
    "text", ["band_gap=2:1", "band_gap=:", "band_gap=nan:1", "band_gap=inf:inf", "band_gap=1e400:"]
)
def test_options_with_nothing_between_are_refused_as_they_were_written(text):
    with pytest.raises(ConfigError, match=rf"--want: found '{text}', allowed: numbers with LEAST no larger than MOST"):
        asked([text], "--want")


def test_a_required_element_that_a_property_does_not_know_is_said_with_the_property():
    default = untrained(load_preset("default")).restricted(required=["Pu"])
    with pytest.raises(ConfigError, match=r"^hhi_production: nothing is known of H, .*Pu; .*Pu is forbidden"):
        default.within(density=(1, None), hhi_production=(0, 1000))


@pytest.mark.parametrize("name", ["log_reward", "domain_distance", "density"])
def test_a_property_with_the_name_of_another_column_is_refused(model, name, monkeypatch):
    def own(crystals):
        return 2 * crystals.density

    unit = "g/cm3" if name == "density" else ""
    monkeypatch.setattr("crystalgfn.runs.wanted.resolve", lambda spec: CheckedProperty(name, own, unit))
    wanted = model.within(own=(0, None))
    with pytest.raises(ConfigError, match=rf"wanted: own is called '{name}', but the column '{name}.*another name"):
        wanted.sample(5)


def test_two_properties_with_one_name_are_refused(model, monkeypatch):
    made = {"one": lambda crystals: crystals.density, "two": lambda crystals: 2 * crystals.density}
    monkeypatch.setattr("crystalgfn.runs.wanted.resolve", lambda spec: CheckedProperty("mine", made[spec]))
    with pytest.raises(ConfigError, match="wanted: two is called 'mine'"):
        model.within(one=(0, None), two=(0, None)).sample(5)
    assert len(model.within(two=(0, None)).sample(5)) == 5
