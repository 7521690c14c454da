"""Parts of pages that show structures by 3Dmol.js, and a frame of its own for notebooks."""

from __future__ import annotations

import hashlib
import html
import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from crystalgfn.files.packed import packed
from crystalgfn.structures.viewing.scene import appearance

HEIGHT_PX = 380
"""Height of a frame in a notebook."""


def script() -> str:
    """Return the JavaScript that draws scenes; it needs :func:`library` in an element ``packed-3dmol``."""
    return _asset("viewer3d.js")


def library() -> str:
    """Return 3Dmol.js, packed by :func:`~crystalgfn.files.packed.packed`."""
    return packed(_asset("3Dmol-min.js"))


def frame(scenes: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    """Return an HTML frame in which structures can be turned; it asks for nothing from a network.

    Args:
        scenes: name and :func:`~crystalgfn.structures.viewing.scene.scene` of each, the first one to begin with.
    """
    content = {"scenes": scenes, "elements": appearance(one for _, one in scenes)}
    data = packed(json.dumps(content, allow_nan=False, separators=(",", ":")))
    values = {
        "NONCE": hashlib.sha256(data.encode()).hexdigest()[:16],
        "DATA": data,
        "LIBRARY": library(),
        "SCRIPT": script(),
    }
    text = _asset("view.html")
    for name, value in values.items():
        text = text.replace(f"<!--{name}-->", value)
    return (
        f'<iframe srcdoc="{html.escape(text)}" sandbox="allow-scripts" title="Structures" '
        f'style="width:100%;max-width:760px;height:{HEIGHT_PX}px;border:0"></iframe>'
    )


def _asset(name: str) -> str:
    return (files(__package__) / "assets" / name).read_text(encoding="utf-8")
