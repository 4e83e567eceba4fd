"""Quality per cost: what the best finished run of each model reaches against what training and answering take.

``python -m seqrec.reporting.cost`` draws ``docs/images/quality-per-cost.png`` from the runs in ``docs/runs``. Bundles
that it is given, ``<data>-<protocol>/<model>`` as in ``docs/runs``, are asked for their costs first, which are kept
beside the run. The size of a bundle and the time of an answer do not depend on what the weights are, only on their
shapes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from seqrec.reporting import figures
from seqrec.reporting.pages import ROOT
from seqrec.reporting.results import FIRST, ORDER, by_clock
from seqrec.runs.files import read_json, write_json
from seqrec.runs.kept import Run, model_of, runs

COST = "cost.json"
"""In a bundle, and beside a run in ``docs/runs``."""
PICTURE = "quality-per-cost"
CLOSE = 0.06  # of the range of qualities, about the height of a name
WIDE = 5  # costs whose largest is that many times the smallest have a logarithmic axis
LENGTH = "50"  # items of the history of an answer that is timed


@dataclass(frozen=True)
class Point:
    """A finished run in the picture.

    Attributes:
        name: of the run.
        quality: test NDCG@20.
        hours: of one thread, for training and validation.
        megabytes: of its bundle in float32; None where none was written.
        milliseconds: of processor time for the best items after 50; None likewise.
    """

    name: str
    quality: float
    hours: float
    megabytes: float | None
    milliseconds: float | None


AXES: dict[str, Callable[[Point], float | None]] = {
    "hours of training, one thread": lambda point: point.hours,
    "size of the bundle, MB": lambda point: point.megabytes,
    "time of an answer, ms": lambda point: point.milliseconds,
}


def points(folder: Path) -> list[Point]:
    """The best finished run of each model in a folder, the best first."""
    found = sorted((_point(run) for run in runs(folder) if not by_clock(run)), key=lambda point: -point.quality)
    best: dict[str, Point] = {}
    for point in found:
        best.setdefault(model_of(point.name), point)
    return list(best.values())


def _point(run: Run) -> Point:
    path = run.folder / COST
    cost: dict[str, Any] = read_json(path) if path.exists() else {}
    return Point(
        run.name,
        run.metrics["test"][ORDER],
        run.hours,
        cost["bytes"] / 1e6 if cost else None,
        cost["cpu_ms"][LENGTH]["p50"] if cost else None,
    )


def picture(found: Sequence[Point], title: str) -> Figure:
    """A panel a cost, better to the top; filled are those than which no other run is both better and cheaper."""
    figure = Figure(figsize=(11, 3.6), layout="constrained")
    panels = figure.subplots(1, len(AXES), sharey=True)
    for panel, (label, cost) in zip(panels, AXES.items(), strict=True):
        known = [(value, point) for point in found if (value := cost(point)) is not None]
        _draw(panel, known)
        panel.set_xlabel(label)
        panel.margins(x=0.25, y=0.12)
        if known and max(value for value, _ in known) > WIDE * min(value for value, _ in known):
            panel.set_xscale("log")
            panel.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            panel.xaxis.set_major_formatter("{x:g}")
            panel.xaxis.set_minor_formatter(NullFormatter())
        else:
            panel.set_xlim(left=0)
    panels[0].set_ylabel("test NDCG@20")
    figure.suptitle(title, fontsize="medium")
    return figure


def _draw(panel: Axes, known: Sequence[tuple[float, Point]]) -> None:
    """The points, the best first; the name of one that is close below another stands below it."""
    qualities = [point.quality for _, point in known]
    close = CLOSE * (max(qualities, default=0.0) - min(qualities, default=0.0))
    above, room = float("inf"), close
    for value, point in known:
        beaten = any(_beats((other, better.quality), (value, point.quality)) for other, better in known)
        fill = "none" if beaten else figures.COLOUR
        panel.plot(value, point.quality, "o", color=figures.COLOUR, markerfacecolor=fill)
        below = above - point.quality < room
        place, room = (
            ((4, -9), 2 * close) if below else ((4, 4), close)
        )  # twice the room after a name that stands below
        panel.annotate(point.name, (value, point.quality), place, textcoords="offset points", fontsize="x-small")
        above = point.quality


def _beats(one: tuple[float, float], other: tuple[float, float]) -> bool:
    """Whether the first of two pairs of cost and quality is no worse in both and better in one."""
    return one[0] <= other[0] and one[1] >= other[1] and one != other


def main(root: Path = ROOT, bundles: Sequence[Path] = ()) -> None:
    """Keep the costs of ``bundles``, then draw."""
    stored = root / "docs" / "runs"
    for bundle in bundles:
        write_json(stored / bundle.parent.name / bundle.name / COST, read_json(bundle / COST))
    drawn = picture(points(stored / FIRST), "Amazon Beauty, unseen items ranked; filled: nothing is better and cheaper")
    figures.save(drawn, root / "docs" / "images" / f"{PICTURE}.png", dpi=110)


if __name__ == "__main__":
    main(bundles=[Path(name).resolve() for name in sys.argv[1:]])
