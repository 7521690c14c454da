"""Threads whose questions are answered together."""

import contextlib
import sys
import threading
import warnings

import pytest

from crystalgfn.structures.quiet import quiet
from crystalgfn.structures.relaxing.potentials.batcher import Batcher

pytestmark = pytest.mark.usefixtures("ended_in_time")


class Tens:
    """Ten times each of the lists it is asked for, which stand for structures; notes how many come at once."""

    def __init__(self):
        self.calls = []

    def __call__(self, items):
        self.calls.append(len(items))
        if [13] in items:
            raise ValueError("thirteen")
        return [10 * sum(item) for item in items]


def test_what_all_threads_ask_for_is_computed_in_one_call_whatever_their_order():
    tens, batcher = Tens(), Batcher("cpu", size=3)

    def twice(x):
        (first,) = batcher.ask(tens, [[x]])
        return x, first, *batcher.ask(tens, [[first], [first + 1]])

    found = sorted(batcher.map(twice, range(4)))
    assert found == [(x, 10 * x, 100 * x, 100 * x + 10) for x in range(4)]
    assert tens.calls == [3, 6, 1, 2]  # three at a time; the fourth when a place is free


def test_a_free_place_is_taken_before_the_next_call():
    tens, batcher = Tens(), Batcher("cpu", size=2)
    found = list(batcher.map(lambda n: sum(batcher.ask(tens, [[1]])[0] for _ in range(n)), [1, 3, 2]))
    assert found == [10, 30, 20]
    assert tens.calls == [2, 2, 2]


def test_different_functions_have_calls_of_their_own():
    first, second, batcher = Tens(), Tens(), Batcher("cpu", size=4)
    found = batcher.ordered(lambda x: batcher.ask(first if x < 3 else second, [[x]])[0], range(4))
    assert found == [0, 10, 20, 30]
    assert (first.calls, second.calls) == ([3], [1])


def test_without_threads_a_question_is_answered_at_once():
    tens, batcher = Tens(), Batcher("cpu")
    assert batcher.ask(tens, [[1], [2]]) == [10, 20]
    assert batcher.ordered(lambda x: batcher.ordered(lambda y: batcher.ask(tens, [[y]])[0], [x, x]), [1, 2]) == [
        [10, 10],
        [20, 20],
    ]
    assert tens.calls == [2, 2, 2]


def test_a_failure_reaches_the_one_who_asked_alone():
    tens, batcher = Tens(), Batcher("cpu")
    one, bad, two = batcher.ordered(lambda x: batcher.ask(tens, [[x]])[0], [1, 13, 2])
    assert (one, two) == (10, 20)
    assert isinstance(bad, ValueError)


def test_whoever_leaves_early_or_fails_leaves_no_threads():
    tens, batcher, before = Tens(), Batcher("cpu", size=3), threading.active_count()

    def stubborn(x):
        for n in range(x + 1):
            with contextlib.suppress(Exception):
                batcher.ask(tens, [[n]])
        return x

    found = batcher.map(stubborn, [0, 10**9, 10**9])
    assert next(found) == 0
    found.close()
    assert threading.active_count() == before
    with pytest.raises(ZeroDivisionError):
        list(batcher.map(lambda x: stubborn(10**9) if x else 1 / x, [1, 0]))
    assert threading.active_count() == before
    assert sorted(batcher.map(stubborn, [1, 2])) == [1, 2]


def test_threads_are_quiet_and_their_caller_is_not(capsys):
    batcher = Batcher("cpu", size=2)

    def loud(x):
        sys.stdout.write("hidden")
        warnings.warn("hidden", stacklevel=1)
        return batcher.ask(Tens(), [[x]])[0]

    for found in batcher.map(loud, range(4)):
        sys.stdout.write(f"{found} ")
    assert capsys.readouterr().out == "0 10 20 30 "


def test_threads_that_are_quiet_by_themselves_leave_the_terminal_as_it_was(capsys):
    batcher, before = Batcher("cpu", size=8), sys.getswitchinterval()

    def often(x):
        for _ in range(x % 5 + 20):
            with quiet():
                batcher.ask(Tens(), [[x]])
        return x

    sys.setswitchinterval(1e-6)
    try:
        for found in batcher.map(often, range(40)):
            sys.stdout.write(f"{found} ")
    finally:
        sys.setswitchinterval(before)
    assert sorted(map(int, capsys.readouterr().out.split())) == list(range(40))
