"""``torchrun ... -m crystalgfn train``: several processes that train one sampler together."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crystalgfn.gflownet.ranks import Ranks

EXIT_TOLD = 2
"""Exit code of a process that ends because of an error that another one has told."""


@contextmanager
def told_once() -> Iterator[None]:
    """Mute the errors of all processes of a machine but the first, until they have joined: so far all err alike."""
    if os.environ.get("WORLD_SIZE", "1") == "1" or os.environ.get("LOCAL_RANK", "0") == "0":
        yield
        return
    with open(os.devnull, "w") as nothing, redirect_stderr(nothing):
        yield


@contextmanager
def training_processes(device: str) -> Iterator[Ranks]:
    """Join the processes that torchrun started; gives a process alone where it started one, or did not start it.

    What ends several of the processes is raised in one of them, so that it is told once; the others exit silently.

    Args:
        device: "cpu" (gloo) or "cuda" (nccl, one GPU for each process of a machine).

    Raises:
        ConfigError: the processes do not find each other, or there are more of them than GPUs.
    """
    from crystalgfn.gflownet.ranks import ALONE, Ranks

    if os.environ.get("WORLD_SIZE", "1") == "1":
        yield ALONE
        return
    import torch
    from torch import distributed

    from crystalgfn.errors import ConfigError

    try:
        store, rank, size = next(distributed.rendezvous("env://"))
    except (ValueError, RuntimeError) as error:
        raise ConfigError(
            f"WORLD_SIZE: found {os.environ['WORLD_SIZE']}, but the processes do not find each other ({error}); "
            "allowed: start them with torchrun, or unset WORLD_SIZE"
        ) from None
    sys.stderr = sys.__stderr__  # from here on each may be the one that tells: see told_once
    try:
        gpus = torch.cuda.device_count() if device == "cuda" else 0
        if gpus:
            number = int(os.environ["LOCAL_RANK"])
            if number >= gpus:
                raise ConfigError(
                    f"--device cuda: found more processes than GPUs, allowed: up to {gpus} on this machine"
                )
            torch.cuda.set_device(number)
        backend = "nccl" if gpus else "gloo"
        group = distributed.PrefixStore("training", store)
        distributed.init_process_group(backend, store=group, rank=rank, world_size=size)
        yield Ranks(rank, size, device="cuda" if gpus else "cpu")
    except BaseException:
        if store.add("ended", 1) > 1:
            raise SystemExit(EXIT_TOLD) from None
        raise
    distributed.destroy_process_group()


def launcher() -> list[str]:
    """The beginning of a command that starts as many processes as this one is of."""
    size = os.environ.get("WORLD_SIZE", "1")
    if size == "1":
        return ["crystalgfn"]
    each = os.environ.get("LOCAL_WORLD_SIZE", size)
    machines = ["--nnodes", str(int(size) // int(each))] if each != size else []
    return ["torchrun", *machines, "--nproc-per-node", each, "-m", "crystalgfn"]
