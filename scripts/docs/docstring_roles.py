"""Extension of griffe for the API pages: the Sphinx markup of docstrings becomes Markdown.

A role such as ``:func:`~crystalgfn.spaces.base.step``` becomes the name in code type, and the ``::`` that announces a
code block becomes a colon (an entity, or else griffe would take the line for a section's title).
"""

from __future__ import annotations

import re
from typing import Any

import griffe

_ROLE = re.compile(r":(?:class|func|meth|mod|attr|data|exc):`(~?)([^`]+)`")
_CODE_FOLLOWS = re.compile(r"::$", flags=re.MULTILINE)


def _name(match: re.Match[str]) -> str:
    short, name = match.groups()
    return f"`{name.rsplit('.', 1)[-1] if short else name.removeprefix('.')}`"


class DocstringRoles(griffe.Extension):
    """Rewrites every docstring as it is read."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite the docstring of an object that griffe has just collected."""
        if obj.docstring is not None:
            obj.docstring.value = _CODE_FOLLOWS.sub("&#58;", _ROLE.sub(_name, obj.docstring.value))
