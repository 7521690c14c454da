"""``crystalgfn sample``: narrower constraints as options hold, and every mistake is one line and exit code 2."""

from __future__ import annotations

import re

import numpy as np
import pytest

from crystalgfn import cli
from crystalgfn.config import parse_config
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.evaluation.validity import check_section
from crystalgfn.runs import model
from crystalgfn.runs.model import load
from crystalgfn.runs.training import train
from small_run import small_config


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    train(small_config(), folder)
    return folder


@pytest.fixture
def call(run, tmp_path, capsys):
    """Sample from the run; gives exit code, the crystals (None if there are none), stdout and stderr."""

    def caller(*options):
        table = tmp_path / "crystals.parquet"
        with pytest.raises(SystemExit) as stopped:
            cli.main(["sample", str(run), "-o", str(table), "-n", "120", *map(str, options)])
        captured = capsys.readouterr()
        crystals = Crystals.from_file(table) if table.is_file() else None
        return int(stopped.value.code or 0), crystals, captured.out, captured.err

    return caller


def broken(crystals, **changes):
    """What crystals violate of the run's constraints with changes to them."""
    section = small_config().constraints.model_dump()
    for key, value in changes.items():
        section[key] = {**section[key], **value} if isinstance(value, dict) else value
    section = parse_config({"constraints": section}).constraints.model_dump()
    return {name: n for name, n in check_section(crystals, section).violations.items() if n}


@pytest.mark.parametrize(
    ("options", "changes"),
    [
        (["--require", "O"], {"elements": {"required": ["O"]}}),
        (["--require", "Li,O", "--forbid", "F Mg"], {"elements": {"required": ["Li", "O"], "forbidden": ["F", "Mg"]}}),
        (["--require", "Li", "--require", "O"], {"elements": {"required": ["Li", "O"]}}),
        (["--forbid", "F", "--forbid", "Mg,Li", "--n-elements", "1"], {"elements": {"forbidden": ["F", "Mg", "Li"]}}),
        (["--space-groups", "166", "--space-groups", "225"], {"space_groups": {"numbers": [166, 225]}}),
        (
            ["--crystal-system", "cubic", "--crystal-system", "orthorhombic"],
            {"space_groups": {"crystal_system": ["cubic", "orthorhombic"]}},
        ),
        (
            ["--lattice-system", "cubic", "--lattice-system", "trigonal-rhombohedral"],
            {"space_groups": {"lattice_system": ["cubic", "trigonal-rhombohedral"]}},
        ),
        (
            ["--point-symmetry", "polar", "--point-symmetry", "centrosymmetric"],
            {"space_groups": {"point_symmetry": ["polar", "centrosymmetric"]}},
        ),
        (["--charge", "common"], {"charge": "common_strict"}),
        (
            ["--oxidation-states", "Li:1,Mg:2", "--oxidation-states", "O:-2"],
            {"oxidation_states": {"Li": 1, "Mg": 2, "O": -2}},
        ),
        (["--any-of", "F,Mg", "--any-of", "Li"], {"elements": {"any_of": [["F", "Mg"], ["Li"]]}}),
        (["--n-elements", "2"], {"n_elements": [2, 2]}),
        (["--n-atoms", ":10"], {"n_atoms": [1, 10]}),
        (["--n-atoms", "5:9", "--n-atoms-primitive", "3:"], {"n_atoms": [5, 9], "n_atoms_primitive": [3, 8]}),
        (["--atoms-per-element", "2:4"], {"atoms_per_element": [2, 4]}),
        (["--stoichiometry", "AB2"], {"stoichiometry": "AB2"}),
        (["--stoichiometry", "Li2O", "--n-elements", "2"], {"stoichiometry": "Li2O"}),
        (["--space-groups", "166,225"], {"space_groups": {"numbers": [166, 225]}}),
        (["--crystal-system", "cubic,orthorhombic"], {"space_groups": {"crystal_system": ["cubic", "orthorhombic"]}}),
        (
            ["--lattice-system", "trigonal-rhombohedral"],
            {"space_groups": {"lattice_system": ["trigonal-rhombohedral"]}},
        ),
        (["--point-symmetry", "centrosymmetric"], {"space_groups": {"point_symmetry": ["centrosymmetric"]}}),
        (["--density", "2:4"], {"lattice": {"density": [2.0, 4.0]}}),
        (["--volume-per-atom", "8:12.5"], {"lattice": {"volume_per_atom": [8.0, 12.5]}}),
        (["--lengths", "3:9"], {"lattice": {"lengths": [3.0, 9.0]}}),
        (["--angles", "85:95"], {"lattice": {"angles": [85.0, 95.0]}}),
        (["--longest-over-shortest", "1.5"], {"lattice": {"longest_over_shortest": 1.5}}),
        (["--electronegativity", "smact"], {"electronegativity": "smact"}),
    ],
    ids=lambda x: " ".join(x) if isinstance(x, list) else "",
)
def test_options_hold_for_every_sample(call, options, changes):
    code, crystals, out, err = call(*options)
    assert code == 0, err
    assert len(crystals) == 120
    assert broken(crystals, **changes) == {}
    assert "120 crystals written to" in out


