"""Shards of a run, joined: the folder of one run, or the reason why not."""

import json
import shutil

import pandas as pd
import pytest

from crystalgfn.cli import main
from crystalgfn.errors import ConfigError, DataError
from crystalgfn.files.locks import LOCK
from crystalgfn.files.shards import Shard
from crystalgfn.structures.candidates.engines.local import LocalEngine
from crystalgfn.structures.candidates.merging import merge
from crystalgfn.structures.candidates.pipeline import run
from crystalgfn.structures.candidates.requests import SearchSettings
from crystalgfn.structures.candidates.sources import Choice
from crystalgfn.structures.candidates.workers import Tools
from cubic_crystals import ROWS, cubic
from holder import holding

N = 3


def go(table, folder, *, seed=0, **more):
    tools = Tools(potential="", hull="", library="")
    return run(table, folder, tools, SearchSettings(placements=1, seed=seed), engine=LocalEngine(1), **more).path


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    path = tmp_path_factory.mktemp("table") / "crystals.parquet"
    crystals = cubic(*ROWS, *ROWS[::-1])
    crystals.with_columns(score=[3.0, 1, 4, 1, 5, 9, 2, 6]).to_parquet(path)
    return path


@pytest.fixture(scope="module")
def made(table, tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    go(table, folder / "one")
    for number in range(1, N + 1):
        go(table, folder / f"shard-{number}", shard=Shard(number, N))
    return folder


@pytest.fixture
def shards(made, tmp_path):
    """Copies of the shards, to be damaged."""
    return [shutil.copytree(made / f"shard-{number}", tmp_path / f"shard-{number}") for number in range(1, N + 1)]


def contents(folder):
    """Every file of a run without the seconds that rows took: bytes, or values where seconds stand among them."""
    found = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for name in found:
        if name.startswith("parts/"):
            part = json.loads(found[name])
            part["row"] = {key: value for key, value in part["row"].items() if not key.startswith("seconds")}
            found[name] = json.dumps(part)
    for name, read in (("structures.parquet", pd.read_parquet), ("structures.csv", pd.read_csv)):
        found[name] = read(folder / name).filter(regex="^(?!seconds)").to_csv()
    return found


def test_joined_shards_are_the_folder_of_one_run(made, shards, tmp_path):
    whole = merge(shards[::-1], tmp_path / "all")
    assert contents(whole.path) == contents(made / "one")
    rows = pd.read_parquet(tmp_path / "all" / "structures.parquet")
    assert rows["row"].tolist() == list(range(2 * len(ROWS)))
    assert rows["match_group"].value_counts().max() == 4  # rock salt in both writings, twice: beyond any one shard


def test_a_joined_run_goes_on(table, shards, tmp_path):
    merge(shards, tmp_path / "all")
    before = contents(tmp_path / "all")
    with pytest.raises(DataError, match="--resume"):
        merge(shards, tmp_path / "all")
    merge(shards, tmp_path / "all", resume=True)
    go(table, tmp_path / "all", resume=True)
    assert contents(tmp_path / "all") == before


def test_shards_of_chosen_rows_and_more_of_them(table, tmp_path):
    for n in (3, 6):
        for number in (1, 2):
            folder = tmp_path / f"shard-{number}"
            go(table, folder, shard=Shard(number, 2), choice=Choice(n, "score:desc"), resume=n == 6)
    merge([tmp_path / "shard-1", tmp_path / "shard-2"], tmp_path / "all")
    go(table, tmp_path / "one", choice=Choice(6, "score:desc"))
    assert contents(tmp_path / "all") == contents(tmp_path / "one")


def test_joining_is_refused_where_another_process_works(shards, tmp_path):
    folder = tmp_path / "all"
    with holding(folder) as process:
        with pytest.raises(DataError, match=f"all: in use by process {process.pid} on ") as refused:
            merge(shards, folder)
        assert "\n" not in str(refused.value)
        assert [path.name for path in folder.iterdir()] == [LOCK]
    merge(shards, folder)
    assert not (folder / LOCK).exists()


def test_a_killed_shard_goes_on_and_no_row_is_forgotten(table, made, shards, tmp_path):
    for part in ("00000001", "00000007"):
        (shards[1] / "parts" / f"{part}.json").unlink()
    with pytest.raises(DataError, match=r"shard-2: rows missing: 1, 7, allowed: .*--resume"):
        merge(shards, tmp_path / "all")
    assert not (tmp_path / "all").exists()
    go(table, shards[1], shard=Shard(2, N), resume=True)
    merge(shards, tmp_path / "all")
    assert contents(tmp_path / "all") == contents(made / "one")


def test_a_half_written_part_is_named_and_joining_goes_on(made, shards, tmp_path):
    part = shards[2] / "parts" / "00000005.json"
    text = part.read_text()
    part.write_text(text[: len(text) // 2])
    with pytest.raises(DataError, match=r"00000005\.json"):
        merge(shards, tmp_path / "all")
    assert not (tmp_path / "all" / "structures.parquet").exists()
    part.write_text(text)
    merge(shards, tmp_path / "all", resume=True)
    assert contents(tmp_path / "all") == contents(made / "one")


def test_shards_that_do_not_belong_together_are_refused(table, made, shards, tmp_path):
    other = go(table, tmp_path / "other", shard=Shard(2, N), seed=1)
    fewer = go(table, tmp_path / "fewer", shard=Shard(2, 2))
    fewer_rows = go(table, tmp_path / "fewer-rows", shard=Shard(2, N), choice=Choice(5))
    old = shutil.copytree(shards[1], tmp_path / "old")
    about = json.loads((old / "manifest.json").read_text())
    (old / "manifest.json").write_text(json.dumps({**about, "version": "0.0.1"}))
    first, second, third = shards
    for folders, wanted in (
        ([first, other, third], "other: seed 1, but 0 in"),
        ([first, fewer, third], "fewer: number of shards 2, but 3 in"),
        ([first, fewer_rows, third], "fewer-rows: n 5, but 8 in"),
        ([first, old, third], r"old: version '0\.0\.1', but"),
        ([first, third], "shards missing: 2/3, allowed: all 3"),
        ([first, second, second, third], "shard 2/3 is given 2 times"),
        ([first, second, made / "one"], "one: no shard, allowed: folders of crystalgfn structures --shard"),
        ([first, second, tmp_path], "no shard, allowed"),
    ):
        with pytest.raises(DataError, match=wanted):
            merge(folders, tmp_path / "all")
    assert not (tmp_path / "all").exists()


@pytest.mark.parametrize("change", [{"rows": [0, 3, 7]}, {"rows": [0, 3]}, {"rows": "all"}, {"shard": "4/3"}])
def test_a_manifest_that_was_tampered_with_is_refused(shards, tmp_path, change):
    file = shards[0] / "manifest.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(DataError, match=r"rows|shard"):
        merge(shards, tmp_path / "all")
    assert not (tmp_path / "all").exists()


def test_a_shard_is_no_run_of_all_rows(table, shards):
    with pytest.raises(DataError, match="started with shard '1/3', found None"):
        go(table, shards[0], resume=True)
    with pytest.raises(ConfigError, match="--compare: not for a shard"):
        go(table, shards[0], resume=True, shard=Shard(1, N), compare=table)


def test_the_command_joins(shards, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["structures", "merge", *map(str, shards), "-o", str(tmp_path / "all")])
    assert ended.value.code == 0
    assert "8 placed; written to" in capsys.readouterr().out
