"""The page on what logs are worth says what the stored figures say; a picture has a panel for each thing known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure

from seqrec.data.checks.published import EASNREC, PUBLISHED, TABLE_D
from seqrec.reporting.data_check import doubts
from seqrec.reporting.data_figure import data_figure
from seqrec.reporting.data_page import KEPT, LOGS, MODULE, PAGE, SEQUENCES, keep, tables
from seqrec.reporting.pages import ROOT, in_step

KEPT_FIGURES: dict[str, Any] = json.loads((ROOT / KEPT).read_text())


@pytest.mark.parametrize("name", tables(KEPT_FIGURES))
def test_the_page_is_in_step(name: str) -> None:
    page = (ROOT / PAGE).read_text()
    table = tables(KEPT_FIGURES)[name].markdown()
    assert in_step(page, name, MODULE, table) == page, f"run: python -m {MODULE}"


def test_all_data_sets_are_kept() -> None:
    assert set(KEPT_FIGURES) == {*SEQUENCES, *LOGS}
    assert len(SEQUENCES) == 9


def test_the_papers_tables_are_whole() -> None:
    cells = [row for row in tables(KEPT_FIGURES)["easnrec"].rows if row[0] == "ML-1M"]
    assert [row[2] for row in cells] == list(PUBLISHED["ml1m"][0].cells.values())
    assert PUBLISHED["ml1m"][0].source == EASNREC
    shown = [str(row) for row in tables(KEPT_FIGURES)["fenrec"].rows]
    assert all(
        f"{value} / {value}" in row for row, values in zip(shown, TABLE_D.values(), strict=True) for value in values
    )


def test_kept_figures_name_no_folder_and_no_user() -> None:
    text = (ROOT / KEPT).read_text()
    assert "/root" not in text and "/tmp" not in text and len(text) < 200_000


def test_figures_are_kept_a_line_a_data_set(tmp_path: Path) -> None:
    for name in ("b", "a"):
        (tmp_path / "checks" / name).mkdir(parents=True)
        (tmp_path / "checks" / name / "check.json").write_text(json.dumps({"sizes": {"users": 1}, "events": None}))
    (tmp_path / "docs").mkdir()
    keep(tmp_path / "checks", tmp_path)
    assert (tmp_path / KEPT).read_text().splitlines()[1:3] == [
        '"a": {"sizes": {"users": 1}},',
        '"b": {"sizes": {"users": 1}}',
    ]


def test_doubts_of_one_reason_are_one_line() -> None:
    [line] = doubts(KEPT_FIGURES["yelp"])
    assert line.startswith(f"{EASNREC}, users 30,499, items 20,068, actions 317,182: of another cut")
    assert [line.split(": ")[0] for line in doubts(KEPT_FIGURES["ml1m"])] == [
        f"{EASNREC}, items 3,471",
        f"{EASNREC}, sparsity 95.15%",
    ]


EVENTS = {"unit": "s", "edges": ["2019-01-01T00:00:00", "2019-07-01T00:00:00", "2020-01-01T00:00:00"]}


@pytest.mark.parametrize(
    "events",
    [None, EVENTS | {"training": [3, 1], "validation": [0, 1], "test": [0, 2]},
     {"unit": None, "edges": [0.0, 5.0, 10.0], "training": [3, 1], "validation": [1, 1], "test": [0, 2]}],
)  # fmt: skip
def test_a_panel_for_each_thing_that_is_known(events: Any) -> None:
    figure: Figure = data_figure(KEPT_FIGURES["beauty"] | {"events": events}, "a log")
    assert len(figure.axes) == (2 if events is None else 3)
    assert [text.get_text() for text in figure.axes[0].texts] == ["0.7% longer\nthan 50 "]
    if events is not None:
        names = [text.get_text() for text in figure.axes[2].get_legend().get_texts()]
        assert names == ["training", "test"]
        shares = [patch.get_paths()[0].vertices[:, 1].max() for patch in figure.axes[2].collections]
        assert shares == [0.75, 1.0]
