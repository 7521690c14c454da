"""Random sections ``constraints`` of a configuration over small spaces, and the same with one limit relaxed."""

from __future__ import annotations

import re
from copy import deepcopy

from hypothesis import strategies as st

from crystalgfn.crystallography.space_groups import CRYSTAL_LATTICE_SYSTEMS, POINT_SYMMETRIES
from crystalgfn.spaces.constraints.space_groups import CRYSTAL_SYSTEMS

ELEMENTS = ["H", "Li", "C", "O", "F", "Mg", "S", "Cl", "Ti", "Fe", "Se", "Xe"]
"""C and Se have the same electronegativity; Fe, Ti, S, Cl, Xe have many oxidation states."""

GROUPS = [1, 2, 5, 14, 15, 19, 43, 62, 63, 69, 123, 139, 146, 148, 160, 166, 176, 187, 194, 216, 221, 225, 227, 230]
"""Every crystal-lattice system, point symmetry and centering."""

FORMULAS = ["AB", "AB2", "ABO3", "A2BX4", "MgO", "Fe2O3", "A2O3", "LiX", "A", "ABXYZ", "FeO2", "ABC"]

WIDEST = {
    "n_elements": [1, 8],
    "n_atoms": [1, 400],
    "n_atoms_primitive": [1, 50],
    "atoms_per_element": [1, 64],
    "stoichiometry": None,
    "shares": {},
    "electronegativity": "none",
    "oxidation_states": {},
    "wyckoff": False,
}


IN_ELEMENTS = ("required", "forbidden", "any_of", "chemsys")


def subsets(values, least=1, most=3):
    return st.lists(st.sampled_from(values), min_size=least, max_size=most, unique=True)


def sometimes(draw, strategy, one_in=4):
    """A draw of ``strategy`` once in a while, else None."""
    return draw(strategy) if draw(st.integers(1, one_in)) == one_in else None


def between(least, most):
    """``[low, high]`` with least <= low <= high <= most."""
    return st.lists(st.integers(least, most), min_size=2, max_size=2).map(sorted)


@st.composite
def interval(draw, lows, highs):
    return [draw(st.sampled_from(lows)), draw(st.sampled_from(highs))]


LATTICE_BOUNDS = {
    "lengths": interval([2.0, 3.5, 5.0], [5.5, 8.0, 14.0]),
    "angles": interval([55.0, 75.0, 89.5, 95.0], [100.0, 118.0, 130.0]),
    "volume_per_atom": interval([4.0, 10.0, 14.0], [15.0, 30.0]),
    "density": interval([0.5, 2.0, 3.5], [4.0, 6.0, 12.0]),
    "longest_over_shortest": st.sampled_from([1.05, 1.5, 3.0]),
}


@st.composite
def wishes(draw, elements, numbers, *, kind="volume", one_in=4):
    """Limits by the names of their keys, as ``Model.restricted`` takes them; about one in ``one_in`` is there."""
    found = {
        "required": sometimes(draw, subsets(elements, most=2), one_in),
        "forbidden": sometimes(draw, subsets(elements, most=2), one_in),
        "chemsys": sometimes(draw, subsets(elements, most=4), 2 * one_in),
        "any_of": sometimes(draw, st.lists(subsets(elements, most=2), min_size=1, max_size=2), one_in),
        "n_elements": sometimes(draw, between(1, 3), one_in),
        "n_atoms": sometimes(draw, between(1, 24), one_in),
        "n_atoms_primitive": sometimes(draw, between(1, 7), one_in),
        "atoms_per_element": sometimes(draw, between(1, 20), one_in),
        "stoichiometry": sometimes(draw, st.sampled_from(FORMULAS), one_in),
        "numbers": sometimes(draw, subsets(numbers, most=6), one_in),
        "crystal_system": sometimes(draw, subsets(CRYSTAL_SYSTEMS), 2 * one_in),
        "lattice_system": sometimes(draw, subsets(CRYSTAL_LATTICE_SYSTEMS), 2 * one_in),
        "point_symmetry": sometimes(draw, subsets(POINT_SYMMETRIES), 2 * one_in),
        "charge": sometimes(draw, st.sampled_from(["per_element", "per_atom", "common", "common_strict"]), one_in),
        "electronegativity": sometimes(draw, st.just("smact"), one_in),
        "wyckoff": sometimes(draw, st.just(True), 2),
    }
    for key, bounds in LATTICE_BOUNDS.items():
        if kind == "volume" or key not in ("volume_per_atom", "density"):
            found[key] = sometimes(draw, bounds, 2 * one_in)
    if found["electronegativity"] and found["charge"] not in ("common", "common_strict"):
        found["charge"] = "per_element"
    if found["chemsys"]:
        found["chemsys"] = [s for s in found["chemsys"] if s not in (found["forbidden"] or [])]
        found["required"] = [s for s in found["required"] or [] if s in (found["chemsys"] or elements)]
    if found["forbidden"]:
        found["required"] = [s for s in found["required"] or [] if s not in found["forbidden"]]
        if set(elements) == set(found["forbidden"]):
            found["forbidden"] = []
    return {key: value for key, value in found.items() if value}


def placed(section, limits):
    """The section with limits put where they belong, over what stands there."""
    section = deepcopy(section)
    for key, value in limits.items():
        if key in IN_ELEMENTS:
            section["elements"][key] = value
        elif key in ("numbers", "crystal_system", "lattice_system", "point_symmetry"):
            section["space_groups"][key] = value
        elif key in LATTICE_BOUNDS:
            section["lattice"][key] = value
        else:
            section[key] = value
    return section


