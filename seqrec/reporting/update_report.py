"""What a person sees of an update: to whom it gave what, and whether new items are recommended."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seqrec.functional.intervals import Interval, UserMean
from seqrec.reporting.table import Cell, Table, over_users_caption
from seqrec.reporting.terminal import console, from_here


def show_update(title: str, report: Mapping[str, Any], folder: Path) -> None:
    """A table of NDCG@10 before and after, and the place of the new items.

    Args:
        title: of the table.
        report: of :func:`seqrec.training.update.judged.judged`.
        folder: of the updated run.
    """
    states = ["before", "grown", "after"]
    metric = "ndcg@10" if "ndcg@10" in next(iter(report["metrics"].values()))["after"] else "mrr"
    rows: list[list[Cell]] = []
    for group, found in report["metrics"].items():
        name, ends = group.replace("targets that are", "targets:"), report["intervals"][group]
        rows.append([name, found["users"], *(_metric(found[one], ends[one], metric) for one in states)])
        rows[-1].append(_change(report["difference"][group], found["users"]))
    table = Table(["", "users", *states, "change"], rows, over_users_caption(rows))
    console.print(f"\n{title}, {metric}\n\n{table.text()}\n", soft_wrap=True)
    new = report["new_items"]
    if new["new"]:
        shares = ", ".join(f"{share:.1%} {name}" for name, share in new["share_of_top10"].items())
        starts = ", ".join(f"{count:,} from {way}" for way, count in report["starts"].items() if count)
        console.print(
            f"{new['new']:,} new items ({starts or 'counted'}): {new['share_of_targets']:.1%} of the targets,"
        )
        console.print(f"of the top-10 lists {shares}", soft_wrap=True)
    taken = f"of epoch {report['epoch']}" if report["epoch"] else "those before the training, which made none better"
    console.print(f"weights {taken}; results in {from_here(folder)}", soft_wrap=True)


def _metric(metrics: Mapping[str, float], ends: Mapping[str, tuple[float, float]], metric: str) -> Interval | float:
    return Interval(metrics[metric], *ends[metric]) if metric in ends else metrics[metric]


def _change(found: Mapping[str, float], users: int) -> str:
    """In NDCG@10; that of a single user has no interval."""
    interval = UserMean(found["ndcg@10"], found["standard_error"], users).interval() if users > 1 else None
    return f"{found['ndcg@10']:+.4f}" if interval is None else interval.text("+")
