"""The picture of a log: lengths of histories, popularity of items, interactions over time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, PercentFormatter, StrMethodFormatter

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
    """Users of each length, in spans of lengths; the length that a model sees is marked."""
    edges, users = np.asarray(lengths["edges"], dtype=float), np.asarray(lengths["users"], dtype=float)
    there = np.flatnonzero(users)
    width = np.diff(edges)
    axes.bar(edges[:-1], users / width, width, align="edge", color=COLOUR, edgecolor="white", linewidth=0.5)
    axes.set(xscale="log", yscale="log", xlabel="interactions of a user", ylabel="users of each length")
    if len(there):
        axes.set_xlim(edges[there[0]] / 1.1, edges[-1] * 1.1)
    shown = lengths["max_length"]
    if shown < edges[-1]:
        axes.axvline(shown, color=REFERENCE, linestyle="dotted")
        label = f"{lengths['longer']:.1%} longer\nthan {shown} "
        axes.annotate(
            label, (shown, 0.98), xycoords=("data", "axes fraction"), xytext=(4, 0), textcoords="offset points",
            va="top", fontsize="small",
        )  # fmt: skip
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:.0f}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _popularity(axes: Axes, popularity: Mapping[str, Any]) -> None:
    """Interactions of an item by its rank."""
    axes.loglog(popularity["ranks"], popularity["counts"], color=COLOUR)
    axes.set(xlabel="rank of an item", ylabel="interactions of the item")
    label = f"most popular tenth: {popularity['top']:.0%}\nGini {popularity['gini']:.2f}"
    axes.annotate(label, (0.05, 0.05), xycoords="axes fraction", fontsize="small")


def _events(axes: Axes, events: Mapping[str, Any]) -> None:
    """Where in time the interactions of each part are, as shares of the part."""
    dated = events["unit"] is not None
    edges = np.asarray(events["edges"], dtype="datetime64[s]" if dated else float)
    for name, colour in {"training": COLOUR, "test": HELD_OUT}.items():
        share = np.asarray(events[name], dtype=float) / max(1, sum(events[name]))
        axes.fill_between(edges, np.append(share, share[-1]), step="post", color=colour, alpha=0.5, label=name)
    if dated:
        locator = AutoDateLocator(minticks=3, maxticks=6)
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.set(xlabel="time", ylabel="share of the interactions", ylim=(0, None))
    axes.legend(frameon=False, fontsize="small")
