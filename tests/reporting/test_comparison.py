"""The tables and the picture of a comparison show what was computed from the ranks."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from scipy import stats

from seqrec.reporting.comparison import Choices, Comparison, compare
from seqrec.reporting.comparison_tables import differences_table, full_table, methods_table, slices_table
from seqrec.reporting.difference_figure import differences
from seqrec.reporting.significance import holm
from seqrec.runs.slicing import slices

CHOICES = Choices(["ndcg@10", "recall@10"], None, 0.95, 500, 0)
USERS = 600


def drawn(ahead: float, seeds: int, seed: int) -> NDArray[np.float64]:
    generator = np.random.default_rng(seed)
    return np.ceil(np.exp(generator.normal(3, 2, (seeds, USERS))) / (1 + ahead))


RANKS: Mapping[str, NDArray[np.float64]] = {
    "good": drawn(4, 3, 0),
    "plain": drawn(0, 3, 1),
    "single": drawn(0, 1, 2),
}
PARTS = slices(pl.DataFrame({"history_length": np.arange(USERS) % 8, "target_popularity": np.arange(USERS) % 5}))


@pytest.fixture(scope="module")
def found() -> Comparison:
    return compare(RANKS, CHOICES, PARTS)


def ndcg(rank: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(rank <= 10, 1 / np.log2(1 + rank), 0)


def test_every_pair_and_metric_is_a_row(found: Comparison) -> None:
    pairs = [("good", "plain"), ("good", "single"), ("plain", "single")]
    assert [(row.first, row.second, row.metric) for row in found.rows] == [
        (*pair, metric) for metric in CHOICES.metrics for pair in pairs
    ]
    first = found.rows[0]
    assert first.found.mean == pytest.approx(ndcg(RANKS["good"]).mean() - ndcg(RANKS["plain"]).mean())
    assert first.found.total_error and found.rows[1].found.total_error is None
    low, high = first.bootstrapped
    assert low < first.found.mean < high
    assert (low, high) == pytest.approx(first.found.interval(0.95, seeds=False), abs=0.2 * (high - low))


def test_p_values_are_adjusted_over_all_rows(found: Comparison) -> None:
    columns = zip(*((row.found.p_value(), row.users.t, row.users.wilcoxon) for row in found.rows), strict=True)
    for place, column in enumerate(columns):
        assert found.adjusted[:, place] == pytest.approx(holm(np.array(column)))
    verdicts = {(row.first, row.second): found.verdict(place) for place, row in enumerate(found.rows[:3])}
    assert verdicts == {("good", "plain"): "good", ("good", "single"): "good", ("plain", "single"): "open"}


def test_a_baseline_is_the_second_of_every_pair() -> None:
    against = compare(RANKS, replace(CHOICES, baseline="good"))
    assert {(row.first, row.second) for row in against.rows} == {("plain", "good"), ("single", "good")}
    assert against.verdict(0) == "good"
    with pytest.raises(ValueError, match=r"baseline=best is none of the methods; choose one of good, plain, single"):
        compare(RANKS, replace(CHOICES, baseline="best"))


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        (replace(CHOICES, level=1.0), "task.level is 1.0; it must be"),
        (replace(CHOICES, level=0.05), "task.level is 0.05; it must be"),
        (replace(CHOICES, replicates=3), "task.replicates is 3; an interval needs at least 100"),
    ],
)
def test_choices_that_are_not_possible_are_refused(choices: Choices, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        compare(RANKS, choices)


def test_one_user_is_refused() -> None:
    with pytest.raises(ValueError, match="1 evaluated users; an interval needs 2"):
        compare({"a": np.ones((1, 1)), "b": np.ones((1, 1))}, CHOICES)


def test_slices_are_of_their_users_alone(found: Comparison) -> None:
    row = next(row for row in found.slices if row.part.by == "history length" and row.second == "plain")
    users = np.arange(USERS) % 8 <= int(row.part.name.split(" to ")[-1])
    assert row.found.users == users.sum()
    assert row.found.first == pytest.approx(ndcg(RANKS["good"][:, users]).mean())
    assert {row.metric for row in found.slices} == {"ndcg@10"}


def test_tables_show_the_numbers(found: Comparison) -> None:
    methods = {row[0]: row[1:] for row in methods_table(found).rows}
    half = stats.sem(ndcg(RANKS["good"]).mean(0)) * stats.t.ppf(0.975, USERS - 1)
    assert methods["good"][2] == pytest.approx(half)
    means = ndcg(RANKS["good"]).mean(1)
    assert methods["good"][:2] == [3, f"{means.mean():.4f} ± {means.std(ddof=1):.4f}"]
    assert methods["single"][:2] == [1, f"{ndcg(RANKS['single']).mean():.4f}"]
    shown = differences_table(found)
    rows = [dict(zip(shown.columns, row, strict=True)) for row in shown.rows]
    assert rows[0]["difference"] == "good - plain" and rows[0]["mean"] == f"{found.rows[0].found.mean:+.4f}"
    assert rows[0]["95%, users and seeds"] and rows[1]["95%, users and seeds"] is None
    assert [row["ahead"] for row in rows[:3]] == ["good", "good", "open"]
    parts = slices_table(found).rows
    assert len(parts) == 3 * len(PARTS) and parts[0][0] == f"{PARTS[0].by}: {PARTS[0].name}"
    table = full_table(found)
    stored = list(csv.DictReader(io.StringIO(table.csv())))
    assert len(stored) == len(found.rows) + len(found.slices)
    assert float(stored[0]["difference"]) == found.rows[0].found.mean
    assert float(stored[0]["holm_p_t"]) == found.adjusted[0, 1]
    assert stored[-1]["slice"] == PARTS[-1].name and stored[-1]["p_t"] == ""


def test_the_picture_shows_intervals_of_pairs_and_slices(found: Comparison) -> None:
    figure = differences(found, "title")
    ndcg_panel, recall_panel, *parts = figure.axes
    assert [panel.get_xlabel() for panel in (ndcg_panel, recall_panel)] == [
        "difference in ndcg@10",
        "difference in recall@10",
    ]
    drawn_ends = [np.asarray(line.get_xdata()).tolist() for line in ndcg_panel.lines]
    for row in found.rows[:3]:
        assert list(row.bootstrapped) in drawn_ends
    assert list(found.rows[0].found.interval(0.95)) in drawn_ends
    assert list(found.rows[1].found.interval(0.95)) not in drawn_ends
    assert [panel.get_title(loc="left") for panel in parts] == ["history length", "target popularity", "cold target"]
    means = [np.asarray(line.get_xdata()).tolist() for line in parts[0].lines]
    own = [row for row in found.slices if row.part.by == "history length" and row.second == "plain"]
    assert [row.found.mean for row in own] in means
    assert len(differences(compare(RANKS, CHOICES)).axes) == 2
