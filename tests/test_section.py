"""Choices of a section from a registry: what is read is written again, and a mistake is one sentence."""

from typing import Annotated

import pytest
from pydantic import Field, ValidationError

from crystalgfn.section import AngleRange, Name, OneOf, Range, Section


class Circle(Section):
    radius: float = Field(1.0, gt=0)


class Point(Section):
    pass


class Box(Section):
    edges: tuple[float, float]


SHAPES: dict[str, type[Section]] = {"circle": Circle, "point": Point, "box": Box}
CHOICE = OneOf(SHAPES, plain="box")


class Drawing(Section):
    shape: Annotated[Section, CHOICE]


@pytest.mark.parametrize(
    ("written", "section", "again"),
    [
        ("circle", Circle(), {"circle": {"radius": 1.0}}),
        ({"circle": {"radius": 2}}, Circle(radius=2.0), {"circle": {"radius": 2.0}}),
        ({"circle": None}, Circle(), {"circle": {"radius": 1.0}}),
        ("point", Point(), "point"),
        ({"edges": [1, 2]}, Box(edges=(1.0, 2.0)), {"edges": [1.0, 2.0]}),
        (Circle(radius=3.0), Circle(radius=3.0), {"circle": {"radius": 3.0}}),
    ],
)
def test_what_is_read_is_written_again(written, section, again):
    drawing = Drawing.model_validate({"shape": written})
    assert drawing.shape == section
    assert drawing.model_dump(mode="json") == {"shape": again}
    assert Drawing.model_validate(drawing.model_dump(mode="json")) == drawing


@pytest.mark.parametrize(
    ("written", "words", "where"),
    [
        ("circel", "found 'circel', allowed: one of circle, point, .*nearest: 'circle'", ("shape",)),
        (3, "found 3, allowed", ("shape",)),
        ({"circle": {}, "point": {}}, "found circle, point, allowed: one of", ("shape",)),
        ({"circle": {"radius": -1}}, "greater than 0", ("shape", "circle", "radius")),
        ({"circle": {"radios": 1}}, "not permitted", ("shape", "circle", "radios")),
        ({"edge": 1}, "required", ("shape", "edges")),
    ],
)
def test_a_mistake_is_located(written, words, where):
    with pytest.raises(ValidationError, match=words) as caught:
        Drawing.model_validate({"shape": written})
    assert caught.value.errors()[0]["loc"] == where


def test_whoever_adds_an_entry_can_use_it_at_once(monkeypatch):
    class Line(Section):
        length: float

    monkeypatch.setitem(SHAPES, "line", Line)
    assert Drawing.model_validate({"shape": {"line": {"length": 2}}}).shape == Line(length=2.0)


class Numbers(Section):
    one: float = 1.0
    many: list[tuple[float, float]] = Field(default_factory=list)
    named: dict[str, float] = Field(default_factory=dict)
    count: int = 1
    seed: int = 0
    span: Range = (1.0, 2.0)
    angle: AngleRange = (60.0, 120.0)
    where: Name = "here"


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("one", float("inf"), "finite number"),
        ("one", float("-inf"), "finite number"),
        ("one", float("nan"), "finite number"),
        ("one", 1e10, r"one: found 1e\+10, allowed: numbers up to 1e\+09"),
        ("one", -1e300, "allowed: numbers up to"),
        ("many", [[1, 2], [3, float("nan")]], "finite number"),
        ("many", [[1, 2], [3, 1e12]], "many: found 1e"),
        ("named", {"a": float("inf")}, "finite number"),
        ("named", {"a": 1e12}, "named: found 1e"),
        ("count", 10**12, "count: found 1e"),
        ("span", [2, 1], r"found \[2.0, 1.0\], allowed: 0 < least < most"),
        ("span", [1, 1], "0 < least < most"),
        ("span", [0, 1], "0 < least < most"),
        ("span", [1, float("inf")], "finite number"),
        ("angle", [60, 180], "most < 180 degree"),
        ("angle", [120, 60], "least < most"),
        ("angle", [-60, 60], "0 < least"),
        ("where", "~nobody-here/x", "below no home folder"),
    ],
)
def test_numbers_are_finite_bounded_and_in_order(key, value, words):
    with pytest.raises(ValidationError, match=words):
        Numbers.model_validate({key: value})


def test_numbers_that_may_be(monkeypatch):
    monkeypatch.setenv("HOME", "/home/somebody")
    made = Numbers.model_validate(
        {"one": -1e9, "count": 10**9, "seed": 2**62, "span": [1e-6, 1e9], "angle": [1, 179], "where": "~/runs/a"}
    )
    assert (made.one, made.count, made.seed, made.where) == (-1e9, 10**9, 2**62, "/home/somebody/runs/a")
    assert Numbers.model_validate(made.model_dump(mode="json")) == made
