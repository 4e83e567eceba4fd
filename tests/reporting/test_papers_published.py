"""Printed cells are what papers print, and each has a command."""

from __future__ import annotations

import shlex
from itertools import product

import numpy as np
import pytest
import yaml

from seqrec.cli.overrides import check_configuration
from seqrec.reporting.pages import ROOT
from seqrec.reporting.papers.asked import Asked
from seqrec.reporting.papers.published import PRINTED, load, names

PAPERS = yaml.safe_load((ROOT / "tests" / "golden" / "papers.yaml").read_text())
TABLES = [(path.parent.name, path.stem) for path in sorted(PRINTED.glob("*/*.yaml"))]

IMPROVEMENTS = {
    "sports": [7.75, 6.52, 7.23, 6.79, 6.49, 6.98],
    "beauty": [2.97, 4.19, 3.57, 2.19, 3.05, 2.93],
    "toys": [3.28, 4.03, 4.06, 3.14, 3.63, 3.75],
    "yelp": [10.00, 12.27, 10.23, 10.30, 11.82, 10.76],
}
"""The last column of FENRec's Table 1: per cent above the best of the others."""

OF_HOSTS = {
    ("sports", "cl4srec"): [5.96, 3.73, 1.74, 7.05, 5.47, 3.98],
    ("sports", "duorec"): [6.11, 6.05, 6.41, 5.00, 5.32, 5.45],
    ("beauty", "cl4srec"): [0.00, 1.70, 3.84, -0.86, 0.24, 1.64],
    ("beauty", "duorec"): [4.64, 4.25, 5.24, 3.69, 3.73, 4.32],
    ("toys", "cl4srec"): [1.75, 3.13, 5.69, 1.79, 2.49, 3.89],
    ("toys", "duorec"): [6.40, 6.74, 8.98, 6.24, 6.60, 7.56],
    ("yelp", "cl4srec"): [2.10, 1.24, 3.21, 3.33, 1.96, 3.38],
    ("yelp", "duorec"): [4.24, 4.73, 3.62, 3.33, 4.95, 4.10],
}
"""The columns "Improv." of FENRec's Table 2."""


def test_printed_values_give_the_printed_improvements() -> None:
    """A second derivation of the values: the papers print both."""
    for data, row in load("fenrec", "1").values.items():
        others = np.array([values for name, values in row.items() if name != "fenrec"])
        assert 100 * (np.array(row["fenrec"]) / others.max(axis=0) - 1) == pytest.approx(IMPROVEMENTS[data], abs=0.006)
    hosts = load("fenrec", "2").values
    for (data, host), printed in OF_HOSTS.items():
        ratio = np.array(hosts[data][f"{host}_fenrec"]) / np.array(hosts[data][host])
        assert 100 * (ratio - 1) == pytest.approx(printed, abs=0.006), (data, host)


def test_tables_of_a_paper_agree_where_they_print_the_same() -> None:
    whole, overall = load("fenrec", "1"), load("easnrec", "2")
    for data in whole.data:
        assert load("fenrec", "3").values[data]["fenrec"] == whole.values[data]["fenrec"]
        for host in ("cl4srec", "duorec"):
            assert load("fenrec", "2").values[data][host] == whole.values[data][host]
    for data, (table, row), metric in product(overall.data, [("3", "easnrec"), ("4", "fc")], ["recall@20", "ndcg@20"]):
        assert load("easnrec", table).value(data, row, metric) == overall.value(data, "easnrec", metric)


@pytest.mark.parametrize(("paper", "name"), TABLES)
def test_a_table_is_whole(paper: str, name: str) -> None:
    table = load(paper, name)
    assert set(table.data) == set(PAPERS[paper]["data"]) or (paper, name) == ("fenrec", "figure_2")
    for row in table.rows.values():
        assert row.model in PAPERS[paper]["models"]
    for data in table.values:
        assert set(table.values[data]) == set(table.rows)
        assert all(len(values) == len(table.metrics) for values in table.values[data].values())
        assert set(table.deviations.get(data, {})) <= set(table.rows)
    options = [row.option for row in table.rows.values()]
    assert (table.drawn is None) == bool(table.values)
    assert (table.axis is None) == (options[0] is None) == (table.drawn != "options")
    asked = [word for row in table.rows.values() for word in row.arguments if word.startswith("callbacks=")]
    assert bool(table.logged) == bool(asked) and len(asked) in (0, len(table.rows))
    assert all(option in options for best in table.best.values() for option in best)


def test_overall_tables_have_all_models_of_their_papers() -> None:
    assert set(load("fenrec", "1").rows) == set(PAPERS["fenrec"]["models"])
    assert set(load("easnrec", "2").rows) == set(PAPERS["easnrec"]["models"])
    assert set(load("recboard", "1").rows) == set(PAPERS["recboard"]["models"])


@pytest.mark.parametrize(("paper", "name"), TABLES)
def test_commands_of_cells_pass_the_check(paper: str, name: str) -> None:
    """Of the last row on the last data set; those of overall tables are checked in test_papers.py."""
    table = load(paper, name)
    row = list(table.rows.values())[-1]
    command = Asked(table, [0, 1]).command(row, table.data[-1], [0, 1])
    words = shlex.split(command)
    assert words[:3] == ["python", "main.py", "-m"] and words[-1] == "seed=0,1"
    assert check_configuration(words[3:], multirun=True, targets=False).protocol.name == row.protocol


def test_protocols_are_those_that_rows_compose_to() -> None:
    bpr = load("easnrec", "2").rows["bpr"]
    config = check_configuration(["paper=easnrec", "model=bpr", "data=sports"], targets=False)
    assert config.protocol.name == bpr.protocol == "unseen_items"


@pytest.mark.parametrize(
    ("paper", "table", "message"),
    [
        ("fenrec", "9", "fenrec has no table '9' here; it has 1, 2, 3, figure_2, .*, E, D"),
        ("easnrec", "figure_66", r"did you mean figure_6\?"),
        ("none", "1", "paper=none: tables are known of easnrec, fenrec, recboard; choose one"),
    ],
)
def test_an_unknown_table_is_refused(paper: str, table: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load(paper, table)


def test_parts_of_a_table() -> None:
    table = load("fenrec", "E").only(["toys"], ["mvs", "fenrec"], ["ndcg@20"])
    assert (table.name, table.data, list(table.rows), table.shown) == (
        "table_1", ("toys",), ["mvs", "fenrec"], ("ndcg@20",),
    )  # fmt: skip
    assert (table.value("toys", "mvs", "ndcg@20"), table.deviation("toys", "caser", "recall@5")) == (0.0710, 0.0004)
    for part in ({"data": ["ml1m"]}, {"rows": ["easnrec"]}, {"metrics": ["mrr"]}):
        with pytest.raises(ValueError, match=r"table_1 of fenrec has no .*; it has "):
            table.only(**part)
    assert names("easnrec")[0] == "table_2"
