"""The pictures of runs, as figures that know no screen: learning curves, models side by side, slices."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from seqrec.runs.files import replacing
from seqrec.runs.kept import Run

COLOUR, REFERENCE = "#2563eb", "#94a3b8"
REFERENCES = ("popularity", "markov", "optimum")
SAME_SCALE = 5  # terms whose largest values lie within this factor share a panel
MARKS = ("o", "D", "^")


def curves(rows: Sequence[Mapping[str, float]], monitor: str, title: str = "") -> Figure:
    """Terms of the training and the validation metric by epoch, the best marked; what was not logged has no panel.

    Args:
        rows: of the log, one an epoch.
        monitor: name of the selecting metric.
        title: what was trained.
    """
    groups = _of_one_scale(_terms(rows))
    values = [row.get(f"val/{monitor}", math.nan) for row in rows]
    judged = [place for place, value in enumerate(values) if not math.isnan(value)]
    count = len(groups) + bool(judged)
    columns = 2 if count == 4 else min(count, 3)
    lines = math.ceil(count / max(1, columns))
    figure = Figure(figsize=(1 + 4 * columns, 0.4 + 2.9 * lines), layout="constrained")
    if not count:
        return figure
    panels = list(figure.subplots(lines, columns, squeeze=False).flat)
    for spare in panels[count:]:
        spare.remove()
    epochs = [row["epoch"] for row in rows]
    best = max(judged, key=values.__getitem__, default=None)
    for panel, group in zip(panels, groups, strict=False):
        for name, term in group.items():
            panel.plot(epochs, term, ".-", label=name)
        panel.set(xlabel="epoch", ylabel="training")
        # Above the panel, where it hides no curve.
        panel.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False, fontsize="small")
    if best is not None:
        panel = panels[count - 1]
        panel.plot([epochs[place] for place in judged], [values[place] for place in judged], ".-", color=COLOUR)
        panel.plot(epochs[best], values[best], "o", color=COLOUR)
        panel.set(xlabel="epoch", ylabel=f"validation {monitor}")
        panel.set_title(f"best: epoch {epochs[best]:g}, {values[best]:.4f}", fontsize="small")
        panel.margins(y=0.15)
    for panel in panels[:count]:
        _whole_epochs(panel, epochs)
        if best is not None:
            _mark_epoch(panel, epochs[best])
    _entitle(figure, title)
    return figure


def _terms(rows: Sequence[Mapping[str, float]]) -> dict[str, list[float]]:
    """Values by epoch of each loss and diagnostic that was logged, the whole loss first."""
    names = {name for row in rows for name in row if name.startswith("train/")} - {"train/grad_norm"}
    ordered = sorted(names, key=lambda name: (name != "train/loss", name))
    return {name.removeprefix("train/"): [row.get(name, math.nan) for row in rows] for name in ordered}


def _of_one_scale(terms: Mapping[str, list[float]]) -> list[dict[str, list[float]]]:
    """The terms in groups whose largest values are comparable, so that none is a flat line beside another."""
    groups: list[dict[str, list[float]]] = []
    for name, values in terms.items():
        size = _size(values)
        for group in groups:
            others = [_size(other) for other in group.values()] + [size]
            if max(others) <= SAME_SCALE * min(others):
                group[name] = values
                break
        else:
            groups.append({name: values})
    return groups


def _size(values: Sequence[float]) -> float:
    return max((abs(value) for value in values if math.isfinite(value)), default=0.0)


def _whole_epochs(axes: Axes, epochs: Sequence[float]) -> None:
    """Ticks at whole epochs only, also where there is but one."""
    axes.set_xlim(min(epochs) - 0.5, max(epochs) + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1))


def _mark_epoch(axes: Axes, epoch: float) -> None:
    """A dotted line over the whole height; it is no curve of the panel."""
    axes.vlines(epoch, 0, 1, transform=axes.get_xaxis_transform(), color=REFERENCE, linestyle="dotted", zorder=0)


def _entitle(figure: Figure, title: str) -> None:
    if title:
        figure.suptitle(title, fontsize="medium")


def comparison(results: Mapping[str, Mapping[str, float]], metric: str, title: str = "") -> Figure:
    """One bar a model, the references in grey."""
    figure = Figure(figsize=(6, 1.1 + 0.45 * len(results)), layout="constrained")
    axes = figure.subplots()
    names = list(results)
    colours = [REFERENCE if name in REFERENCES else COLOUR for name in names]
    bars = axes.barh(names, [results[name][metric] for name in names], color=colours)
    axes.bar_label(bars, fmt="%.4f", padding=3)
    axes.margins(x=0.2)
    axes.invert_yaxis()
    axes.set_xlabel(f"test {metric}")
    _entitle(figure, title)
    return figure


def slices(
    parts: Sequence[Mapping[str, Any]],
    metric: str,
    title: str = "",
    references: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
) -> Figure:
    """A metric by history length and by target popularity, with its values; what references reach there as marks.

    Args:
        parts: slices of the run.
        metric: that is shown.
        title: what was tested.
        references: the same slices of each reference.
    """
    kinds = list(dict.fromkeys(part["by"] for part in parts))
    figure = Figure(figsize=(max(4.5 * len(kinds), 5), 3.6), layout="constrained")
    panels = figure.subplots(1, max(len(kinds), 1), sharey=True, squeeze=False)[0]
    for kind, axes in zip(kinds, panels, strict=False):
        own = [part for part in parts if part["by"] == kind]
        labels = [f"{_span(part['from'], part['to'])}\n{part['users']:,} users" for part in own]
        values = [part[metric] for part in own]
        axes.bar(labels, values, color=COLOUR, label="this model")
        tops = list(values)
        for (name, theirs), mark in zip((references or {}).items(), itertools.cycle(MARKS), strict=False):
            reached = [part[metric] for part in theirs if part["by"] == kind]
            axes.plot(labels, reached, mark, color="white", markeredgecolor="black", clip_on=False, label=name)
            tops = [max(pair) for pair in zip(tops, reached, strict=True)]
        for label, value, top in zip(labels, values, tops, strict=True):  # above the marks, in the colour of the bars
            axes.annotate(
                f"{value:.4f}", (label, top), xytext=(0, 8), textcoords="offset points",
                ha="center", color=COLOUR, fontsize="small",
            )  # fmt: skip
        axes.tick_params("x", labelsize="small")
        axes.margins(y=0.15)
        axes.set_xlabel(kind.replace("_", " "))
    panels[0].set_ylabel(f"test {metric}")
    if references:
        handles, names = panels[0].get_legend_handles_labels()
        figure.legend(handles, names, frameon=False, fontsize="small", loc="outside right center")
    _entitle(figure, title)
    return figure


def _span(low: float, high: float) -> str:
    return f"{low:g}" if low == high else f"{low:g}-{high:g}"


def validation_by_epoch(runs: Sequence[Run], metric: str = "ndcg@20") -> Figure:
    """A validation metric of several runs by epoch, a panel each; a dotted line at the epoch that was tested."""
    rows = -(-len(runs) // 4)
    figure = Figure(figsize=(10, 1.7 * rows), layout="constrained")
    panels = figure.subplots(rows, 4, sharey=True, squeeze=False)
    for panel in panels.flat[len(runs) :]:
        panel.set_axis_off()
    for run, panel in zip(runs, panels.flat, strict=False):
        judged = [row for row in run.log if f"val/{metric}" in row]
        panel.plot([row["epoch"] for row in judged], [row[f"val/{metric}"] for row in judged], ".-", markersize=3)
        _mark_epoch(panel, run.metrics["best_epoch"])
        panel.set_title(run.name, fontsize="medium", loc="left")
        panel.set_xlim(left=0)
        panel.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    panels[0, 0].set_ylim(bottom=0)
    cards = [run.card for run in runs]
    named = {f"{card.data['name']}, {card.protocol}, seed {card.seed}" for card in cards}
    _entitle(figure, "; ".join(sorted(named)))
    figure.supxlabel("epoch", fontsize="medium")
    figure.supylabel(f"validation {metric.upper()}", fontsize="medium")
    return figure


def save(figure: Figure, path: Path, dpi: int = 150) -> None:
    """Write a finished figure to ``path`` in one step; its suffix says in which format."""
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
    with replacing(path) as partial:
        figure.savefig(partial, dpi=dpi, format=path.suffix.removeprefix("."))
    figure.set_layout_engine("none")  # another format takes the same places, which are half of the work
