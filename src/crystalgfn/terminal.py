"""The one way to print: names and messages from files reach the terminal as text, without markup or control characters.

A name in a table or a folder of someone else may hold escape sequences, which a terminal obeys, or square brackets,
which rich takes for markup. :func:`echo` and the consoles of :func:`console` show both as they are, or not at all.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

KEPT = "\n\t"
"""Control characters that lay out a text of several lines."""


WIDE = 160
"""Characters of a line in a file or a pipe, which have no width of their own."""


def plain(text: object, *, kept: str = "") -> str:
    """Return text in which every character that cannot be printed is a blank.

    Args:
        text: anything, written as ``str`` writes it.
        kept: control characters that stay.
    """
    return "".join(c if c.isprintable() or c in kept else " " for c in str(text))


def one_line(text: object) -> str:
    """Return text as one line that can be printed, with single blanks."""
    return " ".join(plain(text).split())


def echo(text: object = "", *, err: bool = False, end: str = "\n") -> None:
    """Print a text of one or more lines.

    Args:
        text: what to print; lines and tabs stay.
        err: print to stderr.
        end: what follows the text.
    """
    stream = sys.stderr if err else sys.stdout
    line = plain(text, kept=KEPT) + end
    try:
        stream.write(line)
    except UnicodeEncodeError:  # a terminal without these letters
        encoding = stream.encoding or "ascii"
        stream.write(line.encode(encoding, "replace").decode(encoding))
    stream.flush()


def console(**options: Any) -> Console:
    """Return a rich console that takes no text for markup.

    What is no terminal, such as a file or a pipe, gets lines of up to :data:`WIDE` characters, unless ``COLUMNS`` says
    how many.

    Args:
        options: arguments of :class:`rich.console.Console`, such as ``stderr`` and ``width``.
    """
    from rich.console import Console
    from rich.text import Text

    class PlainConsole(Console):
        def render_str(self, text: str, **styles: Any) -> Text:
            styles |= {"markup": False, "emoji": False}
            return super().render_str(plain(text, kept=KEPT), **styles)

    screen = PlainConsole(**{"markup": False, "emoji": False, **options})
    if not (screen.is_terminal or screen.is_jupyter or "width" in options or os.environ.get("COLUMNS")):
        screen.width = WIDE
    return screen
