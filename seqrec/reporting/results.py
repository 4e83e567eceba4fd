"""The tables of ``docs/results.md`` and their pictures of learning curves, from the runs in ``docs/runs``.

``docs/runs/<data>-<protocol>/<model>`` holds three files of a run folder (``log.csv``, ``metrics.json``,
``protocol.json``), the test ranks of all users, and of older runs the command instead. ``python -m
seqrec.reporting.results`` writes tables and pictures; folders of finished runs that it is given, each named as it is to
be in ``docs/runs``, are kept there first.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from seqrec.reporting import figures
from seqrec.reporting.keeping import keep
from seqrec.reporting.pages import ROOT, write_part
from seqrec.reporting.papers.published import Published, load
from seqrec.reporting.table import Cell, Table, over_users_caption
from seqrec.runs.card import refuse_mixed
from seqrec.runs.intervals import of_reference, of_run
from seqrec.runs.kept import Run, model_of, runs

PAGE, README = "docs/results.md", "README.md"
SHORT = ("model", "Recall@10", "NDCG@20", "published", "board", "hours")
"""Columns of the table in the README, which is that of :data:`FIRST`."""
FIRST = "beauty-fenrec"
PUBLISHED = {"beauty-fenrec": {"published": ("fenrec", "1"), "board": ("recboard", "1")}}
"""The printed tables beside which the runs of a folder stand, by the title of their column."""
METRICS = ("recall@10", "ndcg@10", "ndcg@20")
PRINTED = ("recall@10", "ndcg@20")
ORDER = "ndcg@20"
"""By which rows are sorted, the best first."""
CLOCK = "trainer.max_time="


def by_clock(run: Run) -> bool:
    """Whether a run was given a time, not an end: its numbers say how fast the model learns, not what it reaches."""
    return CLOCK in run.command


def table(folder: Path) -> Table:
    """One row a finished run or reference; beside it what is printed elsewhere, where the folder has such tables.

    A run of code that was changed after its commit has a dagger, as nobody can have that code again.

    Raises:
        ValueError: the runs were not judged alike.
    """
    stored = _judged_alike(folder)
    finished = [run for run in stored if not by_clock(run)]
    printed = {title: load(*name) for title, name in PUBLISHED.get(folder.name, {}).items()}
    data = folder.name.partition("-")[0]
    columns = ["model", "epochs (best)", "hours", "Recall@10", "NDCG@10", "NDCG@20", *printed]
    columns += [*(["against the higher"] if printed else []), "command"]
    rows: list[tuple[float, list[Cell]]] = []
    for run in finished:
        values = [_printed(one, data, run.name) for one in printed.values()]
        beside: list[Cell] = [*map(_pair, values), *([_gap(run, values)] if printed else [])]
        row: list[Cell] = [
            _name(run),
            _epochs(run),
            f"{run.hours:.1f}" if run.hours >= 1 else f"{run.hours:.2f}",
            *_numbers(run.metrics["test"], of_run(run)),
        ]
        rows.append((run.metrics["test"][ORDER], [*row, *beside, f"`{run.command}`"]))
    for name, metrics in stored[0].metrics["references"].items():
        empty: list[Cell] = [""] * (len(columns) - 3 - len(METRICS))
        row = [name, "", "", *_numbers(metrics, of_reference(stored[0], name)), *empty]
        rows.append((metrics[ORDER], row))
    cells = [row for _, row in sorted(rows, key=lambda row: row[0], reverse=True)]
    return Table(columns, cells, over_users_caption(cells, stored[0].card.evaluated_users))


def unfinished(folder: Path) -> Table | None:
    """The runs of a folder that the clock stopped, with what an epoch takes; None where there is none."""
    found = [run for run in _judged_alike(folder) if by_clock(run)]
    rows: list[list[Cell]] = [
        [_name(run), _epochs(run), f"{run.hours / run.metrics['epochs'] * 3600:.0f}", f"`{run.command}`"]
        for run in sorted(found, key=lambda run: run.name)
    ]
    return Table(["model", "epochs (best)", "s an epoch", "command"], rows) if rows else None


def text(folder: Path) -> str:
    """Both tables of a folder."""
    others = unfinished(folder)
    more = f"\nStopped by the clock, so without numbers:\n\n{others.markdown()}" if others else ""
    return table(folder).markdown() + more


def short(whole: Table) -> Table:
    """The part of a table that the README has: some columns, and the best run of each model."""
    places = [whole.columns.index(name) for name in SHORT]
    best: dict[str, Sequence[Cell]] = {}
    for row in whole.rows:
        best.setdefault(model_of(str(row[0])), row)
    return Table(SHORT, [[row[place] for place in places] for row in best.values()], whole.caption)


def _judged_alike(folder: Path) -> list[Run]:
    stored = runs(folder)
    refuse_mixed({f"{folder / run.name}": run.card for run in stored})
    return stored


def _name(run: Run) -> str:
    return f"{run.name} †" if run.card.dirty else run.name


def _epochs(run: Run) -> str:
    return f"{run.metrics['epochs']} ({run.metrics['best_epoch']})"


def _numbers(metrics: Mapping[str, float], intervals: Mapping[str, Cell]) -> list[Cell]:
    return [intervals.get(name, metrics[name]) for name in METRICS]


Value = tuple[float, float | None]
"""A printed mean and its standard deviation over seeds, where one is printed."""


def _printed(table: Published, data: str, name: str) -> list[Value] | None:
    """:data:`PRINTED` of the model of a run; None where the table does not have it."""
    model = model_of(name)
    pairs = [(table.value(data, model, metric), table.deviation(data, model, metric)) for metric in PRINTED]
    return [(value, deviation) for value, deviation in pairs if value is not None] or None


def _pair(values: Sequence[Value] | None) -> str:
    return ", ".join(f"{value:.4f}" + (f" ± {spread:.4f}" if spread else "") for value, spread in values or ())


def _gap(run: Run, printed: Sequence[Sequence[Value] | None]) -> str:
    """:data:`PRINTED` relative to the higher printed ones; ▼: below by more than two of its deviations, or 3 %."""
    known = [values for values in printed if values]
    if not known:
        return ""
    highest = [max(of_metric, key=lambda value: value[0]) for of_metric in zip(*known, strict=True)]
    pairs = zip(PRINTED, highest, strict=True)
    return ", ".join(_relative(run.metrics["test"][name], *value) for name, value in pairs)


def _relative(ours: float, value: float, deviation: float | None) -> str:
    allowed = 0.03 * value if deviation is None else 2 * deviation
    return f"{ours / value - 1:+.1%}" + (" ▼" if ours < value - allowed else "")


def main(root: Path = ROOT, finished: Sequence[Path] = ()) -> None:
    """Keep runs that are ``finished``, then write the tables into the page, and the pictures into ``docs/images``."""
    page, stored = root / PAGE, root / "docs" / "runs"
    for run in finished:
        keep(run, stored / run.parent.name / run.name)
    write_part(root / README, FIRST, "seqrec.reporting.results", short(table(stored / FIRST)).markdown())
    for folder in sorted(path for path in stored.iterdir() if path.is_dir()):
        write_part(page, folder.name, "seqrec.reporting.results", text(folder))
        picture = root / "docs" / "images" / f"{folder.name}.png"
        if picture.name in page.read_text(encoding="utf-8"):
            finished_runs = [run for run in runs(folder) if not by_clock(run)]
            figures.save(figures.validation_by_epoch(finished_runs), picture, dpi=110)


if __name__ == "__main__":
    main(finished=[Path(name).resolve() for name in sys.argv[1:]])
