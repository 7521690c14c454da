"""The figure of constraints: how many proposals made without look-ahead they leave."""

from __future__ import annotations

from math import floor, log10
from typing import Any

from crystalgfn.evaluation.funnel import Funnel
from crystalgfn.report.page.figure import Figure, axis, rounded

PROPOSALS = "proposals"


def funnel_figure(funnel: Funnel, name: str) -> Figure:
    """Return the share of proposals that is left after each constraint, and the share of valid samples, as bars.

    Args:
        funnel: counts by :func:`crystalgfn.evaluation.funnel.funnel`.
        name: name of the samples.
    """
    left = {PROPOSALS: funnel.n, **funnel.left}
    traces = [_bars(PROPOSALS, {step: (number, funnel.n) for step, number in left.items()})]
    if funnel.samples:
        traces.append(_bars(name, {f"samples of {name}": (funnel.valid, funnel.samples)}))
    steps = [step for trace in traces for step in trace["y"]]
    # at least two decades, and as many as the shortest bar needs
    least = min(-2, floor(log10(min(number / funnel.n for number in left.values() if number)) - 0.3))
    layout = {
        "xaxis": axis("still valid (%)", type="log", range=[least + 2, 2.02], dtick=1),
        "yaxis": {"type": "category", "categoryorder": "array", "categoryarray": steps[::-1], "ticks": ""},
        "barmode": "overlay",
        "bargap": 0.25,
        "showlegend": False,
    }
    last = next(reversed(funnel.left.values()), funnel.n)
    of_model = f" Of {funnel.samples:,} samples, {_words(funnel.valid, funnel.samples)} do." if funnel.samples else ""
    obey = f"{_words(last, funnel.n)} obey every constraint.{of_model}"
    caption = (
        f"Shares on a logarithmic scale. Proposals: {funnel.n:,} crystals, each choice uniform and made alone; {obey} "
        "All are judged by the same checks, which share nothing with the sampling masks. Free lengths and angles of "
        "proposals are uniform between their bounds, or in the box of the paper where there are none."
    )
    words = "; ".join(f"{step} {percent_of(number, funnel.n)}" for step, number in funnel.left.items())
    alt = f"What constraints leave of {funnel.n:,} proposals, one after the other: {words}.{of_model}"
    return Figure("funnel", "What the constraints leave", caption, alt, traces, layout, True)


def _bars(name: str, counts: dict[str, tuple[int, int]]) -> dict[str, Any]:
    """A trace of bars from (number left, number of all) by step; 0 has no bar."""
    shares = rounded([100 * left / n if left else float("nan") for left, n in counts.values()], 4)
    return {
        "type": "bar",
        "orientation": "h",
        "name": name,
        "y": list(counts),
        "x": shares,
        "text": [percent_of(left, n) for left, n in counts.values()],
        "customdata": [f"{left:,} of {n:,}" for left, n in counts.values()],
        "textposition": "auto",
        "hovertemplate": "%{y}: %{customdata}, %{text}<extra></extra>",
    }


def percent_of(left: int, n: int) -> str:
    """Return a share of n in per cent with two or three digits; only all n are 100 %."""
    if left in (0, n):
        return "100 %" if left else "none"
    if left > 0.9995 * n:
        return "over 99.9 %"
    return f"{100 * left / n:.2g} %" if left < 0.0995 * n else f"{100 * left / n:.3g} %"


def _words(left: int, n: int) -> str:
    """The number left, with its share where that is neither 0 nor 1."""
    if left == 0:
        return "none"
    return "all" if left == n else f"{left:,} ({percent_of(left, n)})"
