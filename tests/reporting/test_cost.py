"""The picture of quality per cost has the finished runs, where they belong."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from seqrec.reporting.cost import COST, Point, main, picture, points
from seqrec.reporting.pages import ROOT
from seqrec.reporting.results import FIRST, ORDER, by_clock
from seqrec.runs.kept import runs

STORED = ROOT / "docs" / "runs" / FIRST


def test_points_are_the_best_finished_run_of_each_model() -> None:
    found = {point.name: point for point in points(STORED)}
    finished = {run.name: run for run in runs(STORED) if not by_clock(run)}
    assert {name.partition("-")[0] for name in found} == {name.partition("-")[0] for name in finished}
    assert "bert4rec" in found and not {"bert4rec-recboard", "bert4rec-width_64"} & set(found)
    for name, run in ((name, finished[name]) for name in found):
        assert found[name].quality == run.metrics["test"][ORDER]
        assert found[name].hours == pytest.approx(run.hours)
        assert (found[name].megabytes is None) == (not (run.folder / COST).exists())


def test_what_nothing_beats_is_filled() -> None:
    """A run is beaten in a panel by one that is as good and cheaper there."""
    found = [Point("best", 0.3, 9.0, 2.0, None), Point("quick", 0.2, 1.0, 5.0, 4.0), Point("slow", 0.1, 3.0, 1.0, 5.0)]
    panels = picture(found, "").axes
    filled = {
        panel.get_xlabel(): [
            note.get_text()
            for line, note in zip(panel.lines, panel.texts, strict=True)
            if line.get_markerfacecolor() != "none"
        ]
        for panel in panels
    }
    assert list(filled.values()) == [["best", "quick"], ["best", "slow"], ["quick"]]


def test_names_lie_in_their_panel_and_on_nothing_else() -> None:
    for panel in picture(points(STORED), "").axes:
        boxes = [note.get_window_extent() for note in panel.texts]
        assert len(boxes) == len(panel.lines) > 5
        others = [line.get_window_extent() for line in panel.lines]
        inside = panel.get_window_extent()
        assert all(inside.x0 <= box.x0 and box.x1 <= inside.x1 for box in boxes)
        assert [box.count_overlaps([*others, *boxes]) for box in boxes] == [1] * len(boxes), "but on itself"


def test_costs_of_bundles_are_kept_beside_their_runs(tmp_path: Path) -> None:
    root, bundle = tmp_path / "root", tmp_path / FIRST / "fenrec"
    shutil.copytree(STORED / "fenrec", root / "docs" / "runs" / FIRST / "fenrec")
    (root / "docs" / "images").mkdir()
    bundle.mkdir(parents=True)
    cost = {"bytes": 3_500_000, "cpu_ms": {"50": {"p50": 1.5, "p99": 2.0}, "8": {"p50": 0.5, "p99": 1.0}}}
    (bundle / COST).write_text(json.dumps(cost), encoding="utf-8")
    main(root, [bundle])
    (point,) = points(root / "docs" / "runs" / FIRST)
    assert (point.megabytes, point.milliseconds) == (3.5, 1.5)
    assert (root / "docs" / "images" / "quality-per-cost.png").stat().st_size > 1000
