"""The tables of papers that some of the runs belong to, with those rows alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from seqrec.reporting.dashboard.collect import Collected
from seqrec.reporting.papers.asked import Asked
from seqrec.reporting.papers.cells import Cell, verdict
from seqrec.reporting.papers.look_up import Belongs, Found, look_up
from seqrec.reporting.papers.published import Published, load, names
from seqrec.reporting.papers.written import Written
from seqrec.runs.card import RunCard
from seqrec.runs.found import finished


def paper_tables(collected: Collected, belongs: Belongs) -> list[Written]:
    """Tables with the rows and data sets that have runs; a run is a paper's where it was asked for with ``paper=``.

    Args:
        collected: runs.
        belongs: compares configurations.
    """
    entries = [one for part in collected.parts for group in part.groups for one in group.entries]
    papers: dict[str, set[Path]] = {}
    for entry in entries:
        paper = entry.card.paper or entry.arguments.get("paper")
        if paper not in (None, "none"):
            papers.setdefault(str(paper), set()).add(entry.folder)
    newest = finished([entry.folder for entry in entries])
    tables = []
    for paper, folders in sorted(papers.items()):
        cards = {path: card for path, card in newest.items() if path in folders}
        for name in _tables(paper):
            written = _written(load(paper, name), cards, belongs)
            tables += [written] if written else []
    return tables


def described(written: Written) -> dict[str, Any]:
    """A table for the page."""
    table = written.table
    return {
        "title": table.title,
        "source": table.source,
        "legend": written.legend(),
        "metrics": list(written.metrics),
        "data": [
            {"name": data, "rows": [_row(written, cell) for cell in cells]}
            for data, cells in written.found.cells.items()
        ],
    }


def _tables(paper: str) -> list[str]:
    try:
        return [name for name in names(paper) if name.startswith("table")]
    except ValueError:  # a paper of one's own, of which no table is stored
        return []


def _written(table: Published, cards: Mapping[Path, RunCard], belongs: Belongs) -> Written | None:
    models = {row.model for row in table.rows.values()}
    own = {
        path: card for path, card in cards.items() if card.data["name"] in table.data and card.model in (None, *models)
    }
    seeds = sorted({card.seed for card in own.values()})
    if not own:
        return None
    there = [cell for cell in _found(table, own, belongs, seeds).all() if cell.runs]
    if not there:
        return None
    part = table.only([data for data in table.data if any(cell.data == data for cell in there)])
    part = part.only(part.data, [name for name in table.rows if any(cell.row.name == name for cell in there)])
    return Written(part, _found(part, own, belongs, seeds), table.tolerance)


def _found(table: Published, cards: Mapping[Path, RunCard], belongs: Belongs, seeds: Sequence[int]) -> Found:
    return look_up(Asked(table, seeds), cards, belongs, lambda row, data, seed: None)


def _row(written: Written, cell: Cell) -> dict[str, Any]:
    table, cells = written.table, []
    for metric in written.metrics:
        judged = verdict(cell, table, metric, written.tolerance)
        cells.append(
            {
                "ours": cell.value(metric),
                "deviation": cell.deviation(metric),
                "printed": table.value(cell.data, cell.row.name, metric),
                "relative": judged.relative if judged else None,
                "fails": bool(judged and judged.words.startswith("fail")),
            }
        )
    return {"label": cell.row.label + cell.marks, "seeds": len(cell.runs), "cells": cells}
