"""docs/columns.md has every column that is written, in the order of the files, and every flag."""

import math
import re
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace

import crystalgfn
from candidate_setup import salt
from crystalgfn.gflownet.prior import Epoch
from crystalgfn.gflownet.trainer import Progress
from crystalgfn.structures import sanity
from crystalgfn.structures.candidates.phonons import flag_of
from crystalgfn.structures.candidates.schema import PotentialColumn, Quantity, Row, Status, headers
from crystalgfn.structures.relaxing.second_opinion import opinion

PAGE = Path(__file__).resolve().parents[1] / "docs" / "columns.md"


def tables(title):
    """What stands in code type in the first column of each table under a title."""
    (body,) = re.findall(rf"^##+ {title}\n(.*?)(?=^##|\Z)", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    parts = re.split(r"^\|[-|]+\|$", body, flags=re.MULTILINE)[1:]
    cells = [re.findall(r"^\| (.*?) \|", part, re.MULTILINE) for part in parts]
    return [[name for cell in part for name in re.findall(r"`(.*?)`", cell)] for part in cells]


def test_columns_of_crystals():
    (documented,) = tables("Tables of crystals")
    assert documented == list(crystalgfn.load("default").sample(2, seed=0).to_dataframe().columns)


def test_columns_of_structures():
    cells = {int: 1, float: 1.0, str: "x", bool: True, dict: {"H": 1}, Status: Status.RELAXED}
    measured = {column.name: cells[column.metadata["kind"]] for column in fields(Row) if column.metadata}
    energies = {PotentialColumn(quantity, "POTENTIAL"): 0.0 for quantity in Quantity}
    (documented,) = tables("Tables of structures")
    row = Row(**measured, energies=energies, inputs={"...": 1.0})
    assert documented == [header.name for header in headers([row])]


def test_columns_of_training():
    run, prior = tables("Training")
    assert run == [column.name for column in fields(Progress)]
    stages = crystalgfn.load("prior").policy.stages
    assert prior == [*(column.name for column in fields(Epoch) if column.name != "by_stage"), *stages]


def test_every_status():
    (documented,) = tables("Status")
    assert set(documented) == set(Status)


def test_every_flag():
    second = SimpleNamespace(
        name="7net-l3i5",
        energies=lambda structures: [0.0] * len(structures),
        formation_energy=lambda structure, energy: SimpleNamespace(value=energy, reason=""),
    )
    by_check = {
        "check_formation_energy": sanity.check_formation_energy(3.0),
        "check_volume_change": sanity.check_volume_change(2.0),
        "check_volume_ratio": sanity.check_volume_ratio(salt("Mg", "O", a=9.0)),
        "check_above_hull": sanity.check_above_hull(-0.3),
    }
    assert {name for name in vars(sanity) if name.startswith("check_")} == {*by_check, "check_distances"}
    found = [verdict.reason for verdict in by_check.values()]
    found += [opinion(second, salt("Mg", "O"), energy).reason for energy in (-1.0, math.nan)]
    found.append(flag_of(-1.2, "7net-l3i5"))
    (documented,) = tables("Flags")
    patterns = [".*".join(map(re.escape, flag.split("..."))) for flag in documented]
    matching = [
        [flag for flag, pattern in zip(documented, patterns, strict=True) if re.match(pattern, reason)]
        for reason in found
    ]
    assert [len(flags) for flags in matching] == [1] * len(found)
    assert len({flags[0] for flags in matching}) == len(found)