@st.composite
def sections(draw):
    """A section over a few elements and space groups."""
    elements = draw(subsets(ELEMENTS, least=2, most=5))
    kind = draw(st.sampled_from(["volume", "volume", "box"]))
    section = {
        "elements": {"allowed": elements},
        "n_elements": [1, 3],
        "n_atoms_primitive": [1, draw(st.integers(4, 8))],
        "atoms_per_element": [1, 32],
        "space_groups": {"numbers": draw(subsets(GROUPS, least=2, most=6))},
        "lattice": {"kind": kind},
        "charge": draw(st.sampled_from(["none", "per_atom"])),
        "wyckoff": False,
    }
    if kind == "box":
        section["lattice"] |= {"box": [2.0, 12.0], "box_angles": [55.0, 130.0]}
    if draw(st.integers(1, 4)) == 4:
        low, high = sorted(draw(st.lists(st.sampled_from([0.0, 0.2, 1 / 3, 0.5, 0.75, 1.0]), min_size=2, max_size=2)))
        section["shares"] = {draw(st.sampled_from(elements)): [low, high]}
    numbers = section["space_groups"]["numbers"]
    section = placed(section, draw(wishes(elements, numbers, kind=kind, one_in=draw(st.sampled_from([2, 3, 6])))))
    if section["charge"] != "none" and draw(st.integers(1, 3)) == 3:
        states = st.lists(st.sampled_from([-2, -1, 1, 2, 3]), min_size=1, max_size=2, unique=True)
        section["oxidation_states"] = draw(st.dictionaries(st.sampled_from(elements), states, min_size=1, max_size=2))
    return section


SITE_GROUPS = [2, 47, 99, 123, 160, 166, 187, 194, 216, 221, 225, 227]
SITE_TYPES = ["AB_cF8_225_a_b", "AB2_cF12_225_a_c", "ABC3_cP5_221_a_b_c", "A_hP2_194_c", "AB_cP2_221_a_b"]
SYMMETRIES = ["-43m", "m-3m", "mmm", "4/mmm", "-3m", "3m", "mm2", "m", "-6m2", "4mm", "-1", "1", "222"]
SITE_LIMITS = ("chemsys", "stoichiometry", "required", "forbidden", "any_of", "n_elements", "n_atoms", "charge")


@st.composite
def site_rules(draw, elements):
    """Rules for the sites of one or two elements."""
    rules = {}
    for symbol in draw(subsets(elements, most=2)):
        symmetry = draw(st.none() | subsets(SYMMETRIES, most=4))
        least, most = draw(between(1, 16))
        multiplicity = [least, most] if symmetry is None or draw(st.booleans()) else None
        rule = {"symmetry": symmetry, "multiplicity": multiplicity}
        rules[symbol] = {key: value for key, value in rule.items() if value}
    return rules


@st.composite
def site_sections(draw):
    """A section with sites, over few elements and groups, small enough to enumerate."""
    elements = draw(subsets(ELEMENTS[:-1], least=2, most=3))
    numbers = draw(subsets(SITE_GROUPS, least=1, most=3))
    section = {
        "elements": {"allowed": elements},
        "sites": "wyckoff",
        "n_elements": [1, 3],
        "n_atoms_primitive": [1, 3 if {2, 47} & set(numbers) else 4],
        "atoms_per_element": [1, 64],
        "space_groups": {"numbers": numbers},
        "lattice": {},
        "charge": "none",
    }
    limits = draw(wishes(elements, numbers, one_in=draw(st.sampled_from([3, 6]))))
    limits = {key: value for key, value in limits.items() if key in SITE_LIMITS}
    limits |= {
        "element_sites": draw(site_rules(elements)) if draw(st.integers(1, 3)) > 1 else None,
        "max_orbits": sometimes(draw, st.integers(1, 3), 3),
        "max_free_coordinates": sometimes(draw, st.integers(0, 3), 3),
        "structure_type": sometimes(draw, st.sampled_from(SITE_TYPES), 8),
    }
    return placed(section, {key: value for key, value in limits.items() if value is not None})


NAMED = {
    "n_elements": r"n_elements \[",
    "n_atoms": r"n_atoms \[",
    "n_atoms_primitive": r"n_atoms_primitive \[",
    "atoms_per_element": r"atoms_per_element \[",
    "charge": r"neutrality ",
    "oxidation_states": r"oxidation_states ",
    "required": r"required ",
    "forbidden": r"allowed elements",
    "wyckoff": r"wyckoff ",
    "any_of": r"any_of ",
    "chemsys": r"chemsys ",
    "stoichiometry": r"stoichiometry ",
    "shares": r"shares ",
    "electronegativity": r"electronegativity(?:;|$)",
    **{key: rf"{key} " for key in ("element_sites", "structure_type", "max_orbits", "max_free_coordinates")},
    **{key: rf"lattice\.{key} " for key in LATTICE_BOUNDS},
}
"""How each key is written in a refusal."""


def named(message):
    """Keys that a refusal says are guilty, each by itself."""
    _, colon, culprits = message.partition("would leave some: ")
    assert colon, message
    return [key for key, written in NAMED.items() if re.search(rf"(?:^|; ){written}", culprits)]


def relaxed(section, key):
    """The section without one of its limits."""
    if key in IN_ELEMENTS:
        return placed(section, {key: []})
    if key == "longest_over_shortest" or key in LATTICE_BOUNDS:
        return placed(section, {key: "auto" if key == "volume_per_atom" else None})
    if key in ("element_sites", "structure_type", "max_orbits", "max_free_coordinates"):
        return {name: value for name, value in section.items() if name != key}
    if key == "charge":
        return section | {"charge": "none", "electronegativity": "none", "oxidation_states": {}}
    return section | {key: WIDEST[key]}
