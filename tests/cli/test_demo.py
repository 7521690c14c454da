"""``crystalgfn demo``: what it relaxes, with a hull that lacks elements and with one that knows all."""

from crystalgfn.cli.demo import choose
from crystalgfn.config import parse_config
from crystalgfn.crystallography.elements import SYMBOLS
from crystalgfn.runs.model import untrained
from crystalgfn.stability.hull import Hull
from small_run import small_config


def hull(*symbols) -> Hull:
    return Hull([({symbol: 1.0}, 0.0) for symbol in symbols])


def site_model():
    content = small_config().model_dump(mode="json")
    content["constraints"] |= {"sites": "wyckoff", "charge": "none"}
    return untrained(parse_config(content))


def elements_of(crystals) -> list[set[str]]:
    return [{SYMBOLS[z] for z, n in zip(crystals.elements, row, strict=True) if n} for row in crystals.counts.tolist()]


def test_half_have_the_elements_of_a_hull_that_lacks_some():
    model = site_model()
    crystals = model.sample(200, seed=0).with_columns(known_pattern=[1.0] * 200)
    chosen = choose(model, crystals, 6, hull=hull("Li", "F", "Xe"), seed=0)
    assert 0 < len(chosen) <= 6
    judged = [kinds <= {"Li", "F"} for kinds in elements_of(chosen)]
    assert judged[-1]
    assert not all(judged)


def test_all_are_as_drawn_where_the_hull_knows_all_elements_or_none():
    model = site_model()
    crystals = model.sample(200, seed=0).with_columns(known_pattern=[1.0] * 200)
    first = choose(model, crystals, 4, hull=hull("Li", "O", "F", "Mg"), seed=0)
    assert first.equals(choose(model, crystals, 4, hull=hull("Xe"), seed=0))
    drawn = {(formula, int(g)) for formula, g in zip(crystals.formulas, crystals.space_group, strict=True)}
    assert {(formula, int(g)) for formula, g in zip(first.formulas, first.space_group, strict=True)} <= drawn
