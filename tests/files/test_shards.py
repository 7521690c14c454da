"""Shards: which rows each has, and whether parts are those of one run."""

from pathlib import Path

import pytest

from crystalgfn.errors import ConfigError, DataError
from crystalgfn.files.shards import Part, Shard, check_parts


def part(text, **about):
    return Part(Path(f"part-{text[0]}"), Shard.parse(text), {"n": 9, "shard": text, **about})


@pytest.mark.parametrize("text", ["3", "0/3", "4/3", "1/0", "a/b", "-1/3", "1/3/5"])
def test_what_is_no_shard_is_refused(text):
    with pytest.raises(ConfigError, match="allowed: K/N"):
        Shard.parse(text)


@pytest.mark.parametrize(("n", "of"), [(10, 3), (64, 64), (7, 8), (1, 1)])
def test_every_row_is_in_one_shard(n, of):
    shards = [Shard(number, of) for number in range(1, of + 1)]
    assert [row for shard in shards for row in shard.block(n)] == list(range(n))
    assert sorted(row for shard in shards for row in shard.positions(n).tolist()) == list(range(n))
    sizes = [len(shard.block(n)) for shard in shards]
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([], "found none"),
        ([part("1/2"), part("2/2", n=8)], "part-2: n 8, but 9 in part-1"),
        ([part("1/2"), part("2/2", limits={})], r"part-2: limits \{\}, but None"),
        ([part("1/2"), part("2/3")], "number of shards 3, but 2"),
        ([part("1/2"), part("1/2")], r"shard 1/2 is given 2 times \(part-1, part-1\)"),
        ([part("1/9"), part("3/9")], "missing: 2/9, 4/9, 5/9, 6/9, 7/9 and 2 more, allowed: all 9"),
        (
            [part("1/999999999")],
            "and 999,999,993 more",
        ),  # as a stranger's file may say: named without counting them all
    ],
)
def test_what_is_no_whole_run_is_refused(parts, message):
    with pytest.raises(DataError, match=message):
        check_parts(parts)


def test_a_whole_run_is_taken_in_any_order():
    check_parts([part("3/3"), part("1/3"), part("2/3")])
