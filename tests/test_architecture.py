"""Imports point one way, as docs/architecture.md draws it, and importing the package costs next to nothing."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "crystalgfn"
PAGE = (ROOT / "docs" / "architecture.md").read_text()
FILES = sorted(SOURCE.rglob("*.py"))

LAYERS = (
    "errors",
    "interruption",
    "terminal",
    "progress",
    "section",
    "member_layers",
    "files",
    "crystallography",
    "crystals",
    "spaces",
    "stability",
    "proxies",
    "properties",
    "rewards",
    "policy",
    "gflownet",
    "structures",
    "datasets",
    "config",
    "runs",
    "evaluation",
    "loop",
    "report",
    "cli",
)
"""From the bottom to the top: a layer imports from itself and from those before it, at the top of a file or within."""

LAZY = {
    ("__init__", "crystals"),
    ("__init__", "report"),
    ("__init__", "runs"),
    ("__main__", "cli"),
}
"""The package's front door: what it hands out is imported when it is asked for."""

HEAVY = {"torch", "pandas", "numpy", "pymatgen", "pyarrow", "pydantic", "typer", "rich"}


def name_of(path: Path) -> str:
    """Return the full name of a module, ``"crystalgfn.spaces.crystal"``; a package ends in ``__init__``."""
    return ".".join(("crystalgfn", *path.relative_to(SOURCE).with_suffix("").parts))


MODULES = {name_of(path) for path in FILES}


def imported(path: Path) -> Iterator[str]:
    """Yield the modules of ours that a file imports, anywhere in it."""
    package = ["crystalgfn", *path.relative_to(SOURCE).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [name.name for name in node.names]
        elif isinstance(node, ast.ImportFrom):
            parent = package[: len(package) + 1 - node.level] if node.level else []
            base = ".".join([*parent, *filter(None, [node.module])])
            names = [f"{base}.{name.name}" for name in node.names]
        else:
            continue
        yield from (found for name in names if name.startswith("crystalgfn.") and (found := module(name)))


def module(name: str) -> str:
    """Return the module that a full name is or lies in."""
    while name not in MODULES and f"{name}.__init__" not in MODULES:
        name = name.rpartition(".")[0]
    return name if name in MODULES else f"{name}.__init__"


def layer(name: str) -> str:
    """Return the layer in a full name: ``"spaces"`` of ``"crystalgfn.spaces.base"``."""
    return name.split(".")[1]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_point_one_way(path):
    own = layer(name_of(path))
    used = {layer(name) for name in imported(path)} - {own, "__init__"}  # of the package itself: its version
    if own in LAYERS:
        below = LAYERS[: LAYERS.index(own)]
        assert used <= set(below)
    else:
        assert {(own, name) for name in used} <= LAZY


def test_every_layer_is_there():
    there = {layer(name) for name in MODULES} - {"__init__", "__main__"}
    assert there == set(LAYERS)


def test_the_page_lists_the_layers_in_this_order():
    assert tuple(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)) == LAYERS


def test_the_page_has_a_line_for_every_folder():
    folders = {f"{path.parent.relative_to(SOURCE)}/" for path in SOURCE.rglob("__init__.py")} - {"./"}
    assert folders | {"presets/", "proxies/weights/"} == set(re.findall(r"^      ([\w/]+/) ", PAGE, re.MULTILINE))


def test_files_that_the_page_names_exist():
    files = re.findall(r"`((?:src|tests)/[\w/.]+)`", PAGE)
    assert files
    assert [name for name in files if not (ROOT / name).exists()] == []


def test_no_circle_of_files():
    graph = {name_of(path): set(imported(path)) - {"crystalgfn.__init__", name_of(path)} for path in FILES}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def modules_after(statement: str) -> set[str]:
    """Return the top-level modules that a fresh interpreter holds after a statement."""
    code = f"import sys; {statement}; print(*{{name.split('.')[0] for name in sys.modules}})"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(run.stdout.split())


def test_importing_the_package_imports_nothing_heavy():
    assert not modules_after("import crystalgfn") & HEAVY


def test_sampling_needs_no_library_of_structures():
    sampling = (
        "from crystalgfn.config import load_preset; from crystalgfn.runs.model import untrained; "
        "assert len(untrained(load_preset('twelve-elements')).sample(2)) == 2"
    )
    assert not modules_after(sampling) & {"pymatgen", "moyopy", "pyxtal", "chgnet"}


def test_training_needs_no_library_of_terminals():
    assert "rich" not in modules_after("import crystalgfn.runs.training, crystalgfn.gflownet.trainer")
