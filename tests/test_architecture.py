"""Imports point one way, as docs/architecture.md draws it, and importing the package costs next to nothing."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[1] / "src" / "crystalgfn"

BASE = {"errors", "progress", "goals", "rules", "__version__"}
CRYSTAL = BASE | {"crystallography", "crystal", "tables"}
SPACES = CRYSTAL | {"spaces"}
GFLOWNET = SPACES | {"policy", "properties", "gflownet", "stability"}
CONFIG = BASE | {"crystallography", "config"}
BUILD = GFLOWNET | {"config", "build"}
MAY_IMPORT = {
    "errors": set(),
    "progress": set(),
    "goals": {"errors"},
    "rules": {"errors", "crystallography"},
    "crystallography": BASE,
    "crystal": BASE
    | {"crystallography", "tables", "structures"},  # the last two inside methods only: to_csv, place ...
    "tables": CRYSTAL,
    "stability": CRYSTAL,
    "properties": CRYSTAL | {"stability"},
    "datasets": CRYSTAL | {"stability", "structures"},
    "structures": CRYSTAL | {"stability"},
    "spaces": CRYSTAL,
    "policy": SPACES,
    "gflownet": GFLOWNET,
    "evaluation": GFLOWNET | {"datasets", "structures"},
    "report": GFLOWNET | {"datasets", "evaluation", "structures"},
    "config": CONFIG,
    "build": BUILD,
    "restrict": CONFIG,
    "run": BUILD,
    "model": BUILD | {"restrict"},
    "loop": BUILD | {"datasets", "model", "run", "structures", "stability"},
    "cli": BUILD | {"loop"} | {"datasets", "evaluation", "report", "restrict", "run", "model", "structures"},
    "__init__": {"crystal", "model"},  # on first use
    "__main__": {"cli"},
}
HEAVY = {"torch", "pandas", "numpy", "pymatgen", "pyarrow", "pydantic", "typer", "rich"}


def imported(path: Path) -> Iterator[str]:
    """Yield the full names that a module of ours imports from our own package."""
    package = ["crystalgfn", *path.relative_to(SOURCE).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            parent = package[: len(package) + 1 - node.level] if node.level else []
            base = ".".join([*parent, *filter(None, [node.module])])
            yield from (f"{base}.{name.name}" for name in node.names)


def layer(name: str) -> str:
    """Return the layer in a full name: ``"spaces"`` of ``"crystalgfn.spaces.base"``."""
    return name.split(".")[1]


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_point_one_way(path):
    own = layer(".".join(["crystalgfn", *path.relative_to(SOURCE).with_suffix("").parts]))
    used = {layer(name) for name in imported(path) if name.split(".")[0] == "crystalgfn"}
    assert used - {own} <= MAY_IMPORT[own]


def modules_after(statement: str) -> set[str]:
    """Return the top-level modules that a fresh interpreter holds after a statement."""
    code = f"import sys; {statement}; print(*{{name.split('.')[0] for name in sys.modules}})"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(run.stdout.split())


def test_importing_the_package_imports_nothing_heavy():
    assert not modules_after("import crystalgfn") & HEAVY


def test_sampling_needs_no_library_of_structures():
    sampling = (
        "from crystalgfn.config import load_preset; from crystalgfn.model import untrained; "
        "assert len(untrained(load_preset('default')).sample(2)) == 2"
    )
    assert not modules_after(sampling) & {"pymatgen", "moyopy", "pyxtal", "chgnet"}


def test_training_needs_no_library_of_terminals():
    assert "rich" not in modules_after("import crystalgfn.run, crystalgfn.gflownet.trainer")
