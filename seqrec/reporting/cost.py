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
from matplotlib.transforms import Bbox

from seqrec.reporting import figures
from seqrec.reporting.pages import ROOT
from seqrec.reporting.results import FIRST, ORDER, by_clock
from seqrec.runs.files import read_json, write_json
from seqrec.runs.kept import Run, model_of, runs

COST = "cost.json"
"""In a bundle, and beside a run in ``docs/runs``."""
PICTURE = "quality-per-cost"
PLACES = ((4, 4, "left"), (4, -9, "left"), (-4, 4, "right"), (-4, -9, "right"), (0, 7, "center"), (0, -13, "center"))
"""Of a name around its point: points to the right, points up, and which part of the name stands there."""
GAP = 3.0  # dots between two names
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
    known = [[(value, point) for point in found if (value := cost(point)) is not None] for cost in AXES.values()]
    for panel, label, there in zip(panels, AXES, known, strict=True):
        _draw(panel, there)
        panel.set_xlabel(label)
        panel.margins(x=0.25, y=0.12)
        if there and max(value for value, _ in there) > WIDE * min(value for value, _ in there):
            panel.set_xscale("log")
            panel.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            panel.xaxis.set_major_formatter("{x:g}")
            panel.xaxis.set_minor_formatter(NullFormatter())
        else:
            panel.set_xlim(left=0)
    panels[0].set_ylabel("test NDCG@20")
    figure.suptitle(title, fontsize="medium")
    figure.draw_without_rendering()  # only then it is known where points lie
    for panel, there in zip(panels, known, strict=True):
        _name(panel, there)
    return figure


def _draw(panel: Axes, known: Sequence[tuple[float, Point]]) -> None:
    """The points."""
    for value, point in known:
        beaten = any(_beats((other, better.quality), (value, point.quality)) for other, better in known)
        fill = "none" if beaten else figures.COLOUR
        panel.plot(value, point.quality, "o", color=figures.COLOUR, markerfacecolor=fill)


def _name(panel: Axes, known: Sequence[tuple[float, Point]]) -> None:
    """The names, each in the first of the places around its point that lie in the panel and are free."""
    inside, taken = panel.get_window_extent(), [line.get_window_extent() for line in panel.lines]
    for value, point in known:
        notes = [
            panel.annotate(
                point.name, (value, point.quality), (across, up), textcoords="offset points", ha=side,
                fontsize="x-small", in_layout=False,
            )
            for across, up, side in PLACES
        ]  # fmt: skip
        boxes = {note: note.get_window_extent() for note in notes}
        free = next((note for note in notes if _fits(boxes[note], inside, taken)), notes[0])
        taken.append(boxes[free].padded(GAP))
        for note in notes:
            if note is not free:
                note.remove()


def _fits(box: Bbox, inside: Bbox, taken: Sequence[Bbox]) -> bool:
    return inside.x0 <= box.x0 and box.x1 <= inside.x1 and not box.count_overlaps(taken)


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