def test_options_do_something(call):
    """Without them their checks fail, or the test above would say nothing."""
    _, crystals, _, _ = call()
    assert broken(crystals) == {}
    for changes in ({"elements": {"required": ["O"]}}, {"n_atoms": [1, 10]}, {"lattice": {"density": [2.0, 4.0]}}):
        assert broken(crystals, **changes)


def test_the_effective_sample_size_is_printed(call):
    _, crystals, out, _ = call("--require", "O")
    size, of = re.search(r"effective sample size of the samples: ([\d,]+) of (\d+)", out).groups()
    assert of == "120"
    assert f"are as precise as those of {size} crystals drawn from the target itself" in out
    assert 1 <= int(size.replace(",", "")) <= 120
    assert np.isfinite(crystals.columns["log_weight"].astype(float)).all()


def test_resampling_chooses_from_a_pool_by_weight(call, run):
    code, crystals, out, err = call("--resample", "--pool", "900", "--require", "O", "--seed", "4")
    assert code == 0, err
    assert broken(crystals, elements={"required": ["O"]}) == {}
    assert set(crystals.columns["log_weight"].astype(float)) == {0.0}
    assert re.search(r"effective sample size of the pool: [\d,]+ of 900", out)
    assert re.search(r"shares of the \d space groups are off by about 0\.\d\d", out)
    pool = load(run).restricted(required=["O"]).sample(900, seed=4)
    assert set(crystals.formulas) <= set(pool.formulas)
    again = load(run).restricted(required=["O"]).resample(120, pool=900, seed=4)
    assert crystals.equals(again)


