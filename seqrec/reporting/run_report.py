"""What a finished run leaves in its folder: metrics, card, ranks of users, pictures."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from seqrec.data.datamodule import SequenceDataModule
from seqrec.data.writing import write_parquet
from seqrec.functional.intervals import LEVEL
from seqrec.reporting import figures
from seqrec.reporting.table import Table, over_users_caption
from seqrec.runs.card import RunCard
from seqrec.runs.files import replacing, write_json
from seqrec.runs.folder import CARD, FIRST_STAGE, METRICS, PER_USER
from seqrec.runs.intervals import INTERVALS, Intervals, of_ranks
from seqrec.runs.result import Reference, Result, per_user, slices


@dataclass(frozen=True)
class Report:
    """What loggers show beside the metrics of the run.

    Attributes:
        slices: rows of the table of slices.
        references: test metrics by reference.
        comparison: a row a model and reference, with intervals over users.
        pictures: PNG files by name.
    """

    slices: Sequence[Mapping[str, Any]]
    references: Mapping[str, Mapping[str, float]]
    comparison: Table
    pictures: Mapping[str, Path]


def write_report(
    folder: Path,
    name: str,
    data: SequenceDataModule,
    card: RunCard,
    result: Result,
    references: Mapping[str, Reference],
    log: Sequence[Mapping[str, float]],
) -> Report:
    """Fill the run folder.

    Args:
        folder: of the run.
        name: of the model.
        data: the run's data set.
        card: of the run.
        result: of the run.
        references: what each reference reached on the same targets.
        log: one row an epoch.
    """
    table = per_user(data, result)
    parts = slices(table, card.cutoffs)
    references = {one: reference.among(result.row, card.cutoffs) for one, reference in references.items()}
    others = {one: reference.metrics for one, reference in references.items()}
    their_parts = {
        one: slices(per_user(data, replace(result, row=reference.row, rank=reference.rank)), card.cutoffs)
        for one, reference in references.items()
        if one != name
    }
    everything = dict(sorted({**others, name: result.test}.items(), key=lambda row: row[1]["mrr"]))
    metric = f"ndcg@{card.cutoffs[len(card.cutoffs) // 2]}"
    title = f"{name} on {data.name}, seed {card.seed}"
    pictures = {
        "comparison": figures.comparison(everything, metric, title),
        "slices": figures.slices(parts, metric, title, their_parts),
    }
    curves = figures.curves(log, card.monitor, title)
    if curves.axes:  # a model that only counts may have nothing to show by epoch
        pictures = {"curves": curves, **pictures}
    for picture, figure in pictures.items():
        for form in ("png", "svg"):  # one to look at, one for a paper
            figures.save(figure, folder / f"{picture}.{form}")
    with replacing(folder / PER_USER) as partial:
        write_parquet(partial, table)
    card.write(folder / CARD)
    metrics = {"val": result.val, "test": result.test, "epochs": result.epochs, "seconds": result.seconds}
    more: dict[str, Any] = {"best_epoch": result.best_epoch, "references": others, "slices": parts}
    more["configuration"] = card.configuration
    user = data.splits["test"].user
    intervals = {
        one: of_ranks(reference.rank, user[reference.row].numpy(), reference.metrics)
        for one, reference in references.items()
    } | {name: of_ranks(result.rank, user[result.row].numpy(), result.test)}
    more[INTERVALS] = {"level": LEVEL, "over": "users", "test": _ends(intervals[name])}
    more[INTERVALS]["references"] = {one: _ends(intervals[one]) for one in others}
    first = folder / FIRST_STAGE / METRICS
    warm = {"warm_start": json.loads(first.read_text(encoding="utf-8"))} if first.exists() else {}
    write_json(folder / METRICS, metrics | more | warm)
    comparison = _comparison(everything, intervals, card.evaluated_users)
    return Report(parts, others, comparison, {picture: folder / f"{picture}.png" for picture in pictures})


def _comparison(metrics: Mapping[str, Mapping[str, float]], intervals: Mapping[str, Intervals], users: int) -> Table:
    """A row a model and reference, with the metrics that all of them have."""
    first = next(iter(metrics.values()))
    columns = [one for one in first if all(one in values for values in metrics.values())]
    rows = [[name, *(intervals[name].get(one, values[one]) for one in columns)] for name, values in metrics.items()]
    return Table(["model", *columns], rows, over_users_caption(rows, users))


def _ends(intervals: Intervals) -> dict[str, tuple[float, float]]:
    return {name: (interval.low, interval.high) for name, interval in intervals.items()}
