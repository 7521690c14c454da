"""Splits: one formula on one side, the same energies on each, no dependence on the order of rows."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from crystalgfn.proxies.data.splits import grouped_split, unseen_systems


def rows(n: int = 2000) -> tuple[list[str], np.ndarray]:
    rng = np.random.default_rng(0)
    formulas = [f"F{i}" for i in rng.integers(0, 1200, n)]
    return formulas, rng.normal(size=n)


@given(st.integers(0, 50))
def test_one_formula_never_on_two_sides(seed):
    formulas, target = rows(300)
    split = grouped_split(formulas, target, seed=seed)
    sides = [set(np.array(formulas)[mask]) for mask in (split.train, split.validation, split.test)]
    assert len(set().union(*sides)) == sum(map(len, sides))
    assert (split.train.astype(int) + split.validation + split.test == 1).all()


def test_shares_and_strata():
    formulas, target = rows()
    split = grouped_split(formulas, target, seed=3)
    assert abs(split.test.mean() - 0.1) < 0.02
    assert abs(split.validation.mean() - 0.1) < 0.02
    assert abs(target[split.test].mean() - target.mean()) < 0.1
    assert abs(target[split.test].std() - target.std()) < 0.1


def test_order_of_rows_does_not_matter():
    formulas, _ = rows()
    # ties in the mean must not let the order in: energies in steps
    target = np.array([int(f[1:]) % 7 for f in formulas], dtype=float)
    split = grouped_split(formulas, target, seed=1)
    order = np.random.default_rng(1).permutation(len(formulas))
    again = grouped_split(np.array(formulas)[order], target[order], seed=1)
    assert (again.test == split.test[order]).all()


def test_seeds_differ():
    formulas, target = rows()
    assert (grouped_split(formulas, target, seed=0).test != grouped_split(formulas, target, seed=1).test).any()


def test_side_of_other_rows_and_unseen_systems():
    formulas, target = ["A", "B", "C", "D"] * 10, np.arange(40.0)
    split = grouped_split(formulas, target, seed=0, validation=0.25, test=0.25)
    sides = split.side_of(formulas, ["A", "missing"])
    assert sides[0] in ("train", "validation", "test")
    assert sides[1] is None
    marked = unseen_systems(formulas, split)
    assert (marked == split.test).all()
    assert not unseen_systems(["same"] * 40, split).any()


def test_validation_rows_can_join_the_training_rows():
    formulas, target = rows()
    split = grouped_split(formulas, target, seed=3)
    joined = split.with_validation()
    assert np.array_equal(joined.train, split.train | split.validation)
    assert not joined.validation.any()
    assert np.array_equal(joined.test, split.test)
