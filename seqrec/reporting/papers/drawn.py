"""Figures of papers drawn from runs: a metric against an option, one panel a data set."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from seqrec.reporting.figures import COLOUR, REFERENCE
from seqrec.reporting.papers.cells import Cell
from seqrec.reporting.papers.published import Published


def drawn(table: Published, cells: Mapping[str, Sequence[Cell]], metrics: Sequence[str], note: str = "") -> Figure:
    """Means over seeds with their standard deviations; grey where the paper's text has the best.

    Options are evenly spaced; numbers are joined by a line, words are not.

    Args:
        table: of the paper, with an axis.
        cells: by data set.
        metrics: a row of panels each.
        note: what is to be known of all points.
    """
    figure = Figure(figsize=(max(0.6 + 3 * len(cells), 4.5), 1.1 + 2.3 * len(metrics)), layout="constrained")
    panels = figure.subplots(len(metrics), len(cells), squeeze=False, sharex="col")
    for line, metric in zip(panels, metrics, strict=True):
        for axes, (data, own) in zip(line, cells.items(), strict=True):
            _panel(axes, own, metric, table.best.get(data, ()))
        line[0].set_ylabel(f"test {metric}")
    for axes, data in zip(panels[0], cells, strict=True):
        axes.set_title(data, fontsize="medium")
    figure.supxlabel(table.axis or "", fontsize="medium")
    number = table.name.removeprefix("figure_").replace("_", " ")
    grey = "grey: where the text has the best" if any(table.best.get(data) for data in cells) else ""
    lines = [f"{table.paper}, Figure {number}", grey, note]
    figure.suptitle("\n".join(filter(None, lines)), fontsize="medium")
    return figure


def _panel(axes: Axes, cells: Sequence[Cell], metric: str, best: Sequence[Any]) -> None:
    options = [cell.row.option for cell in cells]
    values = [value if (value := cell.value(metric)) is not None else math.nan for cell in cells]
    bars = [cell.deviation(metric) or 0.0 for cell in cells]
    places = range(len(options))
    if best:
        at = [options.index(option) for option in best]
        axes.axvspan(min(at) - 0.3, max(at) + 0.3, color=REFERENCE, alpha=0.25, linewidth=0, zorder=0)
    joined = not any(isinstance(option, str) for option in options)
    line = "-" if joined else ""
    axes.errorbar(places, values, yerr=bars, fmt=f"o{line}", color=COLOUR, capsize=2, markersize=4)
    axes.margins(y=0.15)
    axes.set_xticks(list(places), [str(option) for option in options])
    axes.set_xlim(-0.6, len(options) - 0.4)
    axes.tick_params("x", labelsize="small")
