"""Figures of papers drawn from runs, a panel for each data set."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import StrMethodFormatter

from seqrec.reporting.figures import COLOUR, REFERENCE
from seqrec.reporting.papers.cells import Cell
from seqrec.reporting.papers.measured import AT, LENGTHS, USERS
from seqrec.reporting.papers.published import Published

MARKS = "osD^vP*X"
OTHER, DIM = "#f97316", "#64748b"
SHARES = {"whislo": 5, "q1": 25, "med": 50, "q3": 75, "whishi": 95}
"""The parts of a box and the percentiles that they show."""

Cells = Mapping[str, Sequence[Cell]]


def drawn(table: Published, cells: Cells, metrics: Sequence[str], note: str = "") -> Figure:
    """A figure in the way that its file asks for.

    Args:
        table: of the paper.
        cells: by data set.
        metrics: a row of panels each, where the figure has several.
        note: what is to be known of all points.
    """
    figure, explained = DRAWINGS[table.drawn or "options"](table, cells, metrics)
    number = table.name.removeprefix("figure_").replace("_", " ")
    lines = [f"{table.paper}, Figure {number}", explained, note]
    figure.suptitle("\n".join(filter(None, lines)), fontsize="medium")
    return figure


def options(table: Published, cells: Cells, metrics: Sequence[str]) -> tuple[Figure, str]:
    """A metric against an option: means over seeds with standard deviations; grey where the paper's text has the best.

    Options are evenly spaced; numbers are joined by a line, words are not.
    """
    figure = Figure(figsize=(max(0.6 + 3.2 * len(cells), 4.5), 1.1 + 2.3 * len(metrics)), layout="constrained")
    panels = figure.subplots(len(metrics), len(cells), squeeze=False, sharex="col")
    for line, metric in zip(panels, metrics, strict=True):
        for axes, (data, own) in zip(line, cells.items(), strict=True):
            _option_panel(axes, own, metric, table.best.get(data, ()))
        line[0].set_ylabel(f"test {metric}")
    _entitle(panels[0], cells)
    figure.align_ylabels(panels[:, 0])
    figure.supxlabel(table.axis or "", fontsize="medium")
    return figure, "grey: where the text has the best" if any(table.best.get(data) for data in cells) else ""


def _option_panel(axes: Axes, cells: Sequence[Cell], metric: str, best: Sequence[Any]) -> None:
    named = [cell.row.option for cell in cells]
    values = [_value(cell, metric) for cell in cells]
    bars = [cell.deviation(metric) or 0.0 for cell in cells]
    places = range(len(named))
    if best:
        at = [named.index(option) for option in best]
        axes.axvspan(min(at) - 0.3, max(at) + 0.3, color=REFERENCE, alpha=0.25, linewidth=0, zorder=0)
    line = "" if any(isinstance(option, str) for option in named) else "-"
    axes.errorbar(places, values, yerr=bars, fmt=f"o{line}", color=COLOUR, capsize=2, markersize=4)
    axes.margins(y=0.15)
    axes.set_xticks(list(places), [str(option) for option in named])
    axes.set_xlim(-0.6, len(named) - 0.4)
    axes.tick_params("x", labelsize="small")


def lengths(table: Published, cells: Cells, metrics: Sequence[str]) -> tuple[Figure, str]:
    """A metric by history length, a line each model, over the numbers of users as bars."""
    figure, panels = _row_of_panels(cells, 3.1)
    metric = metrics[0].partition(" ")[0]
    for axes, own in zip(panels, cells.values(), strict=True):
        users = next((counts for cell in own if not math.isnan((counts := _of_groups(cell, USERS))[0])), None)
        beside = axes.twinx()
        beside.bar(LENGTHS, users or [0.0] * len(LENGTHS), width=0.6, color=REFERENCE, alpha=0.35)
        beside.tick_params("y", labelsize="small", colors=DIM)
        beside.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        axes.set_zorder(beside.get_zorder() + 1)  # lines in front of the bars
        axes.patch.set_visible(False)
        for cell, mark in zip(own, MARKS, strict=False):
            axes.plot(LENGTHS, _of_groups(cell, metric), f"{mark}-", label=cell.row.label, markersize=4, linewidth=1.2)
        axes.tick_params("x", labelsize="small")
        axes.set_xlim(-0.6, len(LENGTHS) - 0.4)
        axes.set_xlabel("history length")
    beside.set_ylabel("users", color=DIM)  # of the last panel
    panels[0].set_ylabel(f"test {metric}")
    _one_legend(figure, panels[0])
    return figure, "bars: users"


def uniformity(table: Published, cells: Cells, metrics: Sequence[str]) -> tuple[Figure, str]:
    """The second metric against the first, a point each model."""
    across, up = table.metrics
    figure, panels = _row_of_panels(cells, 2.9)
    for axes, own in zip(panels, cells.values(), strict=True):
        for cell, mark in zip(own, MARKS, strict=False):
            axes.errorbar(
                _value(cell, across), _value(cell, up), cell.deviation(up), cell.deviation(across),
                fmt=mark, label=cell.row.label, capsize=2,
            )  # fmt: skip
        axes.set_xlabel(across.replace("/", " of "))
        axes.margins(0.15)
        axes.tick_params(labelsize="small")
    panels[0].set_ylabel(f"test {up}")
    _one_legend(figure, panels[0])
    return figure, "left: more uniform"


def similarity(table: Published, cells: Cells, metrics: Sequence[str]) -> tuple[Figure, str]:
    """Inner products of anchors with negatives at some epochs: boxes of quartiles, whiskers to 5 and 95 per cent."""
    kinds = {"batch": ("other examples of the batch", REFERENCE), "hard": ("hard negatives", OTHER)}
    epochs = sorted({int(name.partition(AT)[2]) for name in table.metrics})
    figure, panels = _row_of_panels(cells, 4.6)
    for axes, own in zip(panels, cells.values(), strict=True):
        for shift, (kind, (label, colour)) in zip((-0.2, 0.2), kinds.items(), strict=True):
            boxes = {epoch: _box(own[0], kind, epoch) for epoch in epochs}
            there = [epoch for epoch in epochs if not math.isnan(boxes[epoch]["med"])]
            axes.bxp(
                [boxes[epoch] for epoch in there],
                [epochs.index(epoch) + shift for epoch in there],
                widths=0.3, showfliers=False, patch_artist=True, boxprops={"facecolor": colour, "alpha": 0.6},
                medianprops={"color": "black"}, manage_ticks=False,
            )  # fmt: skip
            axes.bar(0, 0, color=colour, alpha=0.6, label=label)  # for the legend
        axes.set_xticks(range(len(epochs)), [str(epoch) for epoch in epochs])
        axes.set_xlim(-0.6, len(epochs) - 0.4)
        axes.set_xlabel("epoch")
    panels[0].set_ylabel("inner product with the anchor")
    _one_legend(figure, panels[0], below=True)
    return figure, "boxes: quartiles; whiskers: 5 and 95 %"


DRAWINGS: Mapping[str, Callable[[Published, Cells, Sequence[str]], tuple[Figure, str]]] = {
    "options": options, "lengths": lengths, "uniformity": uniformity, "similarity": similarity,
}  # fmt: skip
"""By the name in the file of a figure; the second result explains what it shows."""


def _row_of_panels(cells: Cells, width: float) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(1.4 + width * len(cells), 3.6), layout="constrained")
    panels = list(figure.subplots(1, len(cells), squeeze=False)[0])
    _entitle(panels, cells)
    return figure, panels


def _entitle(panels: Sequence[Axes], cells: Cells) -> None:
    for axes, data in zip(panels, cells, strict=True):
        axes.set_title(data, fontsize="medium")


def _one_legend(figure: Figure, axes: Axes, below: bool = False) -> None:
    handles, names = axes.get_legend_handles_labels()
    place: Any = "outside lower center" if below else "outside right center"
    figure.legend(handles, names, frameon=False, fontsize="small", loc=place, ncols=len(names) if below else 1)


def _value(cell: Cell, name: str) -> float:
    found = cell.value(name)
    return math.nan if found is None else found


def _of_groups(cell: Cell, metric: str) -> list[float]:
    return [_value(cell, f"{metric} {group}") for group in LENGTHS]


def _box(cell: Cell, kind: str, epoch: int) -> dict[str, float]:
    return {part: _value(cell, f"negatives/{kind}_q{share:02d}{AT}{epoch}") for part, share in SHARES.items()}
