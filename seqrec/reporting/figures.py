"""The pictures of a run: learning curves, models side by side, slices."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

COLOUR, REFERENCE = "#2563eb", "#94a3b8"


def plot_curves(rows: list[dict[str, float]], monitor: str, path: Path) -> None:
    """Training losses and the validation metric by epoch.

    Args:
        rows: of the log, one an epoch.
        monitor: name of the selecting metric.
        path: PNG file to write.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.2), layout="constrained")
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
    _save(figure, path)


def plot_comparison(results: Mapping[str, Mapping[str, float]], metric: str, path: Path) -> None:
    """One bar a model, the references in grey."""
    figure, axes = plt.subplots(figsize=(5, 0.5 + 0.45 * len(results)), layout="constrained")
    names = list(results)
    values = [results[name][metric] for name in names]
    colours = [REFERENCE if name in ("popularity", "markov", "optimum") else COLOUR for name in names]
    bars = axes.barh(names, values, color=colours)
    axes.bar_label(bars, fmt="%.4f", padding=3)
    axes.margins(x=0.15)
    axes.invert_yaxis()
    axes.set_xlabel(f"test {metric}")
    _save(figure, path)


def plot_slices(slices: list[dict[str, Any]], metric: str, path: Path) -> None:
    """A metric by history length and by target popularity."""
    kinds = list(dict.fromkeys(part["by"] for part in slices))
    figure, all_axes = plt.subplots(1, len(kinds), figsize=(9, 3), layout="constrained", sharey=True)
    for kind, axes in zip(kinds, all_axes, strict=True):
        parts = [part for part in slices if part["by"] == kind]
        labels = [f"{part['from']:g}-{part['to']:g}\n{part['users']:,} users" for part in parts]
        axes.bar(labels, [part[metric] for part in parts], color=COLOUR)
        axes.set_xlabel(kind.replace("_", " "))
    all_axes[0].set_ylabel(f"test {metric}")
    _save(figure, path)


def _save(figure: plt.Figure, path: Path) -> None:
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)
    plt.close(figure)
