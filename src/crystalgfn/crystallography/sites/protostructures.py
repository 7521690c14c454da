"""Protostructure labels: ``AB_cF8_225_a_b:Mg-O``, the text that names a crystal by its group, sites and elements.

The form is that of the package aviary (Goodall et al., doi:10.1126/sciadv.abn4117), now also pymatgen's
``get_protostructure_label``: anonymous formula, Pearson symbol, space group, the letters of each element, then the
elements, which stand in alphabetical order throughout. A number before a letter counts its orbits: ``a2c``. Without the
elements the text names a structure type.

Of the descriptions that the normalizer connects, a label gives the one with the least sum of places in the alphabet of
the distinct letters of each element (``A``, the last letter of group 47, counts 0), then the first text. In the six
groups of :data:`EUCLIDEAN`, pymatgen takes the Euclidean normalizer alone, so that a crystal with other axes can have
another label there. Use :func:`~crystalgfn.crystallography.sites.keys.site_keys` to compare crystals.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from functools import cache, lru_cache, reduce
from math import gcd
from string import ascii_uppercase
from typing import NamedTuple, NoReturn

from crystalgfn.crystallography.elements import atomic_number
from crystalgfn.crystallography.operations import affine_permutations, letter_permutations
from crystalgfn.crystallography.space_groups import CRYSTAL_SYSTEM, HM_SYMBOL
from crystalgfn.crystallography.wyckoff import WYCKOFF, WyckoffPosition
from crystalgfn.errors import DataError

EUCLIDEAN = frozenset({2, 3, 10, 11, 12, 14})
"""Groups of which labels ignore changes of axes, as pymatgen's table of relabelings does."""

_FAMILY = {"triclinic": "a", "monoclinic": "m", "orthorhombic": "o", "tetragonal": "t", "cubic": "c"}
_LABEL = re.compile(r"([A-Z0-9]+)_(\w+?)_([0-9]{1,3})((?:_[0-9a-zA-Z]+)+)(?::([A-Za-z]+(?:-[A-Za-z]+)*))?")
_FORMULA = re.compile(r"(?:[A-Z](?:[2-9]|[1-9][0-9]+)?)+")
_PART = re.compile(r"([1-9][0-9]{0,2})?([a-zA-Z])")


class Protostructure(NamedTuple):
    """What a label says.

    Attributes:
        space_group: international number.
        slots: the letters of each element, one for each orbit, in their order: ``("d", "a", "e")``.
        elements: symbol of each slot, in alphabetical order; None for a structure type.
    """

    space_group: int
    slots: tuple[str, ...]
    elements: tuple[str, ...] | None


def protostructure_label(space_group: int, sites: Iterable[tuple[str, str]]) -> str:
    """Return the label of a crystal.

    Args:
        space_group: international number, 1..230.
        sites: (symbol, Wyckoff letter) of each orbit, in any order.

    Raises:
        DataError: no such group, element or letter, no sites, or a position without free coordinates twice.
    """
    letters: dict[str, str] = {}
    for symbol, letter in sorted(sites):
        letters[symbol] = letters.get(symbol, "") + letter
    for symbol in letters:
        atomic_number(symbol)
    return f"{_structure_type(space_group, tuple(letters.values()))}:{'-'.join(letters)}"


def parse_label(text: str) -> Protostructure:
    """Read a label, or a structure type, of which the formula may have another order than the slots.

    Raises:
        DataError: text of another form, a space group, letter or element that does not exist, a position without free
            coordinates that is taken twice, or a formula or Pearson symbol that the letters contradict.
    """
    form = _LABEL.fullmatch(str(text))
    if form is None:
        _refuse(
            text, "another form", "allowed: a label such as AB_cF8_225_a_b:Mg-O, or AB_cF8_225_a_b for any elements"
        )
    formula, pearson, number, letters, system = form.groups()
    space_group = int(number)
    elements = tuple(system.split("-")) if system else None
    try:
        slots = tuple(_letters(space_group, part) for part in letters[1:].split("_"))
        counts = _counts(space_group, slots)
        for symbol in elements or ():
            atomic_number(symbol)
    except DataError as error:
        raise DataError(f"{str(text)!r}: {error}") from None
    _check_formula(text, formula, _reduced(counts), ordered=elements is not None)
    expected = _pearson_symbols(space_group, sum(counts))
    if pearson not in expected:
        _refuse(text, f"Pearson symbol {pearson!r}", f"allowed with these letters: {expected[0]!r}")
    if elements and (len(elements) != len(slots) or list(elements) != sorted(set(elements))):
        allowed = f"{len(slots)} different ones in alphabetical order, as in {'-'.join(sorted(set(elements)))!r}"
        _refuse(text, f"elements {system!r}", f"allowed: {allowed}")
    return Protostructure(space_group, slots, elements)


