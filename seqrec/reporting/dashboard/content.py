"""What the page of a dashboard shows, as plain values for JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from statistics import fmean, stdev
from typing import Any

from seqrec.reporting.dashboard.collect import Collected, Entry, Group, Part
from seqrec.reporting.dashboard.compared import Compared, metrics
from seqrec.reporting.dashboard.papers import described
from seqrec.reporting.papers.written import Written
from seqrec.runs.card import JUDGED, RunCard
from seqrec.runs.intervals import of_seeds
from seqrec.runs.kept import Run

POINTS = 200
"""Epochs of a curve at most: a screen shows no more, and 50 long runs stay a page of a few megabytes."""

SECONDS = 3600
DIGITS = 6  # of a number on the page, which shows fewer


def content(
    collected: Collected, compared: Sequence[Compared], tables: Sequence[Written], about: Mapping[str, str]
) -> dict[str, Any]:
    """Everything that the page shows.

    Args:
        collected: all runs.
        compared: one a part.
        tables: of papers.
        about: when and with what the page was made.
    """
    parts: list[dict[str, Any]] = []
    groups: list[dict[str, Any]] = []
    for place, (part, found) in enumerate(zip(collected.parts, compared, strict=True)):
        first = len(groups)
        groups += [_group(group, place, _differing(group, part)) for group in part.groups]
        ids = {group.name: first + number for number, group in enumerate(part.groups)}
        others = [_differences(part.card, other.card) for other in collected.parts]
        parts.append(_part(part) | {"differences": others, "comparison": _comparison(found, ids)})
    papers = [described(table) for table in tables]
    groups += [_group(group, None, list(group.entries[0].arguments)) for group in collected.unfinished]
    return {"about": dict(about), "parts": parts, "methods": groups, "judged": list(JUDGED), "papers": papers}


def _part(part: Part) -> dict[str, Any]:
    card = part.card
    runs = [entry.run for group in part.groups for entry in group.entries if entry.run]
    references = {name: values for run in runs for name, values in run.metrics.get("references", {}).items()}
    return {
        "data": str(card.data["name"]),
        "protocol": card.protocol,
        "split": card.split,
        "users": card.evaluated_users,
        "items": card.data.get("items"),
        "seen": card.seen_items,
        "cutoffs": sorted(card.cutoffs),
        "middle": metrics(part)[0],
        "monitors": sorted({run.card.monitor for run in runs}),
        "references": {name: _rounded(values) for name, values in references.items()},
    }


def _differing(group: Group, part: Part) -> list[str]:
    """Arguments that other methods of the same model have otherwise."""
    model, own = group.entries[0].model, group.entries[0].arguments
    rivals = [other.entries[0].arguments for other in part.groups if other.entries[0].model == model]
    return [key for key in own if any(rival.get(key) != own[key] for rival in rivals)]


def _group(group: Group, part: int | None, differing: Sequence[str]) -> dict[str, Any]:
    entries, first = group.entries, group.entries[0]
    runs = [entry.run for entry in entries if entry.run]
    return {
        "name": group.name,
        "part": part,
        "model": first.model,
        "data": first.data,
        "arguments": [f"{key}={value}" for key, value in first.arguments.items()],
        "differing": [f"{key.replace('/', '.').rpartition('.')[2]}={first.arguments[key]}" for key in differing],
        "val": _spread([run.metrics["val"] for run in runs]),
        "test": _spread([run.metrics["test"] for run in runs]),
        "users": {name: _round(interval.half) for name, interval in of_seeds(runs).items()} if runs else {},
        "best": _mean([run.metrics["best_epoch"] for run in runs]),
        "hours": _mean([_hours(run) for run in runs]),
        "runs": [_run(entry) for entry in entries],
    }


def _run(entry: Entry) -> dict[str, Any]:
    known: dict[str, Any] = {
        "folder": entry.folder.as_posix(),
        "seed": entry.seed,
        "status": entry.status,
        "bundles": dict(entry.bundles),
        "curve": _curve(entry),
    }
    if entry.run is None:
        return known
    stored = entry.run.metrics
    return known | {
        "val": _rounded(stored["val"]),
        "test": _rounded(stored["test"]),
        "best": stored["best_epoch"],
        "epochs": stored["epochs"],
        "hours": _round(_hours(entry.run)),
        "monitor": entry.card.monitor,
        "slices": [_rounded(row) for row in stored.get("slices", [])],
        "card": _flat(entry.card) | ({"command": entry.run.command} if entry.run.command else {}),
    }


def _hours(run: Run) -> float:
    """Of training, a first stage included."""
    return (run.metrics["seconds"] + run.metrics.get("warm_start", {}).get("seconds", 0.0)) / SECONDS


def _curve(entry: Entry) -> dict[str, Any]:
    """Columns of the log that a chart shows, with every n-th epoch where there are many, and the best and last ones."""
    rows = [row for row in entry.log if "epoch" in row]
    every = max(1, -(-len(rows) // POINTS))
    best = entry.run.metrics["best_epoch"] if entry.run else None
    chosen = [row for place, row in enumerate(rows) if place % every == 0 or row is rows[-1] or row["epoch"] == best]
    names = list(dict.fromkeys(name for row in rows for name in row if name.startswith(("val/", "train/"))))
    columns = {name: [_round(row.get(name)) for row in chosen] for name in names}
    return {"every": every, "epoch": [int(row["epoch"]) for row in chosen], "values": columns}


def _comparison(compared: Compared, ids: Mapping[str, int]) -> dict[str, Any]:
    found = compared.found
    rows = []
    for place, row in enumerate(found.rows if found else ()):
        assert found is not None
        seeds = row.found.interval(found.choices.level) if row.found.total_error is not None else None
        ahead = found.verdict(place)
        rows.append(
            {
                "first": ids[row.first],
                "second": ids[row.second],
                "metric": row.metric,
                "mean": _round(row.found.mean),
                "users": [_round(end) for end in row.bootstrapped],
                "seeds": [_round(end) for end in seeds] if seeds else None,
                "relative": _round(row.found.mean / row.found.second) if row.found.second else None,
                "p": _round(float(found.adjusted[place, 0])),
                "ahead": ids.get(ahead),
            }
        )
    return {
        "rows": rows,
        "baseline": None if compared.baseline is None else ids[compared.baseline],
        "reasons": {str(ids.get(name, "")): reason for name, reason in compared.reasons.items()},
    }


def _differences(one: RunCard, other: RunCard) -> list[list[str]]:
    """Fields in which two parts differ, with both values."""
    first, second = _flat(one), _flat(other)
    return [[name, first.get(name, ""), second.get(name, "")] for name in one.differences(other)]


def _flat(card: RunCard) -> dict[str, str]:
    """Fields of a card as text, those of its mappings one by one; without those that the card does not know."""
    found: dict[str, str] = {}
    for name, value in asdict(card).items():
        if isinstance(value, Mapping):
            found |= {f"{name}.{key}": _text(inside) for key, inside in value.items()}
        elif value is not None:
            found[name] = _text(value)
    return found


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_text(inside)}" for key, inside in value.items())
    return ", ".join(map(_text, value)) if isinstance(value, list) else str(value)


def _spread(metrics: Sequence[Mapping[str, float]]) -> dict[str, list[float | None]]:
    """Mean and standard deviation over runs of the metrics that all of them have; one run has no deviation."""
    names = [name for name in metrics[0] if all(name in one for one in metrics)] if metrics else []
    values = {name: [float(one[name]) for one in metrics] for name in names}
    return {name: [_round(fmean(of)), _round(stdev(of)) if len(of) > 1 else None] for name, of in values.items()}


def _mean(values: Sequence[float]) -> float | None:
    return _round(fmean(values)) if values else None


def _rounded(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _round(value) if isinstance(value, float) else value for name, value in values.items()}


def _round(value: float | None) -> float | None:
    """With the digits that a page needs; what is no number, as a loss that diverged, is left out."""
    if value is None or value != value or value in (float("inf"), float("-inf")):
        return None
    return float(f"{value:.{DIGITS}g}")
