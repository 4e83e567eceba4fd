"""The picture of a log: lengths of histories, popularity of items, interactions over time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import ScalarFormatter

from seqrec.reporting.figures import COLOUR, REFERENCE

HELD_OUT = "#f59e0b"


def data_figure(found: Mapping[str, Any], title: str) -> Figure:
    """Two panels, and one of the interactions over time where the log has times.

    Args:
        found: figures of a log.
        title: its name and sizes.
    """
    count = 2 if found["events"] is None else 3
    figure = Figure(figsize=(1 + 3.7 * count, 3.3), layout="constrained")
    panels = figure.subplots(1, count)
    _lengths(panels[0], found["lengths"])
    _popularity(panels[1], found["popularity"])
    if count == 3:
        _events(panels[2], found["events"])
    figure.suptitle(title, fontsize="medium")
    return figure


def _lengths(axes: Axes, lengths: Mapping[str, Any]) -> None:
    """Users by length; the length that a model sees is marked."""
    edges = np.asarray(lengths["edges"], dtype=float)
    axes.bar(edges[:-1], lengths["users"], np.diff(edges), align="edge", color=COLOUR, edgecolor="white", linewidth=0.5)
    axes.set_xscale("log")
    axes.set(xlabel="interactions of a user", ylabel="users")
    shown = lengths["max_length"]
    if shown < edges[-1]:
        axes.axvline(shown, color=REFERENCE, linestyle="dotted")
        label = f" {lengths['longer']:.1%} longer\n than {shown}"
        axes.annotate(label, (shown, 0.97), xycoords=("data", "axes fraction"), va="top", fontsize="small")
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.margins(x=0.02)


def _popularity(axes: Axes, popularity: Mapping[str, Any]) -> None:
    """Interactions of an item by its rank."""
    axes.loglog(popularity["ranks"], popularity["counts"], color=COLOUR)
    axes.set(xlabel="rank of an item", ylabel="interactions of the item")
    label = f"most popular tenth: {popularity['top']:.0%}\nGini {popularity['gini']:.2f}"
    axes.annotate(label, (0.05, 0.05), xycoords="axes fraction", fontsize="small")


def _events(axes: Axes, events: Mapping[str, Any]) -> None:
    """Interactions of each part by time, on one another."""
    dated = events["unit"] is not None
    edges = np.asarray(events["edges"], dtype="datetime64[s]" if dated else float)
    parts = {"training": COLOUR, "validation": REFERENCE, "test": HELD_OUT}
    below = np.zeros(len(edges) - 1)
    for name, colour in parts.items():
        top = below + np.asarray(events[name], dtype=float)
        low, high = (np.append(values, values[-1]) for values in (below, top))
        axes.fill_between(edges, low, high, step="post", color=colour, label=name)
        below = top
    if dated:
        locator = AutoDateLocator(minticks=3, maxticks=6)
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    axes.set(xlabel="time", ylabel="interactions", ylim=(0, None))
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, frameon=False, fontsize="small", handlelength=1)
