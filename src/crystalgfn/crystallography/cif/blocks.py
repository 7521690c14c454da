"""The text of a CIF as data blocks: names with their values, nothing interpreted and nothing mended.

Syntax: Hall, Allen, Brown, Acta Cryst. A47, 655 (1991). A name with two values in a block, a loop with cells left over
and a value that belongs to no name are errors, because any reading of them is a guess.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from crystalgfn.errors import DataError

MAX_CHARACTERS = 1_000_000
"""Longest text that is read."""

_TOKEN = re.compile(
    r"""(?P<space>\s+)
      | (?P<comment>\#[^\n]*)
      | (?P<text>(?<![^\n]);.*?\n;(?=\s|\Z))
      | '(?P<single>(?:[^'\n]|'(?!\s|\Z))*)'(?=\s|\Z)
      | "(?P<double>(?:[^"\n]|"(?!\s|\Z))*)"(?=\s|\Z)
      | (?P<bare>[^\s'"\#;][^\s]*|(?<=[^\n]);[^\s]*)""",
    re.VERBOSE | re.DOTALL,
)
_NUMBER = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?:\(\d+\))?")
_FRACTION = re.compile(r"([+-]?\d+)/(\d+)")


@dataclass
class Block:
    """A data block.

    Attributes:
        name: what stands after ``data_``.
        text: the block as it was written, with its heading.
        values: columns by name, in lower case and with ``_`` for the ``.`` of newer dictionaries; a value that is not
            in a loop is a column of one. Unknown (``?``) and inapplicable values (``.``) are None.
    """

    name: str
    text: str = ""
    values: dict[str, list[str | None]] = field(default_factory=dict)

    def column(self, *names: str) -> list[str | None] | None:
        """Return the values of the first of these names that the block has, or None."""
        return next((self.values[name.lower()] for name in names if name.lower() in self.values), None)

    def value(self, *names: str) -> str | None:
        """Return the first known value of these names, or None.

        Raises:
            DataError: a loop of different values.
        """
        for name in names:
            known = {text for text in self.values.get(name.lower(), ()) if text is not None}
            if len(known) > 1:
                raise DataError(f"{name} has {len(known)} values, allowed: 1")
            if known:
                return known.pop().strip()
        return None

    def number(self, *names: str) -> float | None:
        """Return the first known number of these names, or None.

        Raises:
            DataError: text that is no number.
        """
        text = self.value(*names)
        return None if text is None else number(text, names[0])


def number(text: str, what: str) -> float:
    """Return a number of a CIF; its standard uncertainty in brackets is left out, and 1/3 is a third.

    Raises:
        DataError: text that is no number, named by ``what``.
    """
    if match := _NUMBER.fullmatch(text.strip()):
        return float(match[1])
    if (match := _FRACTION.fullmatch(text.strip())) and int(match[2]):
        return int(match[1]) / int(match[2])
    raise DataError(f"{what}: found {text[:40]!r}, allowed: a number such as 0.25 or 5.640(3)")


def parse(text: str) -> list[Block]:
    """Return the data blocks of a CIF.

    Raises:
        DataError: empty or too long text, no data block, or a line that is no CIF.
    """
    if not text.strip():
        raise DataError("no CIF: the text is empty")
    if len(text) > MAX_CHARACTERS:
        raise DataError(f"CIF too long: {len(text)} characters, allowed: {MAX_CHARACTERS}")
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    blocks: list[Block] = []
    starts: list[int] = []
    names: list[str] = []  # the name that waits for its value, or the names of a loop
    cells: list[str | None] = []
    loop = heading = False  # within a loop, and before its first value
    for kind, word, start in _tokens(text):
        where, lower = f"line {text.count(chr(10), 0, start) + 1}", word.lower()
        is_name = kind == "bare" and word.startswith("_")
        starts_block = kind == "bare" and lower.startswith("data_")
        reserved = kind == "bare" and (lower in ("loop_", "global_", "stop_") or lower.startswith("save_"))
        if is_name and heading:
            if (name := _name(word)) in names:
                raise DataError(f"no CIF: {where} has {word} a second time in one loop, allowed: once")
            names.append(name)
        elif is_name or starts_block or reserved:
            if blocks:
                _finish(blocks[-1], names, cells, where)
            names, cells, loop, heading = [], [], False, False
            if starts_block:
                blocks.append(Block(word[5:]))
                starts.append(start)
            elif not blocks:
                raise DataError(f"no CIF: {where} is {word[:40]!r}, allowed: data_ before anything else")
            elif is_name:
                names = [_name(word)]
            else:
                loop = heading = lower == "loop_"
        elif not names or (cells and not loop):
            raise DataError(f"no CIF: {where} has {word[:40]!r} without a name of its own; text with blanks is quoted")
        else:
            cells.append(None if kind == "bare" and word in ("?", ".") else word)
            heading = False
    if not blocks:
        raise DataError("no CIF: no data block, allowed: a line that starts with data_")
    _finish(blocks[-1], names, cells, "the end")
    for block, start, end in zip(blocks, starts, [*starts[1:], len(text)], strict=True):
        block.text = text[start:end].rstrip() + "\n"
    return blocks


def _tokens(text: str) -> Iterator[tuple[str, str, int]]:
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            line = text.count("\n", 0, position) + 1
            raise DataError(f"no CIF: line {line} opens a quotation or text that is not closed")
        kind, position = str(match.lastgroup), match.end()
        if kind == "text":
            yield kind, match[kind][1:-2], match.start()
        elif kind not in ("space", "comment"):
            yield kind, match[kind], match.start()


def _name(word: str) -> str:
    return word.lower().replace(".", "_")


def _finish(block: Block, names: list[str], cells: list[str | None], where: str) -> None:
    """Add a value or a loop to its block; a name may stand again with the same values or none, as the AMCSD writes."""
    if names and len(cells) % len(names):
        raise DataError(
            f"no CIF: the loop before {where} has {len(cells)} values for {len(names)} names, allowed: a multiple"
        )
    for column, name in enumerate(names):
        values = cells[column :: len(names)] or ([] if len(names) > 1 else [None])
        earlier = block.values.get(name)
        if earlier is None or not any(earlier):
            block.values[name] = values
        elif any(values) and values != earlier:
            raise DataError(f"no CIF: before {where}, {name} stands a second time with other values, allowed: once")