def test_fine_tuning_says_what_it_was_good_for(call):
    code, crystals, out, err = call("--finetune", "12", "--crystal-system", "cubic")
    assert code == 0, err
    assert re.search(r"fine-tuned by 12 updates: effective sample size [\d.]+% before, [\d.]+% after", out)
    assert broken(crystals, space_groups={"crystal_system": ["cubic"]}) == {}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--require", "Xx"], "Xx"),
        (["--require", "Fe"], "Fe"),
        (["--require", "Li", "--forbid", "Li"], "Li is forbidden, allowed: O, F, Mg"),
        (["--require", "F", "--chemsys", "Li-O"], "F is not in chemsys Li-O, allowed: Li, O"),
        (["--require", "Ti"], "Ti is no element of the space, allowed: Li, O, F, Mg; presets with Ti: "),
        (["--require", ","], "--require: found ',', allowed: one word at least"),
        (["--chemsys", "Li-O", "--chemsys", "Mg-O"], "--chemsys: given 2 times, allowed: once"),
        (["--n-atoms", ":10", "--n-atoms", "4:"], "--n-atoms: given 2 times, allowed: once"),
        (["--density", "1:2", "--density", "2:3"], "--density: given 2 times, allowed: once"),
        (["--stoichiometry", "AB", "--stoichiometry", "AB2"], "--stoichiometry: given 2 times, allowed: once"),
        (["--weight", "density=2", "--weight", "density=3"], "--weight: density is given 2 times, allowed: once"),
        (["--weight", "density=nan"], "NAME=NUMBER"),
        (["--oxidation-states", "O:-1"], "-1 was not in training, allowed: -2"),
        (["--oxidation-states", "O"], "--oxidation-states: found 'O', allowed: ELEMENT:STATE"),
        (["--oxidation-states", "Xx:1"], "--oxidation-states: unknown element 'Xx'"),
        (["--angles", "80:190"], "allowed: 0 < least < most < 180"),
        (["--lengths", "1e-320:5"], "allowed: from 0.001 to 1e+06"),
        (["--finetune", "inf"], "--finetune: found 'inf'; "),
        (["--finetune", "1.5"], "--finetune: found '1.5'; "),
        (["--keep", "tuned"], "--keep: keeps the weights of --finetune, which is not given"),
        (["--stable", "nan"], "--stable: found nan, allowed: a finite number"),
        (["--want", "density"], "--want: found 'density', allowed: NAME=LEAST:MOST, such as"),
        (["--want", "density=4"], "--want: found 'density=4', allowed: NAME=LEAST:MOST"),
        (["--want", "density=4:2"], "--want: found 'density=4:2', allowed: numbers with LEAST no larger"),
        (["--want", "densty=1:2"], "unknown property 'densty'"),
        (["--want", "density=1:", "--want", "density=:2"], "--want: found density twice"),
        (["--stable", "0.1", "--want", "energy_above_hull=:0.2"], "--stable: found beside --want energy_above_hull"),
        (["--any-of", "Fe,Ni"], "none of"),
        (["--n-atoms", "a:b"], "--n-atoms: found 'a:b'"),
        (["--n-atoms", ":"], "--n-atoms: found ':'"),
        (["--n-elements", "9"], "within"),
        (["--n-elements", "3:2"], "least <= most"),
        (["--n-atoms-primitive", ":99"], "within"),
        (["--space-groups", "1"], "not in training"),
        (["--space-groups", "62-225"], "63 was not in training"),
        (["--space-groups", "0"], "allowed 1..230"),
        (["--space-groups", "x"], "not a space group"),
        (["--crystal-system", "cubical"], "nearest: 'cubic'"),
        (["--crystal-system", "tetragonal"], "no space group fits"),
        (["--point-symmetry", "polarised"], "nearest: 'polar'"),
        (["--stoichiometry", "A0"], "allowed"),
        (["--stoichiometry", "not a formula"], "stoichiometry"),
        (["--stoichiometry", "FeO2"], "Fe"),
        (["--density", "4"], "--density: found '4', allowed: two numbers"),
        (["--density", "4:2"], "0 < least < most"),
        (["--density", "nan:2"], "density"),
        (["--density", "50:60", "--volume-per-atom", "5:20"], "relaxed alone"),
        (["--longest-over-shortest", "0.5"], "greater than 1"),
        (["--charge", "none"], "stricter"),
        (["--charge", "per_elemen"], "charge"),
        (["--electronegativity", "pauling"], "electronegativity"),
        (["--weight", "density=2"], "not trained with weights"),
        (["--weight", "density"], "NAME=NUMBER"),
        (["--weight", "density=x"], "NAME=NUMBER"),
        (["--pool", "100"], "--resample"),
        (["--n-atoms", "2", "--n-elements", "3"], "relaxed alone"),
    ],
    ids=lambda x: " ".join(x) if isinstance(x, list) else "",
)
def test_mistakes_are_one_line_and_leave_nothing(call, options, words):
    code, crystals, out, err = call(*options)
    assert code == 2, out
    assert crystals is None
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert words in err


@pytest.fixture
def command(capsys):
    """Call the command; gives exit code, stdout and stderr."""

    def caller(*arguments):
        with pytest.raises(SystemExit) as stopped:
            cli.main(list(map(str, arguments)))
        return int(stopped.value.code or 0), *capsys.readouterr()

    return caller


