"""What a person sees of an update: to whom it gave what, and whether new items are recommended."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seqrec.functional.paired import Paired
from seqrec.reporting.table import Table
from seqrec.reporting.terminal import console, from_here


def show_update(title: str, report: Mapping[str, Any], folder: Path) -> None:
    """A table of NDCG@10 before and after, and the place of the new items.

    Args:
        title: of the table.
        report: of :func:`seqrec.training.update.judged.judged`.
        folder: of the updated run.
    """
    rows = []
    for group, found in report["metrics"].items():
        states = [name for name in found if name != "users"]
        change = report["difference"][group]
        metrics = [found[name].get("ndcg@10", found[name]["mrr"]) for name in states]
        rows.append([group, found["users"], *metrics, Paired(change["ndcg@10"], change["standard_error"]).text()])
    shown = ["before", "grown", "after"]
    metric = "ndcg@10" if "ndcg@10" in next(iter(report["metrics"].values()))["after"] else "mrr"
    console.print(f"\n{title}, {metric}\n\n{Table(['', 'users', *shown, 'change'], rows).text()}\n", soft_wrap=True)
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
