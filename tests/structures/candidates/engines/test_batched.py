"""Crystals at once in threads of this process."""

import pytest

from crystalgfn.errors import DataError
from crystalgfn.structures.candidates.engines.batched import BatchedEngine

pytestmark = pytest.mark.usefixtures("ended_in_time")


def test_every_task_comes_back_with_what_was_computed_for_all():
    engine, calls = BatchedEngine(batch=3), []

    def squares(lists):
        calls.append(len(lists))
        return [sum(numbers) ** 2 for numbers in lists]

    found = dict(engine.map(range(5), lambda: None, lambda x: engine.batcher.ask(squares, [[x]])[0]))
    assert found == {0: 0, 1: 1, 2: 4, 3: 9, 4: 16}
    assert calls == [3, 2]


def test_a_batch_of_nothing_is_refused():
    with pytest.raises(DataError, match="batch: found 0, allowed: 1 or more"):
        BatchedEngine(batch=0)
