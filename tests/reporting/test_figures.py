"""The pictures of a run show the numbers that they are made of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seqrec.reporting import figures
from tests.disk import full_disk

ROWS = [
    {"epoch": 1.0, "train/loss": 3.0, "train/contrast": 1.0, "val/ndcg@10": 0.1},
    {"epoch": 2.0, "train/loss": 2.0, "train/contrast": 0.5, "val/ndcg@10": 0.3},
    {"epoch": 3.0, "train/loss": 1.5, "train/contrast": 0.4, "val/ndcg@10": 0.2},
]

PARTS: list[dict[str, Any]] = [
    {"by": "history_length", "from": 3, "to": 5, "users": 1200, "ndcg@10": 0.2},
    {"by": "history_length", "from": 6, "to": 9, "users": 7, "ndcg@10": 0.4},
    {"by": "target_popularity", "from": 2, "to": 2, "users": 1207, "ndcg@10": 0.3},
]


def test_curves_show_every_term_and_mark_the_best_epoch() -> None:
    left, right = figures.curves(ROWS, "ndcg@10").axes
    assert {line.get_label(): np.asarray(line.get_ydata()).tolist() for line in left.lines} == {
        "loss": [3.0, 2.0, 1.5],
        "contrast": [1.0, 0.5, 0.4],
    }
    curve, best = right.lines
    assert np.asarray(curve.get_xdata()).tolist() == [1, 2, 3] and np.asarray(curve.get_ydata()).tolist() == [
        0.1,
        0.3,
        0.2,
    ]
    assert (np.asarray(best.get_xdata()).tolist(), np.asarray(best.get_ydata()).tolist()) == ([2], [0.3])
    assert right.get_title() == "best: epoch 2, 0.3000"


def test_the_best_epoch_and_what_was_trained_are_said() -> None:
    figure = figures.curves(ROWS, "ndcg@10", "sasrec on beauty, seed 3")
    assert [panel.get_title() for panel in figure.axes] == ["", "best: epoch 2, 0.3000"]
    titled = [figure, figures.comparison({"mine": {"ndcg@10": 0.25}}, "ndcg@10", "sasrec on beauty, seed 3")]
    titled.append(figures.slices(PARTS, "ndcg@10", "sasrec on beauty, seed 3"))
    assert [one.get_suptitle() for one in titled] == ["sasrec on beauty, seed 3"] * 3


@pytest.mark.parametrize("epochs", [1, 2, 3, 40])
def test_ticks_are_whole_epochs_and_one_epoch_is_seen(epochs: int) -> None:
    rows = [{"epoch": epoch, "train/loss": 1.0 / epoch, "val/ndcg@10": 0.1} for epoch in range(1, epochs + 1)]
    for panel in figures.curves(rows, "ndcg@10").axes:
        ticks = [tick for tick in panel.get_xticks() if panel.get_xlim()[0] <= tick <= panel.get_xlim()[1]]
        assert ticks and all(tick == int(tick) for tick in ticks)
        assert all(line.get_marker() != "None" for line in panel.lines)


def test_losses_of_other_scales_have_panels_of_their_own() -> None:
    rows = [{"epoch": 1, "train/loss": 9.0, "train/rank": 8.0, "train/contrast": 0.02, "train/none": 0.0}]
    drawn = [[line.get_label() for line in panel.lines] for panel in figures.curves(rows, "ndcg@10").axes]
    assert drawn == [["loss", "rank"], ["contrast"], ["none"]]


def test_what_was_not_logged_has_no_empty_panel() -> None:
    judged_only = figures.curves([{"epoch": 1, "val/ndcg@10": 0.1}], "ndcg@10")
    assert [panel.get_ylabel() for panel in judged_only.axes] == ["validation ndcg@10"]
    not_judged = figures.curves([{"epoch": 1, "train/loss": 0.1}], "ndcg@10")
    assert [panel.get_ylabel() for panel in not_judged.axes] == ["training"]
    assert not figures.curves([{"epoch": 1}], "ndcg@10").axes
    assert not figures.curves([], "ndcg@10").axes


def test_an_epoch_without_a_validation_is_not_the_best() -> None:
    rows = [{"epoch": 1.0, "val/ndcg@10": 0.2}, {"epoch": 2.0, "val/ndcg@10": float("nan")}, {"epoch": 3.0}]
    (panel,) = figures.curves(rows, "ndcg@10").axes
    assert panel.get_title() == "best: epoch 1, 0.2000"


def test_the_comparison_has_a_bar_a_model_with_its_value_and_grey_references() -> None:
    (axes,) = figures.comparison({"popularity": {"ndcg@10": 0.1}, "mine": {"ndcg@10": 0.25}}, "ndcg@10").axes
    bars: Any = axes.patches
    assert [bar.get_width() for bar in bars] == [0.1, 0.25]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["popularity", "mine"]
    assert [text.get_text() for text in axes.texts] == ["0.1000", "0.2500"]
    grey, blue = (bar.get_facecolor() for bar in axes.patches)
    assert grey != blue


def test_slices_have_a_panel_each_and_say_how_many_users() -> None:
    length, popularity = figures.slices(PARTS, "ndcg@10").axes
    bars: Any = length.patches
    assert [bar.get_height() for bar in bars] == [0.2, 0.4]
    assert [label.get_text() for label in length.get_xticklabels()] == ["3-5\n1,200 users", "6-9\n7 users"]
    assert (length.get_xlabel(), popularity.get_xlabel()) == ("history length", "target popularity")


def test_slices_show_their_values_and_those_of_the_references() -> None:
    references = {"popularity": [part | {"ndcg@10": part["ndcg@10"] / 2} for part in PARTS]}
    length, popularity = figures.slices(PARTS, "ndcg@10", references=references).axes
    assert [text.get_text() for text in length.texts] == ["0.2000", "0.4000"]
    assert [text.get_text() for text in popularity.texts] == ["0.3000"]
    (line,) = length.lines
    assert (line.get_label(), np.asarray(line.get_ydata()).tolist()) == ("popularity", [0.1, 0.2])
    assert popularity.get_xticklabels()[0].get_text() == "2\n1,207 users"  # one value is no range


def test_saving_writes_the_format_of_the_suffix(tmp_path: Path) -> None:
    figures.save(figures.curves(ROWS, "ndcg@10"), tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    figures.save(figures.curves(ROWS, "ndcg@10"), tmp_path / "curves.svg")
    assert "<svg" in (tmp_path / "curves.svg").read_text()


@pytest.mark.parametrize("form", ["png", "svg"])
@pytest.mark.parametrize("limit", [0, 3000])
def test_a_full_disk_leaves_the_picture_before(tmp_path: Path, form: str, limit: int) -> None:
    path = tmp_path / f"curves.{form}"
    path.write_text("the one before")
    with full_disk(limit), pytest.raises(OSError) as error:
        figures.save(figures.curves(ROWS, "ndcg@10"), path)
    assert error.value.filename == str(path)
    assert path.read_text() == "the one before" and list(tmp_path.iterdir()) == [path]
    figures.save(figures.curves(ROWS, "ndcg@10"), path)
    assert path.stat().st_size > 5000
