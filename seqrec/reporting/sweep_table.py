"""The tables of a sweep: one row a job, and one row for jobs that differ in nothing but their seed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from seqrec.reporting.table import USERS, Cell, Table, mean_cells, over_seeds_caption, over_users_caption
from seqrec.runs.files import replacing
from seqrec.runs.intervals import of_run, of_seeds
from seqrec.runs.sweep import Job

LONGEST = 60  # of a reason in the table; all of it stands in failed.txt
SECONDS = 3600


def of_jobs(jobs: Sequence[Job]) -> Table:
    """What differs between the jobs, the selected metric on validation, test metrics, best epoch, hours and status."""
    differing, metrics = varied(jobs), _metrics(jobs)
    monitors = sorted({job.run.card.monitor for job in jobs if job.run})
    columns = ["job", *differing, *(f"val {name}" for name in monitors), *(f"test {name}" for name in metrics)]
    rows: list[list[Cell]] = []
    for job in jobs:
        row: list[Cell] = [job.number, *(job.arguments.get(key, "") for key in differing)]
        if job.run is None:
            row += [None] * (len(monitors) + len(metrics) + 2)
        else:
            own, stored, intervals = job.run.card.monitor, job.run.metrics, of_run(job.run)
            row += [float(stored["val"][name]) if name == own else None for name in monitors]
            row += [intervals.get(name, stored["test"].get(name)) for name in metrics]
            row += [stored["best_epoch"], f"{stored['seconds'] / SECONDS:.2f}"]
        rows.append([*row, job.status if len(job.status) <= LONGEST else job.status[: LONGEST - 3] + "..."])
    return Table([*columns, "best epoch", "hours", "status"], rows, over_users_caption(rows))


def over_seeds(jobs: Sequence[Job]) -> Table | None:
    """Finished jobs over their seeds, and over users; None where no two differ in nothing but the seed."""
    keys, metrics = [key for key in varied(jobs) if key != "seed"], _metrics(jobs)
    groups: dict[tuple[str, ...], list[Job]] = {}
    for job in jobs:
        if job.run is not None:
            groups.setdefault(tuple(job.arguments.get(key, "") for key in keys), []).append(job)
    if all(len(group) < 2 for group in groups.values()):
        return None
    rows: list[list[Cell]] = []
    for values, group in groups.items():
        runs = [job.run for job in group if job.run]
        row: list[Cell] = [*values, len(group)]
        of_users = of_seeds(runs)
        for name in metrics:
            row += mean_cells([run.metrics["test"][name] for run in runs], of_users.get(name))
        rows.append(row)
    columns = [column for name in metrics for column in (f"test {name}", USERS)]
    return Table([*keys, "seeds", *columns], rows, over_seeds_caption())


def varied(jobs: Sequence[Job]) -> list[str]:
    """Keys that were not given alike to all jobs, in the order in which they were given."""
    keys = list(dict.fromkeys(key for job in jobs for key in job.arguments))
    return [key for key in keys if len({job.arguments.get(key) for job in jobs}) > 1]


def by_split(jobs: Sequence[Job]) -> dict[str, list[Job]]:
    """The jobs by the split of their data, as their cards name it: numbers of two splits stand in no table together.

    A job without a result is where those with the same arguments on the split are; else the first split has it.
    """
    known = {_of_split(job): job.run.card.split for job in reversed(jobs) if job.run}
    first = next((job.run.card.split for job in jobs if job.run), "")
    found: dict[str, list[Job]] = {}
    for job in jobs:
        split = job.run.card.split if job.run else known.get(_of_split(job), first)
        found.setdefault(split, []).append(job)
    return found


def _of_split(job: Job) -> tuple[tuple[str, str], ...]:
    """What was asked for of the split."""
    return tuple(
        sorted(pair for pair in job.arguments.items() if pair[0] == "split" or pair[0].startswith("data.split"))
    )


def store(folder: Path, table: Table, seeds: Table | None, name: str = "table") -> None:
    """Write both tables below each other as ``table.md`` and ``table.tex``, that of the jobs as ``table.csv``."""
    both = [table, *([seeds] if seeds else [])]
    texts = {
        "csv": table.csv(),
        "md": "\n".join(each.markdown() for each in both),
        "tex": "\n\n".join(each.latex() for each in both) + "\n",
    }
    for ending, text in texts.items():
        with replacing(folder / f"{name}.{ending}") as partial:
            partial.write_text(text, encoding="utf-8")


def _metrics(jobs: Sequence[Job]) -> list[str]:
    """Recall and NDCG at the middle cutoff of those that all finished jobs have."""
    finished = [job.run for job in jobs if job.run]
    if not finished:
        return []
    common = set.intersection(*(set(run.card.cutoffs) for run in finished))
    middle = sorted(common)[len(common) // 2 :][:1]
    return [f"{name}@{k}" for k in middle for name in ("recall", "ndcg")]
