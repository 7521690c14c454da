"""Pareto fronts: against a direct search, and on crystals with goals of several shapes."""

import numpy as np
import torch

from crystalgfn.crystals.crystal import Crystals
from crystalgfn.properties.registry import resolve
from crystalgfn.report.pareto import front, pareto_front
from crystalgfn.rewards.goals import parse_goal
from crystalgfn.rewards.terms.property import PropertyTerm


def test_fronts_agree_with_a_direct_search():
    rng = np.random.default_rng(0)
    for n, k in ((1, 2), (50, 1), (300, 2), (1200, 3)):
        scores = rng.integers(0, 40, (n, k)).astype(float)
        found = front(scores)
        beaten = [any((other >= row).all() and (other > row).any() for other in scores) for row in scores]
        assert not found[beaten].any()
        assert len(np.unique(scores[~np.array(beaten)], axis=0)) == found.sum()


def test_goals_say_what_better_means():
    lattice = torch.tensor(
        [[4.0, 4, 4, 90, 90, 90], [5, 5, 5, 90, 90, 90], [6, 6, 6, 90, 90, 90], [9, 9, 9, 90, 90, 90]]
    )
    crystals = Crystals((8, 12), torch.tensor([225] * 4), torch.tensor([[4, 4]] * 4), lattice)
    crystals = crystals.with_columns(
        **{name: resolve(name)(crystals).numpy() for name in ("density", "volume_per_atom")}
    )
    columns = {
        "density [g/cm3]": crystals.column("density"),
        "volume_per_atom [A^3/atom]": crystals.column("volume_per_atom"),
    }
    crystals = crystals.with_columns(**columns)
    near = parse_goal({"target": 27.0, "width": 1.0})
    terms = [PropertyTerm(resolve("density"), parse_goal("maximise")), PropertyTerm(resolve("volume_per_atom"), near)]
    assert pareto_front(crystals, terms).lattice[:, 0].tolist() == [4.0, 5.0, 6.0]  # 9 A is lighter and further off
