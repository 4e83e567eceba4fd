"""One table in four forms."""

from __future__ import annotations

import csv

import pytest

from seqrec.functional.intervals import Interval
from seqrec.reporting.table import Cell, Table, mean_cells, over_seeds_caption, over_users_caption

METRICS = [f"{name}@{k}" for name in ("recall", "ndcg") for k in (5, 10, 20)] + ["mrr"]
TABLE = Table(["model", *METRICS], [["popularity", *[0.25] * 7], ["xlstm_lsr", *[0.123456] * 7]])


def test_a_run_s_table_fits_into_80_columns_with_all_its_digits() -> None:
    lines = TABLE.text().splitlines()
    assert max(map(len, lines)) <= 80
    assert [line.split() for line in lines[2:]] == [["popularity", *["0.2500"] * 7], ["xlstm_lsr", *["0.1235"] * 7]]


def test_markdown_and_latex_hold_the_same_cells() -> None:
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in TABLE.markdown().splitlines()]
    assert rows[0] == ["model", *METRICS] and rows[2] == ["popularity", *["0.2500"] * 7]
    latex = TABLE.latex()
    assert latex.startswith("\\begin{tabular}{lrrrrrrr}") and "\\toprule" in latex
    assert r"xlstm\_lsr" in latex


def test_csv_keeps_every_digit_and_empty_cells() -> None:
    table = Table(["name", "value"], [["a,b", 1 / 3], [None, 2]])
    assert list(csv.reader(table.csv().splitlines())) == [["name", "value"], ["a,b", repr(1 / 3)], ["", "2"]]
    assert table.text().splitlines()[-1].split() == ["2"]


def test_intervals_stand_behind_their_means_and_for_programs_in_columns_of_their_own() -> None:
    rows: list[list[Cell]] = [["a", Interval(0.25, 0.2, 0.3), 3], ["b", None, None], ["c", 0.5, 1]]
    table = Table(["name", "ndcg@10", "epoch"], rows, over_users_caption(rows, 1234))
    assert "| a      | 0.2500 ± 0.0500 |       3 |" in table.markdown()
    for text in (table.text(), table.markdown(), table.latex()):
        assert "±: half of the 95% interval over 1,234 users." in text
    assert table.csv().splitlines() == [
        "name,ndcg@10,ndcg@10_low,ndcg@10_high,epoch",
        "a,0.25,0.2,0.3,3",
        "b,,,,",
        "c,0.5,,,1",
    ]
    assert table.records()[0] == {"name": "a", "ndcg@10": 0.25, "ndcg@10_low": 0.2, "ndcg@10_high": 0.3, "epoch": 3}


def test_a_run_s_table_with_intervals_fits_too() -> None:
    table = Table(TABLE.columns, [[row[0], *(Interval(0.25, 0.249, 0.251) for _ in METRICS)] for row in TABLE.rows])
    lines = table.stacked().text().splitlines()
    assert max(map(len, lines)) <= 80
    assert [line.split() for line in lines[2:4]] == [["popularity", *["0.2500"] * 7], ["±", *["0.0010"] * 7]]
    assert len(Table(["model", "gini"], [["a", 0.5]]).stacked().rows) == 1


def test_a_mean_over_seeds_says_both() -> None:
    assert mean_cells([0.25, 0.35], Interval(0.3, 0.28, 0.32)) == ["0.3000 ± 0.0707", pytest.approx(0.02)]
    assert mean_cells([0.25], None) == ["0.2500", None]
    assert len(over_seeds_caption()) <= 100 and "99%" in over_seeds_caption(0.99)
    assert over_users_caption([["a", 0.5]]) == "", "there is no interval to explain"
