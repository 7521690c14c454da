"""Each constraint stands in one place: its name is written in at most three files, and its check is independent."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from composition_constraints import composition_constraints
from crystalgfn.spaces.constraints import finished
from crystalgfn.spaces.constraints.finished import FinishedCrystals
from crystalgfn.spaces.constraints.limits import CompositionLimits
from crystalgfn.spaces.constraints.ratios import HasStoichiometry
from crystalgfn.spaces.constraints.registry import CONSTRAINTS, with_values

SOURCE = Path(finished.__file__).resolve().parents[2]
MOST = 3

COLUMNS = {"n_elements", "n_atoms", "n_atoms_primitive", "volume_per_atom", "density", "wyckoff", "lattice_system"}
"""Names that are also properties, columns of tables or numbers of a summary: there the word is no constraint."""
DESCRIBING = ("crystals", "datasets", "properties", "proxies", "policy", "report", "structures", "evaluation")
"""Layers that describe crystals by these columns and are told no constraint."""

EVERYDAY = {
    "allowed": "which actions are",
    "numbers": "of any kind",
    "lengths": "of any cell",
    "angles": "of any cell",
    "point_symmetry": "of any crystal",
    "electronegativity": "of an element",
    "chemsys": "of a query to the Materials Project",
}
"""Words that name much else, too."""

AS_ATTRIBUTE = {
    "n_atoms": "of crystals",
    "volume_per_atom": "a bound of decoders",
    "density": "a bound of decoders",
    "wyckoff": "the letter of a site",
    "max_orbits": "a size of tensors",
}
"""Names that are also attributes of plain data."""


@cache
def words_of(path):
    """Strings and keywords of calls in a file, and attributes: all that a name could be used as."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    strings = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    keywords = {node.arg for node in nodes if isinstance(node, ast.keyword)}
    return strings | keywords, {node.attr for node in nodes if isinstance(node, ast.Attribute)}


def mentions(path, name):
    words, attributes = words_of(path)
    return name in words or (name in attributes and name not in AS_ATTRIBUTE)


@pytest.mark.parametrize("name", [kind.name for kind in CONSTRAINTS if kind.name not in EVERYDAY])
def test_a_name_stands_in_three_files_at_most(name):
    files = [
        str(path.relative_to(SOURCE))
        for path in sorted(SOURCE.rglob("*.py"))
        if not (name in COLUMNS and path.relative_to(SOURCE).parts[0] in DESCRIBING) and mentions(path, name)
    ]
    assert 1 <= len(files) <= MOST, files


def test_names_are_unique_and_every_constraint_says_what_it_means():
    names = [kind.name for kind in CONSTRAINTS]
    assert len(set(names)) == len(names)
    flags = [kind.option.flag for kind in CONSTRAINTS if kind.option is not None]
    assert len(set(flags)) == len(flags)
    for kind in CONSTRAINTS:
        assert kind.meaning.endswith("."), kind.name
        assert kind.subspace in ("space_group", "composition", "sites", "lattice"), kind.name


ASKED = {
    "allowed": (3, 8, 26),
    "required": (8,),
    "forbidden": (9,),
    "any_of": ((3, 26),),
    "shares": ((8, 0.5, 0.7),),
    "at_most_one_of": (frozenset({3, 26}),),
    "stoichiometry": HasStoichiometry.parse("A2B3"),
    "electronegativity": True,
    "numbers": frozenset({167}),
    "crystal_system": ("trigonal",),
    "lengths": (3.0, 20.0),
    "density": (1.0, 9.0),
}


def test_checks_use_nothing_of_what_look_ahead_follows(monkeypatch):
    """Hematite obeys; with two more atoms of oxygen it does not: found without a ledger and without limits."""

    def refuse(*args, **kwargs):
        raise AssertionError("a check asked look-ahead")

    constraints = with_values(composition_constraints(n_atoms=(1, 30), atoms_per_element=(1, 24)), **ASKED)
    for constraint in constraints:
        for method in ("contribute", "kind", "start", "advance", "accepts"):
            if hasattr(type(constraint), method):
                monkeypatch.setattr(type(constraint), method, refuse)
    monkeypatch.setattr(CompositionLimits, "__init__", refuse)
    lattice = np.array([[5.04, 5.04, 13.75, 90, 90, 120]] * 2)
    crystals = FinishedCrystals((8, 26), np.array([167, 167]), np.array([[18, 12], [24, 12]]), lattice)
    broken = {c.name: c.violated(crystals).tolist() for c in constraints}
    assert not any(first for first, _ in broken.values()), broken
    assert {name for name, (_, second) in broken.items() if second} >= {"n_atoms", "stoichiometry", "charge"}
