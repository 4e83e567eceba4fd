"""The pictures of runs, as figures that know no screen: learning curves, models side by side, slices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from seqrec.runs.kept import Run

COLOUR, REFERENCE = "#2563eb", "#94a3b8"
REFERENCES = ("popularity", "markov", "optimum")


def curves(rows: Sequence[Mapping[str, float]], monitor: str) -> Figure:
    """Training losses and the validation metric by epoch.

    Args:
        rows: of the log, one an epoch.
        monitor: name of the selecting metric.
    """
    figure = Figure(figsize=(10, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    epochs = [row["epoch"] for row in rows]
    for name in sorted({name for row in rows for name in row if name.startswith("train/")}):
        left.plot(epochs, [row.get(name, float("nan")) for row in rows], label=name[6:])
    left.set(xlabel="epoch", ylabel="training loss")
    if left.lines:
        left.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5), fontsize="small")
    values = [row.get(f"val/{monitor}", float("nan")) for row in rows]
    right.plot(epochs, values, color=COLOUR)
    best = max(range(len(values)), key=values.__getitem__, default=None)
    if best is not None:
        right.plot(epochs[best], values[best], "o", color=COLOUR)
        right.annotate(f"{values[best]:.4f}", (epochs[best], values[best]), xytext=(4, -12), textcoords="offset points")
    right.set(xlabel="epoch", ylabel=f"validation {monitor}")
    return figure


def comparison(results: Mapping[str, Mapping[str, float]], metric: str) -> Figure:
    """One bar a model, the references in grey."""
    figure = Figure(figsize=(5, 0.5 + 0.45 * len(results)), layout="constrained")
    axes = figure.subplots()
    names = list(results)
    colours = [REFERENCE if name in REFERENCES else COLOUR for name in names]
    bars = axes.barh(names, [results[name][metric] for name in names], color=colours)
    axes.bar_label(bars, fmt="%.4f", padding=3)
    axes.margins(x=0.15)
    axes.invert_yaxis()
    axes.set_xlabel(f"test {metric}")
    return figure


def slices(parts: Sequence[Mapping[str, Any]], metric: str) -> Figure:
    """A metric by history length and by target popularity."""
    kinds = list(dict.fromkeys(part["by"] for part in parts))
    figure = Figure(figsize=(9, 3), layout="constrained")
    panels = figure.subplots(1, len(kinds), sharey=True, squeeze=False)[0]
    for kind, axes in zip(kinds, panels, strict=True):
        own = [part for part in parts if part["by"] == kind]
        labels = [f"{part['from']:g}-{part['to']:g}\n{part['users']:,} users" for part in own]
        axes.bar(labels, [part[metric] for part in own], color=COLOUR)
        axes.set_xlabel(kind.replace("_", " "))
    panels[0].set_ylabel(f"test {metric}")
    return figure


def validation_by_epoch(runs: Sequence[Run], metric: str = "ndcg@20") -> Figure:
    """A validation metric of several runs by epoch, a panel each."""
    rows = -(-len(runs) // 4)
    figure = Figure(figsize=(10, 1.7 * rows), layout="constrained")
    panels = figure.subplots(rows, 4, sharey=True, squeeze=False)
    for panel in panels.flat[len(runs) :]:
        panel.set_axis_off()
    for run, panel in zip(runs, panels.flat, strict=False):
        panel.plot([row["epoch"] for row in run.log], [row[f"val/{metric}"] for row in run.log], ".-", markersize=3)
        panel.set_title(run.name, fontsize="medium", loc="left")
        panel.set_xlim(left=0)
        panel.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    panels[0, 0].set_ylim(bottom=0)
    figure.supxlabel("epoch", fontsize="medium")
    figure.supylabel(f"validation {metric.upper()}", fontsize="medium")
    return figure


def save(figure: Figure, path: Path, dpi: int = 150) -> None:
    """Write a figure to ``path``; its suffix says in which format."""
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=dpi)
