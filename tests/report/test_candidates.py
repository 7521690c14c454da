"""What a terminal says of candidates: headlines without doubtful ones, and the order of the best."""

from dataclasses import replace

import pytest

from candidate_setup import candidate, failure, salt
from crystalgfn.report.candidates import candidates_table, headline
from crystalgfn.structures.candidates.schema import PotentialColumn, Quantity
from crystalgfn.structures.candidates.table import CSV_TABLE, TABLE, CandidateTable, write_tables
from crystalgfn.structures.candidates.tally import near_hull

ABOVE = PotentialColumn(Quantity.ABOVE_HULL, "chgnet", "builtin")
DOUBT = "not converged"


def judged(number, above, *, flags="", **inputs):
    row = candidate(number, salt("Mg", "O"), -3.0, flags=flags, inputs=inputs)
    return replace(row, energies={**row.energies, ABOVE: above})


def table(*rows):
    return CandidateTable(tuple(rows))


NEAR = (judged(0, -0.01), judged(1, 0.0, flags=DOUBT), judged(2, 0.1), judged(3, 0.3), judged(4, 0.05), failure(5))


def test_headlines_count_what_carries_no_flag_and_say_both():
    assert near_hull(table(*NEAR), 0.0) == (1, 2)
    assert near_hull(table(*NEAR), 0.1) == (3, 4)
    assert headline(table(*NEAR)) == (
        "on the hull 1 of 6 (2 with doubtful ones), within 0.1 eV/atom of it 3 of 6 (4 with doubtful ones)"
    )


def test_headlines_without_doubts_or_without_a_hull():
    sure = [replace(row, flags="") for row in NEAR]
    assert headline(table(*sure)) == "on the hull 2 of 6, within 0.1 eV/atom of it 4 of 6"
    assert headline(table(candidate(0, salt("Mg", "O"), -3.0))) == ""


@pytest.mark.parametrize("name", ["log_reward", "reward"])
def test_the_best_have_the_highest_reward_that_was_asked_for(name):
    rewards = (1.0, 9.0, 3.0, 2.0)
    rows = [judged(i, 0.1 * i, flags=DOUBT * (i == 1), **{name: reward}) for i, reward in enumerate(rewards)]
    found = table(*rows)
    assert found.ranked_by == name.replace("_", " ")
    assert [row.row for row in found.ranked()] == [2, 3, 0, 1]
    shown = candidates_table(found, 3)
    assert f"The best 3 of 4 crystals by {found.ranked_by}, doubtful ones last" in shown.title
    assert list(shown.columns[0].cells) == ["2", "3", "0"]


def test_a_reward_for_stability_alone_gives_way_to_what_relaxing_found():
    predicted = {"energy_above_hull [eV/atom]": 0.1, "known": 0.0, "log_reward": 1.0}
    inputs = [predicted | {"log_reward": reward} for reward in (1.0, 9.0, 3.0)]
    rows = [replace(judged(i, above), inputs=inputs[i]) for i, above in enumerate((0.2, 0.1, 0.0))]
    assert table(*rows).ranked_by == "energy above hull"
    assert [row.row for row in table(*rows).ranked()] == [2, 1, 0]
    with_gap = [replace(row, inputs=row.inputs | {"band_gap [eV]": 1.6}) for row in rows]
    assert table(*with_gap).ranked_by == "log reward"
    assert [row.row for row in table(*with_gap).ranked()] == [1, 2, 0]


def test_what_a_table_states_of_its_reward_counts_before_the_names_of_columns(tmp_path):
    inputs = [{"log_reward": reward, "my_property [eV]": 1.0} for reward in (1.0, 9.0, 3.0)]
    rows = [replace(judged(i, above), inputs=inputs[i]) for i, above in enumerate((0.2, 0.1, 0.0))]
    stable = [replace(row, reward_for="stability") for row in rows]
    assert table(*stable).ranked_by == "energy above hull"
    write_tables(tmp_path, lambda: stable)
    for name in (TABLE, CSV_TABLE):
        read = CandidateTable.read(tmp_path / name)
        assert [row.row for row in read.ranked()] == [2, 1, 0]
    more = [
        replace(row, reward_for="property", inputs={"energy_above_hull [eV/atom]": 0.1} | i)
        for row, i in zip(rows, ({"log_reward": r} for r in (1.0, 9.0, 3.0)), strict=True)
    ]
    assert table(*more).ranked_by == "log reward"  # by the names of its columns it would be for stability


def test_without_a_reward_the_best_are_nearest_to_the_hull():
    found = table(*NEAR)
    assert found.ranked_by == "energy above hull"
    assert [row.row for row in found.ranked()] == [0, 4, 2, 3, 1]
    shown = candidates_table(found, 10)
    assert list(shown.columns[1].cells) == ["MgO"] * 4 + ["MgO*"]


def test_of_duplicates_the_best_is_shown():
    rows = [replace(judged(i, 0.0, log_reward=float(i)), match_group=0) for i in range(3)]
    assert [row.row for row in table(*rows).ranked()] == [2]
