"""The connection to a Ray cluster: made once, and refused where its machines could not do the work."""

from __future__ import annotations

import contextlib
import logging
import os
import pkgutil
import socket
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any

from crystalgfn import __version__
from crystalgfn.errors import ConfigError, PropertyError

LOCAL = "local"
"""Address of a cluster of this machine alone, which starts with the connection and ends with the process."""

ANSWER_S = 10.0
"""Seconds within which an address has to answer."""


def connect(address: str) -> None:
    """Connect this process to a cluster, unless it is connected already.

    Args:
        address: ``"auto"`` for the cluster that runs on this machine, ``"HOST:PORT"`` of its head, or :data:`LOCAL`.

    Raises:
        PropertyError: ray is not installed.
        ConfigError: nobody answers, or the cluster runs another version of Ray or Python.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError:
        raise PropertyError("ray is not installed: pip install 'crystalgfn[ray]'") from None
    if ray.is_initialized():
        return
    if address not in ("auto", LOCAL):
        _ask(address)
        os.environ.setdefault("RAY_gcs_server_port_wait_time_s", "1")  # else 20 tries, of a minute each
    with tempfile.TemporaryDirectory() as empty:
        try:
            ray.init(
                address,
                namespace="crystalgfn",
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
                # else workers would import what lies in the current folder before the standard library
                runtime_env={"working_dir": empty},
            )
        except Exception as error:  # where a part of Ray does not start in time, of no other class
            raise ConfigError(f"--address {address}: no cluster to work on ({_line(error)})") from None


def _ask(address: str) -> None:
    """Refuse an address that nobody answers, of which Ray itself would first complain for minutes."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        raise ConfigError(f"--address: found {address!r}, allowed: auto, {LOCAL}, or HOST:PORT of the head")
    try:
        socket.create_connection((host, int(port)), timeout=ANSWER_S).close()
    except (OSError, OverflowError) as error:
        raise ConfigError(
            f"--address {address}: nobody answers ({_line(error)}), allowed: the head of a cluster (ray start --head)"
        ) from None


def room(need: Mapping[str, float]) -> int:
    """Return for how many workers the machines of the cluster have room, whatever else works on them.

    Args:
        need: amount that a worker needs of each resource: ``CPU``, ``GPU``.
    """
    return sum(
        int(min(node["Resources"].get(name, 0.0) / amount + 1e-6 for name, amount in need.items())) for node in _nodes()
    )


def check_versions() -> None:
    """Refuse a cluster with machines that lack this package, or have another version of it.

    Raises:
        ConfigError: names the machine, and what was found on it.
    """
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    # a function of the standard library: one of this package could not even be sent to a machine without it
    ask = ray.remote(pkgutil.resolve_name)
    asked = {}
    for node in _nodes():
        there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        there_only = ask.options(num_cpus=0, max_retries=0, scheduling_strategy=there)
        asked[node["NodeManagerAddress"]] = there_only.remote("crystalgfn:__version__")
    for machine, answer in asked.items():
        with contextlib.suppress(ray.exceptions.WorkerCrashedError, ray.exceptions.NodeDiedError):
            try:
                found = ray.get(answer)
            except ray.exceptions.RayTaskError:
                found = "none"
            if found != __version__:
                raise ConfigError(f"cluster: found crystalgfn {found} on {machine}, allowed: {__version__}, as here")


def _nodes() -> Iterator[dict[str, Any]]:
    import ray

    return (node for node in ray.nodes() if node["Alive"])


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