@pytest.fixture
def sample(run, command, tmp_path, monkeypatch):
    """Sample 50 crystals in chunks of 12 into a file."""
    monkeypatch.setattr(model, "CHUNK", 12)
    return lambda name, *options: command("sample", run, "-n", "50", "-o", tmp_path / name, *options)


@pytest.mark.parametrize("limits", [[], ["--require", "O", "--n-elements", "2:3"]])
def test_shards_are_joined_to_the_table_of_one_run(sample, command, tmp_path, limits):
    rows = [sample(f"part-{number}.parquet", "--shard", f"{number}/3", *limits)[1] for number in (3, 1, 2)]
    assert [text.splitlines()[-1].split()[0] for text in rows] == ["14", "12", "24"]
    assert "effective sample size of the samples" in rows[0]
    assert sample("one.parquet", "-o", tmp_path / "one.csv", *limits)[0] == 0
    whole = [tmp_path / "all.parquet", tmp_path / "all.csv"]
    merge = ["sample", "merge", *tmp_path.glob("part-*"), "-o", whole[0], "-o", whole[1]]
    code, out, _ = command(*merge)
    assert (code, "50 crystals written to" in out) == (0, True)
    assert [path.read_bytes() for path in whole] == [
        (tmp_path / f"one.{end}").read_bytes() for end in ("parquet", "csv")
    ]
    code, _, err = command(*merge)
    assert (code, "exists already" in err) == (2, True)


@pytest.fixture
def drawn(monkeypatch):
    """The numbers of the chunks that are drawn; the second is interrupted."""
    draw, numbers = model.Model._draw, []

    def killed(self, n, *, seed, chunk):
        numbers.append(chunk)
        if len(numbers) == 2:
            raise KeyboardInterrupt
        return draw(self, n, seed=seed, chunk=chunk)

    monkeypatch.setattr(model.Model, "_draw", killed)
    return numbers


def test_a_killed_shard_goes_on(sample, drawn, tmp_path):
    assert sample("part.parquet", "--shard", "2/2")[0] == 130
    code, _, err = sample("part.parquet", "--shard", "1/2")
    assert (code, "shard: '2/2' then, '1/2' now" in err) == (2, True)
    assert sample("part.parquet", "--shard", "2/2")[0] == 0
    assert drawn == [2, 3, 3, 4]
    sample("one.parquet", "--shard", "2/2")
    assert (tmp_path / "part.parquet").read_bytes() == (tmp_path / "one.parquet").read_bytes()


def test_sampling_goes_on_with_the_same_known_crystals_alone(sample, drawn, tmp_path, monkeypatch):
    monkeypatch.setattr(model.Model, "knowing", lambda self, *tables: self)  # the run's reward does not ask for them
    here, there = tmp_path / "known.parquet", tmp_path / "moved.parquet"
    here.write_text("some crystals")
    assert sample("crystals.parquet", "--known", here)[0] == 130
    here.write_text("others")
    code, _, err = sample("crystals.parquet", "--known", here)
    assert (code, "was left by a run that differs (known: " in err) == (2, True)
    there.write_text("some crystals")
    assert sample("crystals.parquet", "--known", there)[0] == 0


@pytest.mark.parametrize(
    ("name", "shard", "options", "message"),
    [
        ("part.parquet", "1/2", ["--best", "3"], "--shard: --best is given, which needs all samples at once"),
        ("part.parquet", "1/2", ["--pareto"], "--shard: --pareto is given"),
        ("part.parquet", "1/2", ["--resample"], "--shard: --resample is given"),
        ("part.parquet", "1/2", ["--finetune", "3"], "--shard: --finetune is given"),
        ("part.csv", "1/2", [], "--shard: found part.csv, allowed: a .parquet file"),
        ("part.parquet", "1/6", [], "--shard: found 1/6, allowed: up to 5, of 12 crystals each"),
    ],
)
def test_what_a_shard_cannot_do_is_refused(sample, tmp_path, name, shard, options, message):
    code, out, err = sample(name, "--shard", shard, *options)
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1
    assert not list(tmp_path.glob("part*"))
