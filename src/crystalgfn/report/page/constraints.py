"""The figure of constraints: what they leave of proposals made without look-ahead."""

from __future__ import annotations

from math import floor, log10
from typing import Any

from crystalgfn.evaluation.funnel import Funnel
from crystalgfn.report.page.figure import Figure, axis, rounded

PROPOSALS = "proposals"


def funnel_figure(found: Funnel, name: str) -> Figure:
    """Return the share of proposals that is left after each constraint, and that of valid samples, as bars.

    Args:
        found: by :func:`crystalgfn.evaluation.funnel.funnel`.
        name: of the samples.
    """
    left = {PROPOSALS: found.n, **found.left}
    traces = [_bars(PROPOSALS, {step: (number, found.n) for step, number in left.items()})]
    if found.samples:
        traces.append(_bars(name, {f"samples of {name}": (found.valid, found.samples)}))
    steps = [step for trace in traces for step in trace["y"]]
    # two decades at least, and so far that the shortest bar is seen
    least = min(-2, floor(log10(min(number / found.n for number in left.values() if number)) - 0.3))
    layout = {
        "xaxis": axis("still valid (%)", type="log", range=[least + 2, 2.02], dtick=1),
        "yaxis": {"type": "category", "categoryorder": "array", "categoryarray": steps[::-1], "ticks": ""},
        "barmode": "overlay",
        "bargap": 0.25,
        "showlegend": False,
    }
    last = next(reversed(found.left.values()), found.n)
    of_model = f" Of {found.samples:,} samples, {_words(found.valid, found.samples)} do." if found.samples else ""
    obey = f"{_words(last, found.n)} obey every constraint.{of_model}"
    caption = (
        f"Shares on a logarithmic scale. Proposals: {found.n:,} crystals, each choice uniform and made alone; {obey} "
        "All are judged by the same checks, which share nothing with the sampling masks. Free lengths and angles of "
        "proposals are uniform between their bounds, or in the box of the paper where there are none."
    )
    words = "; ".join(f"{step} {percent_of(number, found.n)}" for step, number in found.left.items())
    alt = f"What constraints leave of {found.n:,} proposals, one after the other: {words}.{of_model}"
    return Figure("funnel", "What the constraints leave", caption, alt, traces, layout, True)


def _bars(name: str, held: dict[str, tuple[int, int]]) -> dict[str, Any]:
    """A trace of bars from numbers left and all numbers by step; no bar stands for 0."""
    shares = rounded([100 * left / n if left else float("nan") for left, n in held.values()], 4)
    return {
        "type": "bar",
        "orientation": "h",
        "name": name,
        "y": list(held),
        "x": shares,
        "text": [percent_of(left, n) for left, n in held.values()],
        "customdata": [f"{left:,} of {n:,}" for left, n in held.values()],
        "textposition": "auto",
        "hovertemplate": "%{y}: %{customdata}, %{text}<extra></extra>",
    }


def percent_of(left: int, n: int) -> str:
    """Return a share of n in per cent with two or three digits; 100 % for all of them and nothing less."""
    if left in (0, n):
        return "100 %" if left else "none"
    if left > 0.9995 * n:
        return "over 99.9 %"
    return f"{100 * left / n:.2g} %" if left < 0.0995 * n else f"{100 * left / n:.3g} %"


def _words(left: int, n: int) -> str:
    """How many, and the share where it is neither 0 nor 1."""
    if left == 0:
        return "none"
    return "all" if left == n else f"{left:,} ({percent_of(left, n)})"
