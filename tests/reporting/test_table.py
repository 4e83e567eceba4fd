"""One table in four forms."""

from __future__ import annotations

import csv

from seqrec.reporting.table import Table

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
