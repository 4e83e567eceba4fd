"""The pictures of a run show the numbers that they are made of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from seqrec.reporting import figures

ROWS = [
    {"epoch": 1.0, "train/loss": 3.0, "train/contrast": 1.0, "val/ndcg@10": 0.1},
    {"epoch": 2.0, "train/loss": 2.0, "train/contrast": 0.5, "val/ndcg@10": 0.3},
    {"epoch": 3.0, "train/loss": 1.5, "train/contrast": 0.4, "val/ndcg@10": 0.2},
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
    assert [text.get_text() for text in right.texts] == ["0.3000"]


def test_the_comparison_has_a_bar_a_model_with_its_value_and_grey_references() -> None:
    (axes,) = figures.comparison({"popularity": {"ndcg@10": 0.1}, "mine": {"ndcg@10": 0.25}}, "ndcg@10").axes
    bars: Any = axes.patches
    assert [bar.get_width() for bar in bars] == [0.1, 0.25]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["popularity", "mine"]
    assert [text.get_text() for text in axes.texts] == ["0.1000", "0.2500"]
    grey, blue = (bar.get_facecolor() for bar in axes.patches)
    assert grey != blue


def test_slices_have_a_panel_each_and_say_how_many_users() -> None:
    parts = [
        {"by": "history_length", "from": 3, "to": 5, "users": 1200, "ndcg@10": 0.2},
        {"by": "history_length", "from": 6, "to": 9, "users": 7, "ndcg@10": 0.4},
        {"by": "target_popularity", "from": 1, "to": 2, "users": 1207, "ndcg@10": 0.3},
    ]
    length, popularity = figures.slices(parts, "ndcg@10").axes
    bars: Any = length.patches
    assert [bar.get_height() for bar in bars] == [0.2, 0.4]
    assert [label.get_text() for label in length.get_xticklabels()] == ["3-5\n1,200 users", "6-9\n7 users"]
    assert (length.get_xlabel(), popularity.get_xlabel()) == ("history length", "target popularity")


def test_saving_writes_the_format_of_the_suffix(tmp_path: Path) -> None:
    figures.save(figures.curves(ROWS, "ndcg@10"), tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    figures.save(figures.curves(ROWS, "ndcg@10"), tmp_path / "curves.svg")
    assert "<svg" in (tmp_path / "curves.svg").read_text()
