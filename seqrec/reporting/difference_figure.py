"""The picture of a comparison: differences with their intervals, of all users and within groups of them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from seqrec.reporting.comparison import Comparison, PartRow
from seqrec.reporting.figures import COLOUR, REFERENCE

PAIRS_IN_SLICES = 4  # of more nobody could tell the marks apart; the table has them
COLOURS = (COLOUR, "#ea580c", "#16a34a", "#9333ea")
LINE, GAP = 0.42, 0.9  # inches: of a pair or slice, and of what a panel has around it


def differences(found: Comparison, title: str = "") -> Figure:
    """A panel a metric, a line a pair: thick over users, thin over users and seeds, grey where nothing is decided.

    Below, a panel a kind of slice, in the first metric.

    Args:
        found: the comparison.
        title: what was compared on.
    """
    kinds = list(dict.fromkeys(row.part.by for row in found.slices))
    pairs = list(dict.fromkeys((row.first, row.second) for row in found.rows))
    shown = pairs[:PAIRS_IN_SLICES]
    across = 2 if len(kinds) == 4 else min(len(kinds), 3)
    lines = math.ceil(len(kinds) / max(across, 1))
    longest = max((len([1 for row in found.slices if row.part.by == kind]) for kind in kinds), default=0)
    of_slices = lines * (GAP + LINE * max(longest / max(len(pairs), 1), 2) * (1 + 0.35 * (len(shown) - 1)))
    heights = [GAP + LINE * len(pairs) + 0.3, of_slices + (0.4 if kinds else 0)]
    figure = Figure(figsize=(9, sum(heights) + 0.4), layout="constrained")
    if title:
        figure.suptitle(title, fontsize="medium")
    if not kinds:
        _overall(figure, found)
        return figure
    grid = figure.add_gridspec(2, 1, height_ratios=heights)
    above, below = figure.add_subfigure(grid[0]), figure.add_subfigure(grid[1])
    _overall(above, found)
    panels = list(below.subplots(lines, across, squeeze=False).flat)
    for spare in panels[len(kinds) :]:
        spare.remove()
    for kind, axes in zip(kinds, panels, strict=False):
        _slices(axes, [row for row in found.slices if row.part.by == kind], shown, found.choices.level)
        axes.set_title(kind, loc="left", fontsize="medium")
        axes.set_xlabel(found.choices.metrics[0], fontsize="small")
    handles, labels = panels[0].get_legend_handles_labels()
    if len(shown) > 1:
        below.legend(handles, labels, frameon=False, fontsize="small", loc="outside lower center", ncols=2)
    return figure


def _overall(figure: Figure | SubFigure, found: Comparison) -> None:
    """All users: a panel a metric."""
    metrics, level = found.choices.metrics, found.choices.level
    panels = figure.subplots(1, len(metrics), sharey=True, squeeze=False)[0]
    for metric, axes in zip(metrics, panels, strict=True):
        rows = [(place, row) for place, row in enumerate(found.rows) if row.metric == metric]
        for line, (place, row) in enumerate(rows):
            colour = REFERENCE if found.verdict(place) == "open" else COLOUR
            if row.found.total_error is not None:
                axes.plot(row.found.interval(level), [line, line], "|-", color=colour, markersize=9)
            axes.plot(row.bootstrapped, [line, line], color=colour, linewidth=5, solid_capstyle="butt")
            axes.plot(row.found.mean, line, "o", color="white", markeredgecolor=colour, markersize=7)
            axes.annotate(
                f"{row.found.mean:+.4f}", (row.found.mean, line), xytext=(0, 9), textcoords="offset points",
                ha="center", fontsize="small",
            )  # fmt: skip
        axes.set_yticks(range(len(rows)), [f"{row.first}\nless {row.second}" for _, row in rows], fontsize="small")
        axes.set_ylim(len(rows) - 0.5, -0.8)
        _around_zero(axes)
        axes.set_xlabel(f"difference in {metric}")
    seeds = ", thin: over users and seeds" if any(row.found.total_error for row in found.rows) else ""
    panels[0].set_title(f"{level:.0%} intervals, thick: over users{seeds}", loc="left", fontsize="small")


def _slices(axes: Axes, rows: Sequence[PartRow], pairs: Sequence[tuple[str, str]], level: float) -> None:
    """The slices of one kind: a line each, the pairs beside one another."""
    names = list(dict.fromkeys(row.part.name for row in rows))
    apart = 0.6 / max(len(pairs), 1)
    users = {row.part.name: row.found.users for row in rows}
    for place, (pair, colour) in enumerate(zip(pairs, COLOURS, strict=False)):
        own = [row for row in rows if (row.first, row.second) == pair]
        lines = [names.index(row.part.name) + (place - (len(pairs) - 1) / 2) * apart for row in own]
        for line, row in zip(lines, own, strict=True):
            axes.plot(row.found.interval(level), [line, line], color=colour, linewidth=2)
        means = [row.found.mean for row in own]
        axes.plot(means, lines, "o", color=colour, markersize=5, label=f"{pair[0]} less {pair[1]}")
    axes.set_yticks(range(len(names)), [f"{name}\n{users[name]:,} users" for name in names], fontsize="small")
    axes.set_ylim(len(names) - 0.5, -0.5)
    _around_zero(axes)


def _around_zero(axes: Axes) -> None:
    """A line where there is no difference, and room beside the intervals."""
    axes.axvline(0, color=REFERENCE, linestyle="dotted", zorder=0)
    axes.margins(x=0.1)
    axes.locator_params("x", nbins=5)
    axes.tick_params("x", labelsize="small")
