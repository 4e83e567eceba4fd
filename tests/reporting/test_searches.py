"""Searches of several models side by side."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from seqrec.reporting.searches import best_so_far, curves, table
from seqrec.runs.intervals import of_run
from seqrec.runs.kept import read_run
from seqrec.runs.sweep import Job

KEPT = Path(__file__).parents[2] / "docs" / "runs" / "synthetic-easnrec"
NAN = math.nan


def trials(*names: str | None) -> list[Job]:
    """Trials, each with a finished run or without a result."""
    runs = [read_run(KEPT / name) if name else None for name in names]
    return [Job(number, {}, run, "finished" if run else "failed: no") for number, run in enumerate(runs)]


def test_the_best_so_far_never_falls() -> None:
    found = best_so_far([NAN, 0.1, 0.3, NAN, 0.2, 0.4])
    np.testing.assert_array_equal(found, [NAN, 0.1, 0.3, 0.3, 0.3, 0.4])


def test_a_row_a_model() -> None:
    searches = {"one": trials("icsrec", None, "fenrec", "easnrec"), "other": trials(None)}
    runs = [job.run for job in searches["one"] if job.run]
    best = max(runs, key=lambda run: float(run.metrics["val"]["ndcg@10"]))
    found = table(searches, "ndcg@10")
    one, other = (dict(zip(found.columns, row, strict=True)) for row in found.rows)
    assert (one["trials"], one["finished"], other["trials"], other["finished"]) == (4, 3, 1, 0)
    assert one["val ndcg@10"] == best.metrics["val"]["ndcg@10"]
    assert one["test ndcg@10"] == of_run(best)["ndcg@10"]
    assert of_run(best)["ndcg@10"].mean == best.metrics["test"]["ndcg@10"]
    assert other["val ndcg@10"] is None and other["best trial"] is None


def test_a_line_a_model() -> None:
    (axes,) = curves({"one": trials("icsrec", None, "fenrec"), "other": trials("easnrec")}, "ndcg@10").axes
    assert [len(line.get_xdata()) for line in axes.lines] == [3, 1]  # type: ignore[arg-type]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["one", "other"]
