"""What rewards ask for, from their terms to the column of a table of candidates."""

import pytest

from crystalgfn.crystals.crystal import Crystals
from crystalgfn.crystals.property import CheckedProperty
from crystalgfn.rewards.asks import Asks, asked_by, origin, stated
from crystalgfn.rewards.goals import AtMost, Maximise, Minimise
from crystalgfn.rewards.reward import Reward
from crystalgfn.rewards.terms.factor import FactorTerm
from crystalgfn.rewards.terms.property import PropertyTerm
from crystalgfn.runs.model import load
from crystalgfn.structures.candidates.requests import digests, requests


def term(name, goal=None, unit="eV/atom"):
    return PropertyTerm(CheckedProperty(name, lambda crystals: None, unit), goal or Minimise())


NOVEL = FactorTerm(CheckedProperty("known", lambda crystals: None, ""), 0.5, of=1)


@pytest.mark.parametrize(
    ("terms", "asks"),
    [
        ([term("energy_above_hull"), NOVEL], Asks.STABILITY),
        ([term("energy_above_hull", AtMost(0.1, 0.05))], Asks.STABILITY),
        ([term("energy_above_hull"), term("formation_energy")], Asks.STABILITY),
        ([term("energy_above_hull"), term("band_gap", unit="eV")], Asks.PROPERTY),
        ([term("energy_above_hull", Maximise())], Asks.PROPERTY),
        ([term("formation_energy")], Asks.PROPERTY),
        ([NOVEL], Asks.PROPERTY),
        ([], Asks.PROPERTY),
    ],
)
def test_a_reward_asks_for_stability_if_its_terms_ask_for_nothing_more(terms, asks):
    assert Reward(terms).asks is asks
    assert asked_by(each.asks for each in terms) is asks


def test_tables_that_state_nothing_or_something_else():
    assert stated({"log_reward": origin(Asks.STABILITY)}) == "stability"
    assert stated({"log_reward": "property model x"}) == stated({"log_reward": ""}) == stated({}) == ""
    assert stated({"log_reward": "reward, which asks for money"}) == ""


def test_samples_state_it_in_parquet_files_and_requests_hand_it_on(tmp_path):
    model = load("default")
    assert model.target.reward.asks is Asks.STABILITY
    samples = model.sample(4, seed=0)
    samples.to_parquet(tmp_path / "x.parquet")
    samples.to_csv(tmp_path / "x.csv")
    found, bare = (Crystals.from_file(tmp_path / f"x.{suffix}") for suffix in ("parquet", "csv"))
    assert {request.reward_for for request in requests(found[1:])} == {"stability"}
    assert {request.reward_for for request in requests(bare)} == {""}
    assert digests(requests(found)) == digests(requests(bare))
