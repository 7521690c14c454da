"""What holds for every command: single options are given once, lists add up, paths and numbers can be meant."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest
import typer

from command_line import is_one_line
from crystalgfn import cli
from crystalgfn.cli.command import LARGEST, MOST, SEEDS, Command, once, strict
from crystalgfn.errors import ConfigError


def commands(command, path=()):
    """Every command below a command, with its words."""
    if hasattr(command, "commands"):
        for name, inner in command.commands.items():
            yield from commands(inner, (*path, name))
    else:
        yield path, command


EVERY = [
    (" ".join(words), command)
    for verb in cli.VERBS
    for words, command in commands(typer.main.get_command(strict(import_module(cli.module_of(verb)).app)), (verb,))
]


def options(command):
    return [parameter for parameter in command.params if parameter.param_type_name == "option"]


def placeholders(command):
    """Something for every argument and every required option, so that parsing goes on to what is tested."""
    given = ["x"] * sum(p.required for p in command.params if p.param_type_name == "argument")
    for option in options(command):
        if option.required:
            given += [max(option.opts, key=len), "x"]
    return given


@pytest.mark.parametrize(("words", "command"), EVERY, ids=[words for words, _ in EVERY])
def test_every_single_option_of_every_command_is_given_once(words, command, call):
    assert isinstance(command, Command)
    for option in options(command):
        if option.multiple or option.name == "help":
            continue
        flag = max(option.opts, key=len)
        twice = [flag, flag] if option.is_flag else [flag, "1", flag, "1"]
        code, out, err = call(*words.split(), *placeholders(command), *twice)
        assert (code, out) == (2, ""), (flag, err)
        assert is_one_line(err), err
        assert flag in err
        assert "allowed: once" in err


def test_a_yes_and_a_no_are_two():
    assert {"--report", "--no-report"} == {
        *(option := next(o for o in options(dict(EVERY)["train"]) if o.name == "report")).opts,
        *option.secondary_opts,
    }


def test_a_yes_beside_a_no_is_refused(call):
    code, _, err = call("train", "default", "-o", "x", "--report", "--no-report")
    assert code == 2
    assert "--report: given 2 times" in err


@pytest.fixture
def asked():
    """A command that keeps what it was given, and a way to call it."""
    app, kept = typer.Typer(), {}

    @app.command()
    def command(
        path: Path = Path(),
        text: str = "",
        paths: list[Path] | None = None,
        number: float = 1.0,
        n: int = 1,
        seed: int = 0,
        workers: int = 1,
    ) -> None:
        kept.update(path=path, text=text, paths=paths, number=number, n=n, seed=seed, workers=workers)

    def caller(*args):
        kept.clear()
        typer.main.get_command(strict(app)).main(list(args), standalone_mode=False)
        return kept

    return caller


def test_a_quoted_tilde_is_the_home_folder(asked, monkeypatch):
    monkeypatch.setenv("HOME", "/home/somebody")
    found = asked("--path", "~/a.csv", "--text", "~/run", "--paths", "~/b", "--paths", "c~d")
    assert found["path"] == Path("/home/somebody/a.csv")
    assert found["text"] == "/home/somebody/run"
    assert found["paths"] == [Path("/home/somebody/b"), Path("c~d")]
    with pytest.raises(ConfigError, match="--path: ~nobody-here/a is below no home folder"):
        asked("--path", "~nobody-here/a")


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--number", "nan"], "--number: found nan, allowed: a finite number"),
        (["--number", "-inf"], "--number: found -inf, allowed: a finite number"),
        (["--number", "1e300"], "allowed: up to 1,000,000,000"),
        (["--n", str(10**12)], "--n: found 1,000,000,000,000, allowed: up to 1,000,000,000"),
        (["--seed", str(10**26)], f"allowed: up to {2**63 - 1:,}"),
        (["--seed", "-1"], "--seed: found -1, allowed: 0 or more"),
        (["--workers", "100000"], "allowed: up to 1,024"),
        (["--path", ""], "--path: found '', allowed: a value"),
        (["--paths", "a", "--paths", ""], "--paths: found '', allowed: a value"),
        (["--text", ""], "--text: found '', allowed: a value"),
    ],
)
def test_values_that_cannot_be_meant(asked, args, words):
    with pytest.raises(ConfigError) as caught:
        asked(*args)
    assert words in str(caught.value)


def test_values_at_the_bounds(asked):
    found = asked("--n", str(MOST), "--seed", str(LARGEST["seed"]), "--workers", "1024", "--number", "-1e9")
    assert (found["n"], found["seed"], found["workers"], found["number"]) == (MOST, 2**63 - 1, 1024, -1e9)


def test_every_seed_is_bounded_as_one():
    seeds = {option.name for _, command in EVERY for option in options(command) if "seed" in option.name}
    assert seeds == set(SEEDS)


def test_names_of_pairs_stand_once():
    assert once([("a", 1), ("b", 2)], "--weight") == {"a": 1, "b": 2}
    with pytest.raises(ConfigError, match="--weight: a is given 2 times, allowed: once"):
        once([("a", 1), ("a", 1)], "--weight")


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["train", "default", "-o", "RUN", "--set", "seed=1", "--set", "seed=2"], "--set seed: given 2 times"),
        (["train", "default", "-o", "RUN", "--set", "seed=1", "--seed", "2"], "--set seed: given 2 times"),
        (
            ["data", "import", "csv", "x.csv", "-o", "RUN.csv", "--label", "a=b", "--label", "a=c"],
            "--label: a is given 2",
        ),
    ],
)
def test_pairs_are_given_once(args, words, call, tmp_path):
    code, _, err = call(*(arg.replace("RUN", str(tmp_path / "run")) for arg in args))
    assert code == 2
    assert is_one_line(err), err
    assert words in err
    assert not list(tmp_path.iterdir())
