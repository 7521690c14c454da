"""The order of the files of ``crystalgfn.proxies`` as the docstring of the package lists it: imports point down."""

import ast
import re
from pathlib import Path

import crystalgfn.proxies as package

ROOT = Path(package.__file__).parent
ORDER = [
    re.findall(r"``(\w+)``", line) for line in (package.__doc__ or "").splitlines() if re.match(r"\d+\. ", line.strip())
]
LEVEL = {name: number for number, names in enumerate(ORDER) for name in names}


def part(path: Path) -> str:
    return path.relative_to(ROOT).with_suffix("").parts[0]


def imports(path: Path) -> set[str]:
    modules = {node.module or "" for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)}
    return {module.split(".")[2] for module in modules if module.startswith("crystalgfn.proxies.")}


def test_every_part_is_listed_once():
    assert sorted(name for names in ORDER for name in names) == sorted(
        {part(path) for path in ROOT.rglob("*.py")} - {"__init__"}
    )


def test_imports_point_down_the_list():
    upward = [
        (part(path), name)
        for path in ROOT.rglob("*.py")
        for name in imports(path)
        if LEVEL.get(name, -1) > LEVEL.get(part(path), len(ORDER))
    ]
    assert upward == []
