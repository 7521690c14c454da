"""The atomate2 workflow of candidates, run by jobflow with VASP itself left out."""

import sys

import pytest

from crystalgfn.errors import ConfigError, DataError
from crystalgfn.structures.export.workflows import relax_flow
from export_setup import structures

STRUCTURES = structures()


@pytest.fixture
def calls(monkeypatch):
    """What atomate2 would have VASP do, job by job; a run grows the cell by one per cent."""
    pytest.importorskip("atomate2", reason="atomate2 is not installed")
    from atomate2.vasp.jobs import base
    from emmet.core.tasks import TaskDoc

    made = []

    def write(structure, generator, **_):
        with_spec = generator.get_input_set(structure, potcar_spec=True)
        made.append((structure, with_spec["INCAR"]))

    def document(path, **_):
        structure = made[-1][0].copy()
        structure.scale_lattice(structure.volume * 1.01)
        result = {"structure": structure, "energy": -1.0}
        return TaskDoc(structure=structure, output=result, dir_name=str(path), calcs_reversed=[])

    monkeypatch.setattr(base, "write_vasp_input_set", write)
    monkeypatch.setattr(base, "run_vasp", lambda **_: None)
    monkeypatch.setattr(base, "copy_vasp_outputs", lambda *_, **__: None)
    monkeypatch.setattr(base, "get_vasp_task_document", document)
    monkeypatch.setattr(base, "should_stop_children", lambda *_, **__: False)
    return made


@pytest.mark.filterwarnings("ignore")
def test_each_candidate_is_relaxed_twice_and_ends_with_a_static_calculation(calls, tmp_path, monkeypatch):
    from jobflow import run_locally

    monkeypatch.chdir(tmp_path)
    flow = relax_flow(STRUCTURES.best(2))
    responses = run_locally(flow, create_folders=True, raise_immediately=True)
    assert len(responses) == len(calls) == 6
    steps = [(structure.composition.reduced_formula, incar["NSW"]) for structure, incar in calls]
    assert sorted(steps) == sorted([("NaN", 99), ("NaN", 99), ("NaN", 0), ("FeO", 99), ("FeO", 99), ("FeO", 0)])
    relaxed = [structure.volume for structure, _ in calls if structure.composition.reduced_formula == "FeO"]
    first = STRUCTURES[3].structure.volume
    assert relaxed == pytest.approx([first, first * 1.01, first * 1.01**2])  # each goes on from the one before


def test_jobs_are_named_after_their_candidates(calls):
    flow = relax_flow(STRUCTURES)
    rows = {job.metadata["row"] for job, _ in flow.iterflow()}
    assert rows == {0, 1, 2, 3, 4, 5}  # row 6 has no structure
    assert {job.metadata["formula"] for job, _ in flow.iterflow() if job.metadata["row"] == 3} == {"FeO"}
    assert all(job.name.startswith(f"{job.metadata['row']:08d} ") for job, _ in flow.iterflow())
    with pytest.raises(DataError, match="no candidate has a structure"):
        relax_flow(STRUCTURES[6:])


def test_without_atomate2_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "atomate2.vasp.flows.mp", None)
    with pytest.raises(ConfigError, match=r"pip install 'crystalgfn\[atomate2\]'"):
        relax_flow(STRUCTURES)
