"""The reader of small files: size, encoding, depth and shape are looked at, and each fault is one line."""

import hashlib
import json
import math
import os
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crystalgfn.errors import DataError
from crystalgfn.files.reading import (
    check_file,
    open_file,
    parse_json,
    read_bytes,
    read_json,
    read_numbers,
    read_text,
    sha256,
)


@dataclass
class Shape:
    """A shape to ask for."""

    name: str
    numbers: list[float]
    more: dict[str, int] | None = None


def test_content_comes_back(tmp_path):
    path = tmp_path / "x.json"
    path.write_text('{"name": "é", "numbers": [1, 2.5, NaN]}', encoding="utf-8")
    found = read_json(path, Shape)
    assert (found.name, found.numbers[:2], found.more) == ("é", [1.0, 2.5], None)
    assert math.isnan(found.numbers[2])
    assert json.loads(read_text(path)) == json.loads(read_bytes(path))
    assert check_file(path) == path.stat().st_size
    assert sha256(path) == hashlib.sha256(path.read_bytes()).hexdigest()
    with open_file(path) as stream:
        assert stream.read(1) == b"{"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not readable as JSON"),
        ("{", "not readable as JSON"),
        ("[" * 50_000, "nested too deeply"),
        ('{"a": ' * 50_000, "nested too deeply"),
        ("[]", "found list"),
        ("null", "found None"),
        ('{"name": 1, "numbers": []}', "name: found 1, input should be a valid string"),
        ('{"name": "x"}', "numbers: found dict, field required"),
        ('{"name": "x", "numbers": [1, "y"]}', r"numbers\[1\]: found 'y'"),
        ('{"name": "x", "numbers": [], "more": {"a": 0.5}}', "more.a: found 0.5"),
        ('{"name": "x", "name": "y", "numbers": []}', "key 'name' stands twice"),
        ("1" * 5_000, "not readable as JSON"),
    ],
)
def test_another_shape_is_one_line(tmp_path, text, message):
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(DataError, match=message) as caught:
        read_json(path, Shape)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_files_that_are_none(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "large").write_bytes(b"x" * 100)
    (tmp_path / "latin").write_bytes("é".encode("latin-1"))
    for name, message in (
        ("none", "No such file"),
        ("", "a folder"),
        ("pipe", "not a regular file"),
        ("/dev/zero", "not a regular file"),
        ("/dev/null", "not a regular file"),
        ("large", "100 bytes, allowed: up to 50"),
        ("latin", r"no UTF-8 text \(byte 1\)"),
        ("a\0b", "null"),
    ):
        with pytest.raises(DataError, match=message):
            read_text(tmp_path / name, most=50)


LEAVES = st.none() | st.booleans() | st.floats() | st.text()


@given(st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_any_content_is_read_or_refused(content):
    text = json.dumps(content)
    assert json.dumps(parse_json(text, Any, "x")) == text
    for kind in (Shape, dict[str, Any], dict[str, str], list[float]):
        try:
            parse_json(text, kind, "x")
        except DataError as error:
            assert str(error).startswith("x: ")


def test_tables_of_numbers(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("a,b\n1,nan\n-inf,\n")
    found = read_numbers(path)
    assert found["a"] == [1.0, -math.inf]
    assert all(map(math.isnan, found["b"]))
    for text, message in (
        ("a,b\n1\n", "row 1 has 1 cells, allowed: 2"),
        ("a,a\n1,2\n", "two columns of one name"),
        ("a\n1\nx\n", "row 2, column 'a': found 'x'"),
    ):
        path.write_text(text)
        with pytest.raises(DataError, match=message):
            read_numbers(path)
    path.write_text("")
    assert read_numbers(path) == {}
