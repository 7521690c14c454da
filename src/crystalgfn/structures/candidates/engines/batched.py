"""Many crystals at once in this process: a potential takes the steps of all of them in one call, as a GPU needs it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable

from crystalgfn.errors import DataError
from crystalgfn.structures.candidates.engines.engine import Result, Task
from crystalgfn.structures.relaxing.potentials.batcher import SIZE, Batcher


class BatchedEngine:
    """Works in threads of this process; what they ask of a potential is computed together.

    Args:
        device: device of the potentials, ``"cuda"`` or ``"cpu"``.
        batch: tasks in work at once.

    Attributes:
        batcher: what the potentials of this process are to be loaded with.

    Raises:
        DataError: ``batch`` is below 1.
    """

    def __init__(self, device: str = "cpu", batch: int = SIZE) -> None:
        if batch < 1:
            raise DataError(f"batch: found {batch}, allowed: 1 or more")
        self.batcher = Batcher(device, batch)

    def map(
        self,
        tasks: Iterable[Task],
        load: Callable[[], Callable[[Task], Result]],
        loaded: Callable[[Task], Result],
    ) -> Generator[tuple[Task, Result], None, None]:
        """Yield every task with its result, see :class:`~.engine.Engine`.

        Raises:
            PropertyError: the device has no memory left, even for a crystal of two atoms.
        """
        yield from self.batcher.map(lambda task: (task, loaded(task)), tasks)
