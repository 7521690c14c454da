"""Choices of a section from a registry: what is read is written again, and a mistake is one sentence."""

from typing import Annotated

import pytest
from pydantic import Field, ValidationError

from crystalgfn.section import OneOf, Section


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
