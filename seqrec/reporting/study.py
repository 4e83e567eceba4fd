"""The tables of a study: readings of one model under one budget, several seeds each, from the runs in ``docs/studies``.

``docs/studies/<study>/<data>/<reading>/seed-<n>`` holds three files of a run folder (``log.csv``, ``metrics.json``,
``protocol.json``) and the test ranks of all users with what tells slices apart, without names. ``python -m
seqrec.reporting.study`` writes the tables into the page of the model; folders of finished runs named
``<study>/<data>/<reading>/seed-<n>`` that it is given are kept first.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, median

import numpy as np
import polars as pl
from numpy.typing import NDArray

from seqrec.functional.intervals import LEVEL, UserMean, paired
from seqrec.metrics import of_users
from seqrec.reporting.keeping import keep
from seqrec.reporting.pages import ROOT, write_part
from seqrec.reporting.table import Cell, Table, spread
from seqrec.runs.card import refuse_mixed
from seqrec.runs.folder import RANKS
from seqrec.runs.intervals import of_seeds
from seqrec.runs.kept import Run, read_run

STUDIES = dict.fromkeys(("easnrec_readings", "easnrec_sports"), "docs/models/easnrec.md")
"""The page of each study."""
DIAGNOSTICS = {
    "train/positive_cosine": "cosine of positives",
    "train/read_variance": "variance read",
    "train/similarity": "similarity",
}
PAIR = REFERENCE, BASELINE = "text", "sasrec"
"""The reading that all others are compared with, and another model; both stand first."""

CAPTION = (
    f"±: standard deviation over seeds on validation; on test half of the {LEVEL:.0%} interval over users, of their "
    "means over seeds."
)

Readings = Mapping[str, Sequence[Run]]


def readings(folder: Path) -> Readings:
    """The runs of one data set by reading, in the order of their seeds; the reference and the baseline first."""
    found = {
        path.name: [read_run(run) for run in sorted(path.glob("seed-*"))]
        for path in sorted(folder.iterdir())
        if path.is_dir()
    }
    first = [name for name in PAIR if name in found]
    return {name: found[name] for name in [*first, *(name for name in found if name not in first)]}


def table(folder: Path) -> Table:
    """One row a reading of a data set: validation over seeds, test over users alone and beside the reference, terms.

    Raises:
        ValueError: the runs were not judged alike.
    """
    found = readings(folder)
    refuse_mixed({f"{folder / name / run.name}": run.card for name, stored in found.items() for run in stored})
    columns = ["reading", "seeds", "NDCG@10", "Recall@10", "test NDCG@10", "test, less `text`"]
    columns += [*DIAGNOSTICS.values(), "s an epoch"]
    rows: list[list[Cell]] = []
    for name, stored in found.items():
        scores = [spread([run.metrics["val"][metric] for run in stored]) for metric in ("ndcg@10", "recall@10")]
        changes = [_change(stored, term) for term in DIAGNOSTICS]
        seconds = median(row["train_seconds"] for run in stored for row in run.log)
        tested = of_seeds(stored).get("ndcg@10")
        rows.append([name, len(stored), *scores, tested, _less(folder, name), *changes, f"{seconds:.0f}"])
    return Table(columns, rows, CAPTION)


def less_reference(folder: Path, name: str) -> UserMean | None:
    """Test NDCG@10 of a reading less that of the reference, each user's mean over the seeds that both have.

    Args:
        folder: of one data set.
        name: of the reading.

    Returns:
        What users say; None where no seed has both.
    """
    seeds = sorted(
        path.parent.name
        for path in (folder / REFERENCE).glob(f"*/{RANKS}")
        if (folder / name / path.parent.name / RANKS).exists()
    )
    if not seeds:
        return None
    mine, other = (np.mean([_gains(folder / of / s / RANKS) for s in seeds], axis=0) for of in (name, REFERENCE))
    return paired(mine, other)


def _less(folder: Path, name: str) -> str:
    """:func:`less_reference` as a cell."""
    compared = less_reference(folder, name) if name != REFERENCE else None
    interval = None if compared is None else compared.interval()
    return "" if interval is None else interval.text("+")


def _gains(path: Path) -> NDArray[np.float64]:
    """NDCG@10 of each user, in the order of their names; a rank of 1 is the best."""
    return of_users(pl.read_parquet(path)["rank"].to_torch(), "ndcg@10").numpy()


def _change(stored: Sequence[Run], term: str) -> str:
    """The mean over seeds in the first and in the last epoch; empty where the model has no such term."""
    ends = [[run.log[epoch].get(term) for run in stored] for epoch in (0, -1)]
    known = [[value for value in values if value is not None] for values in ends]
    return " → ".join(f"{fmean(values):.3g}" for values in known) if all(known) else ""


def text(folder: Path) -> str:
    """The tables of all data sets of a study."""
    data = sorted(path for path in folder.iterdir() if path.is_dir())
    return "".join(f"\n{path.name.capitalize()}:\n\n{table(path).markdown()}" for path in data) + "\n"


def main(root: Path = ROOT, finished: Sequence[Path] = ()) -> None:
    """Keep runs that are ``finished``, then write the tables of each study into its page."""
    for run in finished:
        keep(run, root / "docs" / "studies" / Path(*run.parts[-4:]))
    for name, page in STUDIES.items():
        write_part(root / page, name, "seqrec.reporting.study", text(root / "docs" / "studies" / name))


if __name__ == "__main__":
    main(finished=[Path(name).resolve() for name in sys.argv[1:]])
