"""The tables of ``docs/results.md`` and their pictures of learning curves, from the runs in ``docs/runs``.

``docs/runs/<data>-<protocol>/<model>`` holds three files of a run folder (``log.csv``, ``metrics.json``,
``protocol.json``) and the command. ``python -m seqrec.reporting.results`` writes tables and pictures.
"""

from __future__ import annotations

from pathlib import Path

from seqrec.reporting import figures
from seqrec.reporting.pages import ROOT, write_part
from seqrec.reporting.papers.published import load
from seqrec.reporting.table import Cell, Table, over_users_caption
from seqrec.runs.card import refuse_mixed
from seqrec.runs.intervals import of_reference, of_run
from seqrec.runs.kept import runs

PAGE = "docs/results.md"
PUBLISHED = {"beauty-fenrec": ("fenrec", "1")}
"""The printed table beside which the runs of a folder stand, by the name of the folder."""


def table(folder: Path) -> Table:
    """One row a run or reference; beside it the numbers that a paper prints, where the folder has such a paper.

    A run of code that was changed after its commit has a dagger, as nobody can have that code again.

    Raises:
        ValueError: the runs were not judged alike.
    """
    stored, published = runs(folder), _published(folder)
    refuse_mixed({f"{folder / run.name}": run.card for run in stored})
    changed = {run.name for run in stored if str(run.card.git_commit).endswith("-dirty")}
    rows = [
        (
            run.metrics["test"],
            of_run(run),
            run.name,
            f"{run.metrics['epochs']} ({run.metrics['best_epoch']})",
            f"`{run.command}`",
        )
        for run in stored
    ]
    first = stored[0]
    rows += [
        (metrics, of_reference(first, name), name, "", "") for name, metrics in first.metrics["references"].items()
    ]
    columns = ["model", "epochs (best)", "Recall@10", "NDCG@10", "NDCG@20", "command"]
    if published:
        columns.insert(-1, "published")
    cells: list[list[Cell]] = []
    for metrics, intervals, name, epochs, command in sorted(rows, key=lambda row: row[0]["ndcg@10"], reverse=True):
        numbers: list[Cell] = [intervals.get(at, metrics[at]) for at in ("recall@10", "ndcg@10", "ndcg@20")]
        others = [published.get(name, "")] if published else []
        cells.append([f"{name} †" if name in changed else name, epochs, *numbers, *others, command])
    return Table(columns, cells, over_users_caption(cells, first.card.evaluated_users))


def _published(folder: Path) -> dict[str, str]:
    """Recall@10 and NDCG@20 by model."""
    if folder.name not in PUBLISHED:
        return {}
    table, data = load(*PUBLISHED[folder.name]), folder.name.partition("-")[0]
    pairs = {row: [table.value(data, row, metric) for metric in ("recall@10", "ndcg@20")] for row in table.rows}
    return {row: ", ".join(f"{value:.4f}" for value in values) for row, values in pairs.items()}


def main(root: Path = ROOT) -> None:
    """Write the tables into the page, and the pictures that it shows into ``docs/images``."""
    page = root / PAGE
    for folder in sorted(path for path in (root / "docs" / "runs").iterdir() if path.is_dir()):
        write_part(page, folder.name, "seqrec.reporting.results", table(folder).markdown())
        picture = root / "docs" / "images" / f"{folder.name}.png"
        if picture.name in page.read_text(encoding="utf-8"):
            figures.save(figures.validation_by_epoch(runs(folder)), picture, dpi=110)


if __name__ == "__main__":
    main()
