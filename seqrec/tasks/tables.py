"""tables: a table or figure of a paper from the runs of its cells, and the runs that are missing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from seqrec.reporting.papers import counts
from seqrec.reporting.papers.asked import Asked, asked_for, has_data
from seqrec.reporting.papers.look_up import Found, look_up
from seqrec.reporting.papers.published import Row, load
from seqrec.reporting.papers.show import show
from seqrec.reporting.papers.written import Written
from seqrec.runs.found import finished
from seqrec.training.cells import belongs, folder_of, source_log
from seqrec.training.missing import run_jobs, why_failed


def tables(
    config: DictConfig,
    table: str | int,
    data: Sequence[str] | None,
    seeds: Sequence[int] | None,
    rows: Sequence[str] | None,
    metrics: Sequence[str] | None,
    tolerance: float | None,
    run: str | None,
    budget: str | None,
    folder: str,
    folders: Sequence[str],
    arguments: Sequence[str],
) -> None:
    """Show a table with what its runs gave, and store it.

    Args:
        config: the whole configuration; what the command line gives of it besides task, paper and data holds for runs.
        table: ``1``, ``E``, ``D``, ``figure_6``.
        data: data sets, all of the table where None.
        seeds: of the runs, those of the paper where None.
        rows: some of the table's, by the names that its file gives them; all where None.
        metrics: some of the table's columns, all where None.
        tolerance: largest relative difference that passes, the table's own where None.
        run: ``missing`` makes the others first, or None.
        budget: ``smoke``: a few users and epochs, to see that all of it works; None: the paper's.
        folder: below which tables and the runs that are made here lie.
        folders: where finished runs are looked for too.
        arguments: of the command that makes runs, such as ``launcher=gpus``.

    Raises:
        ValueError: what is asked for is not there, or a run failed.
    """
    hydra = HydraConfig.get()
    given = [str(word) for word in hydra.overrides.task if word.partition("=")[0].partition(".")[0] != "task"]
    if run not in (None, "missing"):
        raise ValueError(f"task.run={run}: it is missing or null")
    chosen = [str(hydra.runtime.choices["data"])] if has_data(given) else list(data or ())
    paper, place = str(hydra.runtime.choices["paper"]), Path(folder).absolute() / (budget or "")
    counted = counts.find(paper, str(table))
    if counted:
        counts.show(place / paper, counted, counted.only(chosen, [*(rows or ()), *(metrics or ())]), source_log)
        return
    printed = load(paper, str(table)).only(chosen, rows, metrics)
    asked = asked_for(printed, given, seeds, budget)
    cells, status = _cells(asked, place, folders, run, arguments)
    allowed = printed.tolerance if tolerance is None else tolerance
    note = "A trial on synthetic data: the numbers mean nothing." if budget else ""
    show(place / paper, Written(asked.table, cells, None if budget else allowed), note)
    if status:
        raise ValueError("not all runs came to their end; the reasons are above, and the same command continues them")


def _cells(
    asked: Asked, place: Path, folders: Sequence[str], run: str | None, arguments: Sequence[str]
) -> tuple[Found, int]:
    """The cells, after their missing runs were made where that is asked for; and the status of what made them."""

    def home(row: Row, name: str, seed: int) -> Path:
        return folder_of(asked.arguments(row, name)) / f"seed-{seed}"

    def found() -> Found:
        runs = finished([place, *(Path(name).absolute() for name in folders)])
        return look_up(asked, runs, belongs, lambda row, name, seed: why_failed(place / home(row, name, seed)))

    cells = found()
    lacking = [(cell.row, cell.data, seed) for cell in cells.all() for seed in cell.missing] if run else []
    if not lacking:
        return cells, 0
    jobs = {home(*one): [*asked.arguments(*one[:2]), f"seed={one[2]}"] for one in lacking}
    status = run_jobs(place, jobs, arguments)
    return found(), status