@lru_cache(maxsize=65_536)
def _structure_type(space_group: int, slots: tuple[str, ...]) -> str:
    """The label without elements, of slots in the order of their elements."""
    counts = _counts(space_group, slots)
    names = zip(ascii_uppercase, _reduced(counts), strict=False)
    formula = "".join(f"{name}{n}" if n > 1 else name for name, n in names)
    joined = "_".join(slots)
    images = {joined.translate(relabeling) for relabeling in _relabelings(space_group)}
    _, letters = min(map(_scored, images))
    return f"{formula}_{_pearson_symbols(space_group, sum(counts))[0]}_{space_group}_{letters}"


@cache
def _relabelings(space_group: int) -> tuple[dict[int, str], ...]:
    """The permutations of letters, for :meth:`str.translate`."""
    permutations = letter_permutations if space_group in EUCLIDEAN else affine_permutations
    return tuple({ord(letter): image for letter, image in images.items()} for images in permutations(space_group))


def _scored(joined: str) -> tuple[int, str]:
    """Sum of the places of the distinct letters of each slot, and the text with counts."""
    slots = [Counter(sorted(letters)) for letters in joined.split("_")]
    score = sum(0 if letter == "A" else ord(letter) - ord("a") + 1 for slot in slots for letter in slot)
    text = "_".join("".join(f"{n}{letter}" if n > 1 else letter for letter, n in slot.items()) for slot in slots)
    return score, text


def _letters(space_group: int, part: str) -> str:
    """Letters of one element, each as often as it has orbits: ``"aacc"`` of ``"2a2c"``."""
    runs = [(letter, int(orbits or 1)) for orbits, letter in _PART.findall(part)]
    if _PART.sub("", part):
        raise DataError(
            f"letters {part!r}; allowed: Wyckoff letters, with the number of orbits before each, as in 'a2c'"
        )
    order = [position.letter for position in _positions(space_group)]
    runs.sort(key=lambda run: order.index(run[0]) if run[0] in order else 0)
    return "".join(letter * orbits for letter, orbits in runs)


def _counts(space_group: int, slots: tuple[str, ...]) -> list[int]:
    """Atoms of each slot in the conventional cell.

    Raises:
        DataError: no such group or letter, no slots, or a position without free coordinates is taken twice.
    """
    if not slots:
        raise DataError("a crystal without sites; allowed: 1 or more")
    positions = {position.letter: position for position in _positions(space_group)}
    taken = Counter("".join(slots))
    for letter, orbits in taken.items():
        if letter not in positions:
            near = min(positions, key=lambda other: abs(ord(other) - ord(letter)))
            raise DataError(
                f"space group {space_group} has no Wyckoff position {letter!r} (nearest: {near!r}); "
                f"allowed are the letters {''.join(positions)}"
            )
        if orbits > 1 and not positions[letter].degrees_of_freedom:
            free = "".join(p.letter for p in positions.values() if p.degrees_of_freedom)
            raise DataError(
                f"position {letter!r} of space group {space_group} has no free coordinates and is taken {orbits} "
                f"times; allowed: once, or any number of times one of {free}"
            )
    return [sum(positions[letter].multiplicity for letter in letters) for letters in slots]


def _positions(space_group: int) -> tuple[WyckoffPosition, ...]:
    if not 1 <= space_group <= 230:
        raise DataError(f"space group is {space_group}; allowed are 1 to 230")
    return WYCKOFF[space_group]


def _reduced(counts: list[int]) -> list[int]:
    divisor = reduce(gcd, counts)
    return [n // divisor for n in counts]


def _pearson_symbols(space_group: int, atoms: int) -> tuple[str, ...]:
    """Pearson symbols of a crystal: the one to write, then others in use for side-centred lattices.

    The first is that of moyopy, and so of pymatgen: S in orthorhombic groups, C in monoclinic ones.
    """
    family, centering = _FAMILY.get(CRYSTAL_SYSTEM[space_group], "h"), HM_SYMBOL[space_group][0]
    if centering in "ABC":
        centering = f"SC{centering}" if family == "o" else "CS"
    return tuple(f"{family}{letter}{atoms}" for letter in centering)


def _check_formula(text: object, formula: str, expected: list[int], *, ordered: bool) -> None:
    """Compare the anonymous formula of a label with the atoms of its slots."""
    names = re.findall(r"[A-Z]", formula)
    right = "".join(f"{name}{n}" if n > 1 else name for name, n in zip(ascii_uppercase, expected, strict=False))
    if not _FORMULA.fullmatch(formula) or names != list(ascii_uppercase[: len(names)]):
        _refuse(text, f"anonymous formula {formula!r}", f"allowed: A, B, ... in order with their numbers, as {right!r}")
    found = [int(n or 1) for n in re.findall(r"[A-Z](\d*)", formula)]
    if found != expected and (ordered or sorted(found) != sorted(expected)):
        _refuse(text, f"anonymous formula {formula!r}", f"allowed with these letters: {right!r}")


def _refuse(text: object, found: str, allowed: str) -> NoReturn:
    raise DataError(f"{str(text)!r} is no protostructure label: found {found}, {allowed}")
