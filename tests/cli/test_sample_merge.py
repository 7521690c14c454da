"""``crystalgfn sample --shard`` and ``sample merge``: tables that machines sampled apart are that of one run."""

from __future__ import annotations

import pytest

from crystalgfn.runs import model
from crystalgfn.runs.training import train
from small_run import small_config


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    train(small_config(), folder)
    return folder


@pytest.fixture
def sample(run, call, tmp_path, monkeypatch):
    """Sample 50 crystals in chunks of 12; gives what ``call`` gives."""
    monkeypatch.setattr(model, "CHUNK", 12)
    return lambda name, *options: call("sample", str(run), "-n", "50", "-o", str(tmp_path / name), *options)


@pytest.mark.parametrize("limits", [[], ["--require", "O", "--n-elements", "2:3"]])
def test_shards_are_joined_to_the_table_of_one_run(sample, call, tmp_path, limits):
    rows = [sample(f"part-{number}.parquet", "--shard", f"{number}/3", *limits)[1] for number in (3, 1, 2)]
    assert [text.splitlines()[-1].split()[0] for text in rows] == ["26", "12", "12"]
    assert "effective sample size of the samples" in rows[0]
    assert sample("one.parquet", "-o", str(tmp_path / "one.csv"), *limits)[0] == 0
    whole = [tmp_path / "all.parquet", tmp_path / "all.csv"]
    arguments = [
        "sample",
        "merge",
        *map(str, sorted(tmp_path.glob("part-*"))),
        "-o",
        str(whole[0]),
        "-o",
        str(whole[1]),
    ]
    code, out, _ = call(*arguments)
    assert (code, "50 crystals written to" in out) == (0, True)
    assert [path.read_bytes() for path in whole] == [
        (tmp_path / f"one.{end}").read_bytes() for end in ("parquet", "csv")
    ]
    code, _, err = call(*arguments)
    assert (code, "exists already" in err) == (2, True)


def test_a_killed_shard_goes_on(sample, tmp_path, monkeypatch):
    sample("one.parquet", "--shard", "2/2")
    draw, drawn = model.Model._draw, []

    def killed(self, n, *, seed, chunk):
        drawn.append(chunk)
        if len(drawn) == 2:
            raise KeyboardInterrupt
        return draw(self, n, seed=seed, chunk=chunk)

    monkeypatch.setattr(model.Model, "_draw", killed)
    assert sample("part.parquet", "--shard", "2/2")[0] == 130
    code, _, err = sample("part.parquet", "--shard", "1/2")
    assert (code, "shard: '2/2' then, '1/2' now" in err) == (2, True)
    assert sample("part.parquet", "--shard", "2/2")[0] == 0
    assert drawn == [2, 3, 3, 4]
    assert (tmp_path / "part.parquet").read_bytes() == (tmp_path / "one.parquet").read_bytes()


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("part.parquet", ["--best", "3"], "--shard: --best is given, which needs all samples at once"),
        ("part.parquet", ["--pareto"], "--shard: --pareto is given"),
        ("part.parquet", ["--resample"], "--shard: --resample is given"),
        ("part.parquet", ["--finetune", "3"], "--shard: --finetune is given"),
        ("part.csv", [], "--shard: found part.csv, allowed: a .parquet file"),
    ],
)
def test_what_a_shard_cannot_do_is_refused(sample, tmp_path, name, options, message):
    code, out, err = sample(name, "--shard", "1/2", *options)
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1
    assert not list(tmp_path.glob("part*"))


def test_more_shards_than_chunks_are_refused(sample, tmp_path):
    code, _, err = sample("part.parquet", "--shard", "1/6")
    assert (code, "--shard: found 1/6, allowed: up to 5, of 12 crystals each" in err) == (2, True)
    assert not list(tmp_path.glob("part*"))
