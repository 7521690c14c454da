"""A cluster of two nodes on this machine, of which one is killed while it works."""

import colorsys
import os
from pathlib import Path

import pandas as pd
import pytest

import crystalgfn
import engine_tasks
from crystalgfn.errors import ConfigError, DataError, PropertyError
from crystalgfn.structures.candidates.engines import ray_cluster
from crystalgfn.structures.candidates.engines.engine import Death
from crystalgfn.structures.candidates.engines.local import LocalEngine
from crystalgfn.structures.candidates.engines.ray import RayEngine
from crystalgfn.structures.candidates.pipeline import run
from crystalgfn.structures.candidates.requests import SearchSettings
from crystalgfn.structures.candidates.workers import Tools
from cubic_crystals import ROWS, cubic

ray = pytest.importorskip("ray", reason="ray is not installed: pip install 'crystalgfn[ray]'")

HELPERS = Path(engine_tasks.__file__).parent


@pytest.fixture(scope="module")
def cluster():
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(HELPERS), os.environ.get("PYTHONPATH", "")]))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
        made.other = made.add_node(num_cpus=1)
        yield made
        ray.shutdown()
        made.shutdown()


def test_a_cluster_that_cannot_do_the_work_is_refused(cluster, monkeypatch):
    with pytest.raises(ConfigError, match=r"no machine with 1 CPU and 0\.5 GPU"):
        RayEngine(address=cluster.address, gpus_per_worker=0.5)
    with pytest.raises(DataError, match="workers: found 0"):
        RayEngine(0, address=cluster.address)
    monkeypatch.setattr(ray_cluster, "__version__", "0.0.0")
    with pytest.raises(ConfigError, match=rf"found crystalgfn {crystalgfn.__version__} on .*, allowed: 0\.0\.0"):
        RayEngine(address=cluster.address)


def test_tools_that_a_worker_cannot_load_end_the_work(cluster):
    with pytest.raises(PropertyError, match="a worker of the cluster cannot load its tools: no such potential"):
        list(RayEngine(1, address=cluster.address).map([1], engine_tasks.load_nothing, engine_tasks.double))


def test_a_cluster_writes_what_one_process_writes(cluster, tmp_path):
    cubic(*ROWS).to_parquet(tmp_path / "salts.parquet")
    tables = []
    for name, engine in (("one", LocalEngine(1)), ("cluster", RayEngine(address=cluster.address))):
        tools = Tools(potential="", hull="", library="")
        folder = run(tmp_path / "salts.parquet", tmp_path / name, tools, SearchSettings(placements=3), engine=engine)
        tables.append(pd.read_parquet(folder.path / "structures.parquet").filter(regex="^(?!seconds)"))
    pd.testing.assert_frame_equal(*tables, check_exact=True)
    assert list(tables[0]["status"]) == ["placed"] * 4


def test_no_task_is_lost_with_a_node(cluster, tmp_path, monkeypatch):
    (tmp_path / "colorsys.py").write_text("raise SystemExit('from the current folder')")
    monkeypatch.chdir(tmp_path)
    tasks = [*range(20), engine_tasks.DEADLY, *range(20, 60)]
    results = {}
    for task, result in RayEngine(address=cluster.address).map(tasks, engine_tasks.load, engine_tasks.double):
        assert task not in results
        results[task] = result
        if len(results) == 10:
            cluster.remove_node(cluster.other, allow_graceful=False)
    assert results.pop(engine_tasks.DEADLY) == Death()
    assert {task: doubled for task, (doubled, _) in results.items()} == {task: 2 * task for task in range(60)}
    assert {seen for _, seen in results.values()} == {("1", "", colorsys.__file__)}
