"""Every kind of term by its name in configurations.

To add one, write a file beside this one with a term and its keys, and put the class of the keys into :data:`TERMS`.
"""

from __future__ import annotations

from typing import Annotated

from crystalgfn.rewards.terms.chemical_classes import ChemicalClassesConfig
from crystalgfn.rewards.terms.formula import FormulaConfig
from crystalgfn.rewards.terms.novelty import NoveltyConfig
from crystalgfn.rewards.terms.pattern import PatternConfig
from crystalgfn.rewards.terms.property import PropertyTermConfig
from crystalgfn.rewards.terms.stability import StabilityConfig
from crystalgfn.rewards.terms.term import TermConfig
from crystalgfn.section import OneOf

PROPERTY = "property"
"""The kind whose keys are written without its name: ``{property: density, goal: maximise}``."""

TERMS: dict[str, type[TermConfig]] = {
    PROPERTY: PropertyTermConfig,
    "stability": StabilityConfig,
    "novelty": NoveltyConfig,
    "formula": FormulaConfig,
    "pattern": PatternConfig,
    "chemical_classes": ChemicalClassesConfig,
}
"""Kinds of terms; all but :data:`PROPERTY` are written with their name: ``{stability: {beta: 20}}``."""

WRITTEN_TERM = OneOf(TERMS, plain=PROPERTY)
"""How a term is read and written."""

ConfiguredTerm = Annotated[TermConfig, WRITTEN_TERM]
"""The type of a key that holds a term."""
