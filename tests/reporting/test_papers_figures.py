"""Figures of FENRec that show groups of users, uniformity and similarity; and tables that count data sets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from matplotlib.axes import Axes

from seqrec.data.checks.log import Log, observed
from seqrec.data.checks.published import TABLE_D
from seqrec.data.errors import DataError
from seqrec.reporting.papers import counts
from seqrec.reporting.papers.asked import Asked
from seqrec.reporting.papers.cells import ranked
from seqrec.reporting.papers.drawn import drawn
from seqrec.reporting.papers.look_up import Found, look_up
from seqrec.reporting.papers.measured import LENGTHS, is_tested, measured
from seqrec.reporting.papers.published import Published, load
from seqrec.reporting.papers.written import Written
from seqrec.runs.folder import PER_USER
from seqrec.runs.found import finished
from seqrec.runs.kept import read_run
from tests.factories import make_sequences
from tests.reporting.test_papers_tables import made

RANKS = {3: [1, 4], 7: [2], 8: [50], 19: [1], 20: [3, 9], 400: [1]}
"""By the length of a history."""


def logged(folder: Path, **columns: list[float]) -> Path:
    """A finished run with ranks of users, and with columns in its log, whose second epoch was tested."""
    made(folder)
    rows = [(length, float(rank)) for length, found in RANKS.items() for rank in found]
    users = pl.DataFrame(rows, ["history_length", "rank"], orient="row").with_row_index("user")
    users.write_parquet(folder / PER_USER)
    length = max(map(len, columns.values()), default=2)
    table: dict[str, Any] = {"epoch": range(1, length + 1)} | {
        name.replace("__", "/"): x for name, x in columns.items()
    }
    pl.DataFrame(table).write_csv(folder / "log.csv")
    metrics = json.loads((folder / "metrics.json").read_text()) | {"best_epoch": 2}
    (folder / "metrics.json").write_text(json.dumps(metrics))
    return folder


def found(root: Path, table: Published) -> Found:
    return look_up(
        Asked(table, [0]), finished([root]), lambda words, path: f"model={path.name}" in words, lambda *_: None
    )


def test_numbers_of_a_run(tmp_path: Path) -> None:
    folder = logged(tmp_path / "fenrec", uniformity__items=[-1.0, -2.0, -3.0])
    run = read_run(folder)
    gain = [1 / np.log2(rank + 1) for rank in (1, 4, 2)]
    assert measured(folder, run, "ndcg@20 below 8") == pytest.approx(np.mean(gain))
    assert measured(folder, run, "recall@5 20 and more") == pytest.approx(2 / 3)
    assert [measured(folder, run, f"users {group}") for group in LENGTHS] == [3, 2, 3]
    assert measured(folder, run, "uniformity/items") == -2 and measured(folder, run, "uniformity/items at 3") == -3
    assert measured(folder, run, "uniformity/items at 4") is None and measured(folder, run, "negatives/x") is None
    assert (
        measured(folder, run, "ndcg@20") == run.metrics["test"]["ndcg@20"] and measured(folder, run, "ndcg@3") is None
    )
    assert [is_tested(name) for name in ("ndcg@20", "ndcg@20 below 8", "uniformity/items")] == [True, False, False]
    (folder / PER_USER).unlink()
    assert measured(folder, run, "ndcg@20 below 8") is None


def test_a_run_without_the_diagnosis_is_of_no_cell(tmp_path: Path) -> None:
    logged(tmp_path / "fenrec", uniformity__items=[-1.0, -2.0])
    logged(tmp_path / "sasrec")
    table = load("fenrec", "figure_5").only(["beauty"], ["sasrec", "fenrec"])
    looked = found(tmp_path, table)
    sasrec, fenrec = looked.cells["beauty"]
    assert not sasrec.runs and fenrec.value("uniformity/items") == -2
    assert sasrec.command.endswith("model=sasrec 'callbacks=[default,uniformity]' data=beauty seed=0")
    assert not ranked([fenrec, fenrec], "uniformity/items")
    assert "NDCG@20" in Written(table, looked, None).latex()


def lines(axes: Axes) -> dict[str, list[float]]:
    return {str(line.get_label()): list(np.asarray(line.get_ydata(), float)) for line in axes.lines}


def test_lengths_are_drawn_over_numbers_of_users(tmp_path: Path) -> None:
    folder = logged(tmp_path / "fenrec")
    table = load("fenrec", "figure_4")
    figure = drawn(table, found(tmp_path, table).cells, table.metrics)
    assert len(figure.axes) == 2 * len(table.data)
    beauty, beside = figure.axes[table.data.index("beauty")], figure.axes[len(table.data) + 1]
    expected = [measured(folder, read_run(folder), metric) for metric in table.metrics]
    assert lines(beauty)["FENRec"] == expected and np.isnan(lines(beauty)["SASRec"]).all()
    assert [bar.get_bbox().height for bar in beside.patches] == [3, 2, 3]  # type: ignore[attr-defined]


def test_uniformity_is_drawn_against_the_metric(tmp_path: Path) -> None:
    logged(tmp_path / "fenrec", uniformity__items=[-1.0, -2.0])
    table = load("fenrec", "figure_5").only(["beauty"])
    axes = drawn(table, found(tmp_path, table).cells, table.metrics).axes[0]
    points = {str(bars.get_label()): bars.lines[0] for bars in axes.containers if hasattr(bars, "lines")}
    assert list(points["FENRec"].get_xdata()) == [-2]
    assert list(points["FENRec"].get_ydata()) == [read_run(tmp_path / "fenrec").metrics["test"]["ndcg@20"]]


def test_similarity_has_a_box_for_each_kind_and_epoch_that_was_reached(tmp_path: Path) -> None:
    shares = (5, 25, 50, 75, 95)
    batch = {f"negatives__batch_q{share:02d}": [share + epoch / 100 for epoch in range(1, 31)] for share in shares}
    hard = {f"negatives__hard_q{share:02d}": [None] * 20 + [float(share)] * 10 for share in shares}
    logged(tmp_path / "fenrec", **batch, **hard)  # type: ignore[arg-type]  # a column begins late
    table = load("fenrec", "figure_2")
    axes = drawn(table, found(tmp_path, table).cells, table.metrics).axes[0]
    ends = [list(np.asarray(line.get_ydata(), float)) for line in axes.lines if line.get_color() == "black"]
    medians = sorted(low for low, *_, high in ends if low == high and round(low) == 50)
    assert medians == [50, 50.05, 50.25]  # hard at 25; others at 5 and at 25; the training ended before 50
    assert [label.get_text() for label in axes.get_xticklabels()] == ["5", "25", "50"]


def small_log() -> Log:
    return observed(lambda: make_sequences([[1, 2, 3, 4, 1, 2], [2, 3, 4, 1, 3], [1] * 12], 4))


def test_counts_are_compared_with_what_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    table = counts.find("fenrec", "table_D")
    assert table is not None and counts.find("fenrec", "1") is None
    rows = table.counted("beauty", small_log())
    assert [row["cell"] for row in rows] == list(LENGTHS) and {row["verdict"] for row in rows} == {"fail"}
    assert [row["printed"] for row in rows] == list(TABLE_D["beauty"])
    # Without the last two of each, items 1 to 4 are there 11, 2, 2 and 2 times; a history is all but the last.
    expected = [np.mean([(11 + 2 + 2 + 2 + 11) / 5, (2 + 2 + 2 + 11) / 4]), 11.0]
    assert [row["ours"] for row in rows] == [*(f"{mean:.4f}" for mean in expected), ""]
    monkeypatch.setitem(TABLE_D, "beauty", [row["ours"] for row in rows])
    assert {row["verdict"] for row in table.counted("beauty", small_log())} == {"pass"}


def test_what_is_missing_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = counts.find("easnrec", "1")
    assert table is not None

    def read(name: str) -> Log:
        if name == "yelp":
            raise DataError("put Yelp.txt there")
        return small_log()

    counts.show(tmp_path, table, table.only(["yelp", "sports"]), read)
    shown = capsys.readouterr().out
    assert "yelp is missing: put Yelp.txt there" in shown and "35,598" in shown and "fail" in shown
    numbers = pl.read_csv(tmp_path / "table_1.csv").to_dicts()
    assert [row["verdict"] for row in numbers if row["data"] == "yelp"] == ["missing"] and len(numbers) == 7
    assert "put Yelp.txt there" in (tmp_path / "table_1.md").read_text() and (tmp_path / "table_1.tex").exists()
    for data, parts, message in (
        (["beauty"], [], "has no data set 'beauty'; it has sports"),
        ([], ["x"], "leave them"),
    ):
        with pytest.raises(ValueError, match=message):
            table.only(data, parts)
