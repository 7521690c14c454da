"""Goals: values at points, edges without a kink, and one line for what is no goal."""

from __future__ import annotations

import pytest
import torch

from crystalgfn.errors import ConfigError
from crystalgfn.rewards.goals import GOALS, AtLeast, AtMost, Between, Maximise, Minimise, Near, parse_goal

CASES = [
    ("minimise", Minimise(), [-2, 0, 3], [2, 0, -3]),
    ("minimize", Minimise(), [1], [-1]),
    ("maximise", Maximise(), [-2, 0, 3], [-2, 0, 3]),
    ("maximize", Maximise(), [1], [1]),
    ({"target": 1, "width": 0.5}, Near(1.0, 0.5), [1, 1.5, 0, 2], [0, -0.5, -2, -2]),
    ({"at_most": 5, "width": 2}, AtMost(5.0, 2.0), [-9, 5, 6, 7, 9], [0, 0, -0.125, -0.5, -1.5]),
    ({"at_least": 5, "width": 2}, AtLeast(5.0, 2.0), [19, 5, 4, 3, 1], [0, 0, -0.125, -0.5, -1.5]),
    ({"between": [1, 2], "width": 1}, Between((1.0, 2.0), 1.0), [1, 1.5, 2, 3, 0.5, -2], [0, 0, 0, -0.5, -0.125, -2.5]),
]


@pytest.mark.parametrize(("written", "goal", "values", "expected"), CASES, ids=lambda x: str(x)[:24])
def test_values_at_points(written, goal, values, expected):
    assert parse_goal(written) == goal
    assert goal(torch.tensor(values, dtype=torch.float64)).tolist() == pytest.approx(expected)


def test_every_goal_is_looked_at():
    assert {type(goal) for _, goal, _, _ in CASES} == set(GOALS.values())


@pytest.mark.parametrize("goal", [Near(1.0, 0.5), AtMost(5.0, 2.0), AtLeast(5.0, 2.0), Between((1.0, 2.0), 0.3)])
def test_edges_are_smooth_and_slopes_bounded(goal):
    x = torch.linspace(-10, 15, 50_001, dtype=torch.float64, requires_grad=True)
    goal(x).sum().backward()
    assert x.grad.diff().abs().max() < 25 / 50_000 / goal.width**2 * 1.01  # no jump of the slope
    if not isinstance(goal, Near):
        assert x.grad.abs().max() <= 1 / goal.width + 1e-9
    step = x.detach()[1] - x.detach()[0]
    slopes = goal(x.detach()).diff() / step
    assert torch.allclose(slopes, (x.grad[1:] + x.grad[:-1]) / 2, atol=1e-3)


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("minimse", "nearest: 'minimise'"),
        ("target", "allowed: minimise, maximise, or a mapping"),
        (3, "a mapping such as"),
        (None, "a mapping such as"),
        ({}, "found nothing"),
        ({"width": 1}, "exactly one of"),
        ({"at_mots": 5, "width": 1}, "nearest: 'at_most'"),
        ({"at_most": 5, "at_least": 1, "width": 1}, "exactly one of"),
        ({"at_most": 5}, "width is missing"),
        ({"at_most": 5, "width": 0}, "a number above 0"),
        ({"at_most": 5, "width": -1.0}, "a number above 0"),
        ({"at_most": "5", "width": 1}, "at_most is '5', allowed: a number"),
        ({"at_most": True, "width": 1}, "allowed: a number"),
        ({"at_most": float("nan"), "width": 1}, "allowed: a number"),
        ({"at_most": [1, 2], "width": 1}, "allowed: a number"),
        ({"between": [2, 1], "width": 1}, "low < high"),
        ({"between": [1, 1], "width": 1}, "low < high"),
        ({"between": [1], "width": 1}, "low < high"),
        ({"between": 1, "width": 1}, "low < high"),
        ({"between": [0, float("inf")], "width": 1}, "low < high"),
        ({"target": 1, "width": 1, "widht": 2}, "unknown key 'widht'"),
    ],
)
def test_what_is_no_goal(written, words):
    with pytest.raises(ConfigError, match=words) as caught:
        parse_goal(written)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("goal")
