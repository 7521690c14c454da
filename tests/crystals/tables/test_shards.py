"""Tables of shards, joined: byte for byte the table of one run, or the reason why not."""

import json

import pyarrow.parquet as pq
import pytest

from crystalgfn.crystals.crystal import Crystals
from crystalgfn.crystals.tables import TableWriter, writer
from crystalgfn.crystals.tables.shards import SHARD_KEY, join, metadata_of, of_shard, rows_of
from crystalgfn.errors import ConfigError, DataError
from crystalgfn.files.shards import Shard
from cubic_crystals import ROWS, cubic

MANIFEST = {"n": 11, "chunk": 2, "seed": 0, "model": "a hash", "limits": {}}
CRYSTALS = cubic(*(ROWS * 3)[:11]).with_columns(log_weight=[0.1 * row for row in range(11)])


def write(path, rows, manifest, crystals=CRYSTALS, **options):
    with TableWriter(path, manifest=manifest, **options) as table:
        for row in rows[::2]:
            table.write_crystals(crystals[row : min(row + 2, rows.stop)])
    return path


def part(path, number, of=3, crystals=CRYSTALS, **changes):
    shard = Shard(number, of)
    manifest = {**of_shard(MANIFEST, shard), **changes}
    return write(path, rows_of(shard, 11, 2), manifest, crystals, metadata=metadata_of(manifest))


@pytest.fixture(autouse=True)
def several_row_groups(monkeypatch):
    """Groups of four rows: they end within shards, and go on in the next ones."""
    monkeypatch.setattr(writer, "ROW_GROUP", 3)


@pytest.fixture
def parts(tmp_path):
    return [part(tmp_path / f"part-{number}.parquet", number) for number in (1, 2, 3)]


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_joined_shards_are_the_table_of_one_run(parts, tmp_path, suffix):
    one = write(tmp_path / f"one{suffix}", range(11), MANIFEST)
    whole = tmp_path / f"all{suffix}"
    assert join(parts[::-1], [whole]) == 11
    assert whole.read_bytes() == one.read_bytes()
    assert not list(tmp_path.glob("*.partial"))
    assert len(pq.read_table(parts[0])) == 4


def test_a_shard_is_a_table_of_crystals(parts):
    assert Crystals.from_file(parts[1]).equals(CRYSTALS[4:8])


def test_joining_goes_on_where_a_damage_was_mended(parts, tmp_path):
    good = parts[1].read_bytes()
    footer = int.from_bytes(good[-8:-4], "little") + 8
    parts[1].write_bytes(bytes(len(good) - footer).replace(b"\0", b"PAR1", 1)[: len(good) - footer] + good[-footer:])
    whole = tmp_path / "all.parquet"
    with pytest.raises(DataError, match=r"part-2\.parquet: not a readable parquet table"):
        join(parts, [whole])
    assert not whole.exists()
    assert len(list((tmp_path / "all.parquet.partial").glob("part-*"))) == 2
    parts[1].write_bytes(good)
    join(parts, [whole])
    assert whole.read_bytes() == write(tmp_path / "one.parquet", range(11), MANIFEST).read_bytes()


def test_shards_that_do_not_belong_together_are_refused(parts, tmp_path):
    first, second, third = parts
    other = part(tmp_path / "other.parquet", 2, seed=1)
    old = part(tmp_path / "old.parquet", 2, version="0.0.1")
    narrower = part(tmp_path / "narrower.parquet", 2, limits={"required": ["Li"]})
    fewer = part(tmp_path / "fewer.parquet", 2, of=4)
    more = part(tmp_path / "more.parquet", 2, crystals=CRYSTALS.with_columns(score=[1.0] * 11))
    one = write(tmp_path / "one.parquet", range(11), MANIFEST)
    for tables, message in (
        ([first, other, third], "other.parquet: seed 1, but 0 in"),
        ([first, old, third], r"old.parquet: version '0\.0\.1', but"),
        ([first, narrower, third], "narrower.parquet: limits "),
        ([first, fewer, third], "fewer.parquet: number of shards 4, but 3 in"),
        ([first, more, third], "more.parquet: other columns than"),
        ([first, third], "shards missing: 2/3, allowed: all 3"),
        ([first, second, third, second], "shard 2/3 is given 2 times"),
        ([first, second, one], "one.parquet: no shard, allowed: tables of crystalgfn sample --shard"),
        ([first, second, tmp_path / "part-4.parquet"], "part-4.parquet: no such file"),
    ):
        with pytest.raises(DataError, match=message):
            join(tables, [tmp_path / "all.parquet"])
    with pytest.raises(DataError, match=r"part-2\.parquet: a shard, allowed: another file to write"):
        join(parts, [second])
    assert not list(tmp_path.glob("all*"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n": 13}, "3 rows, allowed: 5, all of shard 3/3"),
        ({"n": "many"}, "found 'many'"),
        ({"n": 10**30}, "rows, allowed"),
        ({"chunk": 0}, "allowed: 1 or more"),
        ({"shard": "4/3"}, "allowed: K/N"),
        ({"shard": None}, "shard: found None"),
        ("[" * 9000, "part-3.parquet: "),
    ],
)
def test_what_a_stranger_wrote_into_the_metadata_is_looked_at(parts, tmp_path, change, message):
    table = pq.read_table(parts[2])
    about = change
    if isinstance(change, dict):
        about = json.dumps(json.loads(table.schema.metadata[SHARD_KEY]) | change)
    pq.write_table(table.replace_schema_metadata({**table.schema.metadata, SHARD_KEY: about}), parts[2])
    with pytest.raises(DataError, match=message):
        join(parts, [tmp_path / "all.parquet"])
    assert not (tmp_path / "all.parquet.partial").exists()


def test_there_are_no_more_shards_than_chunks():
    with pytest.raises(ConfigError, match="found 1/7, allowed: up to 6, of 2 crystals each"):
        of_shard(MANIFEST, Shard(1, 7))
