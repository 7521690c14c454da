"""Random constraints on compositions, of spaces small enough to enumerate."""

from __future__ import annotations

from hypothesis import strategies as st

from composition_constraints import composition_constraints
from crystalgfn.crystallography.charges import Neutrality
from crystalgfn.crystallography.elements import SYMBOLS
from crystalgfn.crystallography.formulas import Stoichiometry
from crystalgfn.crystallography.space_groups import CENTERING_MULTIPLICITY
from crystalgfn.spaces.constraints.at_most_one_of import AtMostOneOf
from crystalgfn.spaces.constraints.registry import with_values

NOBLE = (2, 10, 18)
ELEMENTS = [1, 3, 5, 6, 8, 9, 11, 12, 16, 17, 19, 25, 26, *NOBLE]


def rules():
    """Rules of neutrality, some with states of their own for sulfur, iron and sodium."""
    plain = st.sampled_from(["per_element", "per_atom", "common", "common_strict", "none"])
    own = st.sampled_from([((16, (-2,)),), ((26, (3,)), (16, (-1, 3))), ((8, (-2, -1)),), ((11, (-1,)), (19, (1, 2)))])
    return plain | st.builds(Neutrality, st.sampled_from(["per_element", "common", "common_strict"]), own)


@st.composite
def problems(draw):
    """Elements, space groups and constraints of a space small enough to enumerate."""
    elements = draw(st.lists(st.sampled_from(ELEMENTS), min_size=1, max_size=4, unique=True))
    groups = draw(st.lists(st.integers(1, 230), min_size=1, max_size=2, unique=True))
    cells = max(int(CENTERING_MULTIPLICITY[g]) for g in groups)
    most = draw(st.integers(1, 3))
    limits = composition_constraints(
        allowed=draw(st.none() | st.lists(st.sampled_from(elements), min_size=1, unique=True).map(tuple)),
        required=tuple(draw(st.lists(st.sampled_from(elements), max_size=2, unique=True))),
        n_elements=(draw(st.integers(1, most)), most),
        n_atoms=(draw(st.sampled_from([1, 1, 4, 6])), cells * draw(st.integers(2, 14))),
        n_atoms_primitive=(draw(st.sampled_from([1, 1, 3])), draw(st.integers(2, 14))),
        atoms_per_element=(draw(st.sampled_from([1, 1, 2, 5])), cells * draw(st.integers(2, 9))),
        charge=draw(rules()),
        wyckoff=draw(st.sampled_from([True, True, False])),
    )
    return elements, groups, draw(wishes(elements, limits))


@st.composite
def wishes(draw, elements, limits):
    """At times further constraints: sets of elements, a stoichiometry, shares, electronegativities."""
    some = st.lists(st.sampled_from(elements), min_size=1, max_size=2, unique=True).map(tuple)
    changes = {}
    if draw(st.integers(0, 3)) == 0:
        changes["any_of"] = tuple(draw(st.lists(some, min_size=1, max_size=2)))
    if draw(st.integers(0, 3)) == 0:
        names = draw(
            st.lists(st.sampled_from([*"ABC", *(SYMBOLS[z] for z in elements)]), min_size=1, max_size=3, unique=True)
        )
        ratios = [draw(st.sampled_from([1, 1, 2, 3])) for _ in names]
        formula = "".join(f"{name}{ratio}" for name, ratio in zip(names, ratios, strict=True))
        changes["stoichiometry"] = Stoichiometry.parse(formula)
    if draw(st.integers(0, 3)) == 0:
        low = draw(st.sampled_from([0.0, 0.2, 1 / 3, 0.5]))
        changes["shares"] = ((draw(st.sampled_from(elements)), low, draw(st.sampled_from([low, 0.6, 2 / 3, 1.0]))),)
        changes["shares"] = tuple((z, a, max(a, b)) for z, a, b in changes["shares"])
    if draw(st.integers(0, 3)) == 0:
        changes["at_most_one_of"] = AtMostOneOf.parse([[SYMBOLS[z] for z in draw(some)]])
    if limits["charge"] not in (None, "per_atom") and draw(st.booleans()):
        changes["electronegativity"] = True
    return with_values(limits, **changes)
