"""Parts of documentation pages that scripts write, between markers that readers of the page do not see."""

from __future__ import annotations

import re

from crystalgfn.errors import DataError, nearest


def fill(page: str, name: str, body: str) -> str:
    """Return the page with the text between two markers replaced.

    The markers are comments on lines of their own: ``<!-- begin NAME -->`` and ``<!-- end NAME -->``.

    Args:
        page: markdown.
        name: name of the part.
        body: markdown of the part.

    Raises:
        DataError: the page lacks one of the markers, or has it twice.
    """
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    if page.count(begin) != 1 or page.count(end) != 1 or page.index(begin) > page.index(end):
        raise DataError(f"page has no single part between {begin!r} and {end!r}{nearest(name, parts(page))}")
    head, rest = page.split(begin)
    tail = rest.split(end)[1]
    return f"{head}{begin}\n\n{body.strip()}\n\n{end}{tail}"


def parts(page: str) -> list[str]:
    """Names of the parts of a page that scripts write."""
    return re.findall(r"<!-- begin (.+?) -->", page)
