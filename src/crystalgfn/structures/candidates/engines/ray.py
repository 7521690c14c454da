"""Actors on a Ray cluster (Moritz et al., OSDI 2018); Ray decides on which machine each of them works.

An actor has one task at a time. When it dies, or its machine does, its task goes to another actor, and a new actor is
asked for in its place.
"""

from __future__ import annotations

import contextlib
import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from crystalgfn.errors import ConfigError, PropertyError
from crystalgfn.structures.candidates.engines.engine import Death, Result, Task
from crystalgfn.structures.candidates.engines.local import check_workers
from crystalgfn.structures.candidates.engines.ray_cluster import LOCAL, check_versions, connect, room

DEATHS = 2
"""Actors that a task kills before it counts as the cause."""

DEATHS_LOADING = 10
"""Actors that die in a row while they load their tools, before the work ends."""


class RayEngine:
    """Works in actors of a Ray cluster, to which this process is connected at once.

    Args:
        workers: number of actors; None for as many as the cluster has room for. Those for which there is no room yet
            begin when there is.
        address: of the cluster, see :func:`~.ray_cluster.connect`.
        gpus_per_worker: GPUs of each actor, or a fraction of one; with 0 it sees none.

    Raises:
        PropertyError: ray is not installed.
        ConfigError: no cluster answers, it has no room for a worker, or it has another version of this package, Ray or
            Python.
    """

    batcher = None

    def __init__(self, workers: int | None = None, *, address: str = LOCAL, gpus_per_worker: float = 0.0) -> None:
        if workers is not None:
            check_workers(workers)
        connect(address)
        need = {"CPU": 1.0, "GPU": gpus_per_worker} if gpus_per_worker else {"CPU": 1.0}
        places = room(need)
        if not places:
            wanted = " and ".join(f"{amount:g} {name}" for name, amount in need.items())
            raise ConfigError(f"cluster: found no machine with {wanted}, allowed: one with room for a worker")
        check_versions()
        self._workers = workers or places
        variables = {"OMP_NUM_THREADS": "1"} | ({} if gpus_per_worker else {"CUDA_VISIBLE_DEVICES": ""})
        self._options = {
            "num_cpus": 1,
            "num_gpus": gpus_per_worker,
            "max_restarts": 0,
            "runtime_env": {"env_vars": variables},
        }

    def map(
        self,
        tasks: Iterable[Task],
        load: Callable[[], Callable[[Task], Result]],
        loaded: Callable[[Task], Result],
    ) -> Generator[tuple[Task, Result | Death], None, None]:
        """Yield every task with its result, see :class:`~.engine.Engine`."""
        crew = _Crew(load, self._workers, self._options)
        source = iter(tasks)
        waiting: deque[tuple[Task, int]] = deque()
        try:
            while True:
                if not waiting:
                    waiting.extend((task, 0) for task in islice(source, 1))
                if waiting and crew.idle:
                    crew.give(*waiting.popleft())
                    continue
                if not waiting and not crew.busy:
                    return
                for task, deaths, result in crew.finished():
                    if isinstance(result, Death) and deaths < DEATHS:
                        waiting.append((task, deaths))
                    else:
                        yield task, result
        finally:
            crew.dismiss()


class _Worker:
    """What an actor holds: the tools of one process."""

    def load(self, load: Callable[[], Callable[[Any], Any]], folder: str) -> None:
        with contextlib.suppress(OSError):  # relative paths mean the same where machines share their files
            os.chdir(folder)
        self._tools = load()

    def work(self, task: Any) -> Any:
        return self._tools(task)


class _Crew:
    """Actors: some load their tools, some have a task, some are idle.

    Attributes:
        idle: actors without a task.
        busy: actors with a task, by the reference to its result, each with the number of actors that died of the task.
    """

    def __init__(self, load: Callable[[], Any], size: int, options: Mapping[str, Any]) -> None:
        import ray

        self._load, self._size, self._folder = load, size, os.getcwd()
        self._actors = ray.remote(_Worker).options(**options)
        self._loading: dict[Any, Any] = {}
        self._deaths_loading = 0
        self.idle: list[Any] = []
        self.busy: dict[Any, tuple[Any, Any, int]] = {}

    def give(self, task: Any, deaths: int) -> None:
        """Give an idle actor a task that so many actors have died of."""
        actor = self.idle.pop()
        self.busy[actor.work.remote(task)] = actor, task, deaths

    def finished(self) -> Iterator[tuple[Any, int, Any]]:
        """Wait until something happens; yield tasks that ended, how many actors died of each, and their results."""
        import ray

        while len(self._loading) + len(self.busy) + len(self.idle) < self._size:
            actor = self._actors.remote()
            self._loading[actor.load.remote(self._load, self._folder)] = actor
        done, _ = ray.wait([*self.busy, *self._loading], num_returns=1)
        for reference in done:
            if reference in self._loading:
                self._begin(reference)
                continue
            actor, task, deaths = self.busy.pop(reference)
            try:
                result = ray.get(reference)
            except ray.exceptions.RayTaskError:  # an error in the code, which would come again
                raise
            except ray.exceptions.RayError:
                ray.kill(actor)
                yield task, deaths + 1, Death()
            else:
                self.idle.append(actor)
                yield task, deaths, result

    def _begin(self, reference: Any) -> None:
        import ray

        actor = self._loading.pop(reference)
        try:
            ray.get(reference)
        except ray.exceptions.RayTaskError as error:
            raise PropertyError(f"a worker of the cluster cannot load its tools: {error.cause}") from None
        except ray.exceptions.RayError as error:
            self._deaths_loading += 1
            if self._deaths_loading == DEATHS_LOADING:
                reason = " ".join(str(error).split())[:200]
                raise PropertyError(
                    f"{DEATHS_LOADING} workers of the cluster in a row died while they loaded their tools ({reason})"
                ) from None
        else:
            self._deaths_loading = 0
            self.idle.append(actor)

    def dismiss(self) -> None:
        """End all actors, with what they are at."""
        import ray

        for actor in (*self.idle, *self._loading.values(), *(actor for actor, _, _ in self.busy.values())):
            ray.kill(actor)
