"""Searches of several models side by side: the best so far by trial."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from seqrec.reporting.table import Cell, Table, over_users_caption
from seqrec.runs.intervals import of_run
from seqrec.runs.sweep import Job


def values(jobs: Sequence[Job], metric: str) -> list[float]:
    """The validation metric of each trial, in their order; NaN where it has none."""
    return [float(job.run.metrics["val"].get(metric, math.nan)) if job.run else math.nan for job in jobs]


def best_so_far(found: Sequence[float]) -> list[float]:
    """The largest value up to each trial; NaN before the first that has one."""
    best = itertools.accumulate((-math.inf if math.isnan(value) else value for value in found), max)
    return [math.nan if value == -math.inf else value for value in best]


def curves(searches: Mapping[str, Sequence[Job]], metric: str) -> Figure:
    """The best so far by trial, a line a model."""
    figure = Figure(figsize=(6, 3.6), layout="constrained")
    axes = figure.subplots()
    for name, jobs in searches.items():
        best = best_so_far(values(jobs, metric))
        axes.step(range(1, len(best) + 1), best, ".-", where="post", label=name)
    axes.set(xlabel="trials", ylabel=f"best validation {metric} so far")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(frameon=False)
    return figure


def table(searches: Mapping[str, Sequence[Job]], metric: str) -> Table:
    """A row a model: its trials, and validation, test and hours of its best one on validation."""
    rows: list[list[Cell]] = []
    for name, jobs in searches.items():
        found = values(jobs, metric)
        best = jobs[max(range(len(jobs)), key=lambda place: -math.inf if math.isnan(found[place]) else found[place])]
        finished, run = [job.run for job in jobs if job.run], best.run
        hours = sum(float(one.metrics["seconds"]) for one in finished) / 3600
        scores: list[Cell] = [None, None]
        if run:
            scores = [run.metrics["val"][metric], of_run(run).get(metric, run.metrics["test"].get(metric))]
        rows.append([name, len(jobs), len(finished), *scores, best.number if run else None, f"{hours:.2f}"])
    columns = ["model", "trials", "finished", f"val {metric}", f"test {metric}", "best trial", "hours of all"]
    return Table(columns, rows, over_users_caption(rows))
