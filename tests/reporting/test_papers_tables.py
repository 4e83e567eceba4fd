"""Runs belong to cells by their configuration; verdicts say what they gave."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from seqrec.reporting.pages import ROOT, in_step
from seqrec.reporting.papers import page, written
from seqrec.reporting.papers.asked import Asked
from seqrec.reporting.papers.cells import BEST, SECOND, ranked, verdict
from seqrec.reporting.papers.drawn import drawn
from seqrec.reporting.papers.look_up import Found, look_up
from seqrec.reporting.papers.paired import all_below, gains, p_value
from seqrec.reporting.papers.published import Published, load
from seqrec.reporting.papers.written import Written
from seqrec.runs.folder import PER_USER
from seqrec.runs.found import finished
from seqrec.runs.kept import read_run

KEPT = ROOT / "docs" / "runs" / "beauty-fenrec" / "fenrec"


def ranks(folder: Path, users: list[str], rank: list[float]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    pl.DataFrame({"user": users, "rank": rank}).write_parquet(folder / PER_USER)
    return folder


def test_users_gain_the_mean_over_seeds(tmp_path: Path) -> None:
    folders = [ranks(tmp_path / "0", ["a", "b"], [1, 3]), ranks(tmp_path / "1", ["b", "a"], [30, 12])]
    table = gains(folders, "ndcg@20")
    assert table is not None
    assert dict(table.rows()) == pytest.approx({"a": (1 + 1 / np.log2(13)) / 2, "b": 0.25}, abs=1e-6)
    table = gains(folders, "recall@10")
    assert table is not None and dict(table.rows()) == {"a": 0.5, "b": 0.5}
    assert gains([*folders, tmp_path], "recall@10") is None


def test_p_values_are_those_of_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")
    random = np.random.default_rng(0)
    users = list(range(3000))
    one, other = random.random(3000), random.random(3000)
    for shift in (0.0, 0.01, 0.03):
        tables = [pl.DataFrame({"user": users, "gain": gain}) for gain in (one + shift, other)]
        expected = stats.ttest_rel(one + shift, other).pvalue
        assert p_value(tables[0], tables[1].sample(fraction=1, shuffle=True, seed=1)) == pytest.approx(
            expected, abs=1e-3
        )
    assert p_value(tables[0], tables[0]) == 1.0


def test_holm() -> None:
    assert all_below([0.01, 0.04, 0.02]) and all_below([0.016, 0.05, 0.025])
    assert not all_below([0.017, 0.05, 0.025]) and not all_below([0.01, 0.06]) and not all_below([])


def made(folder: Path, configured: bool = True, **changes: Any) -> Path:
    """A finished run on Beauty: FENRec's kept one, changed in its card; with a configuration beside it or without."""
    folder.mkdir(parents=True)
    card = json.loads((KEPT / "protocol.json").read_text()) | changes
    (folder / "protocol.json").write_text(json.dumps(card))
    for name in ("log.csv", "metrics.json"):
        (folder / name).write_bytes((KEPT / name).read_bytes())
    if configured:
        (folder / "config.yaml").write_text("seed: 0\n")
    return folder


def scored(folder: Path, metric: str, value: float) -> None:
    path = folder / "metrics.json"
    content = json.loads(path.read_text())
    content["test"][metric] = value
    path.write_text(json.dumps(content))


def table_of(*rows: str) -> Published:
    return load("fenrec", "1").only(["beauty"], rows, ["ndcg@20"])


def found(root: Path, table: Published, seeds: tuple[int, ...] = (0, 1), shared: tuple[str, ...] = ()) -> Found:
    """Runs belong to the model that their folder is named by."""

    def belongs(arguments: Any, folder: Path) -> bool:
        return f"model={folder.parent.name}" in arguments

    return look_up(Asked(table, seeds, shared), finished([root]), belongs, lambda *_: None)


def test_a_cell_is_the_mean_of_its_seeds(tmp_path: Path) -> None:
    for seed, value in ((0, 0.07), (1, 0.08), (7, 0.5)):
        scored(made(tmp_path / "fenrec" / str(seed), seed=seed), "ndcg@20", value)
    cells = found(tmp_path, table_of("mvs", "fenrec"), (0, 1, 2)).cells["beauty"]
    assert [(cell.row.name, len(cell.runs), cell.missing) for cell in cells] == [
        ("mvs", 0, [0, 1, 2]),
        ("fenrec", 2, [2]),
    ]
    mvs, fenrec = cells
    assert (fenrec.value("ndcg@20"), fenrec.deviation("ndcg@20")) == pytest.approx((0.075, 0.005 * 2**0.5))
    assert (fenrec.hours, fenrec.marks, fenrec.command) == (
        pytest.approx(52619.515891396964 / 3600), "", "python main.py paper=fenrec model=fenrec data=beauty seed=2",
    )  # fmt: skip
    assert mvs.command == "python main.py -m paper=fenrec model=mvs data=beauty seed=0,1,2"
    assert (mvs.value("ndcg@20"), mvs.hours) == (None, None)


def test_the_newest_run_of_a_seed_counts(tmp_path: Path) -> None:
    import os

    for name, value, time in (("old", 0.07, 1), ("new", 0.08, 3), ("middle", 0.06, 2)):
        scored(made(tmp_path / "fenrec" / name), "ndcg@20", value)
        os.utime(tmp_path / "fenrec" / name / "metrics.json", (time, time))
    assert found(tmp_path, table_of("fenrec")).cells["beauty"][0].value("ndcg@20") == 0.08


def test_verdicts() -> None:
    table = table_of("fenrec", "mvs")  # prints 0.0702
    cell = found(KEPT.parent, table).cells["beauty"][0]
    ours = cell.value("ndcg@20")
    assert ours is not None
    judged = verdict(cell, table, "ndcg@20", 0.05)
    assert judged is not None
    assert (judged.difference, judged.relative, judged.words) == (ours - 0.0702, (ours - 0.0702) / 0.0702, "pass")
    strict = verdict(cell, table, "ndcg@20", 0.001)
    assert strict is not None and strict.words == "fail below"
    above = verdict(cell, replace(table, values={"beauty": {"fenrec": [0.01] * 6}}), "ndcg@20", 0.05)
    assert above is not None and above.words == "fail above"
    assert verdict(cell, table, "ndcg@20", None) is None


def test_kept_runs_are_known_by_their_commands() -> None:
    """† no configuration, § asked for something else, ‡ code that was changed after its commit."""
    cells = {cell.row.name: cell for cell in found(KEPT.parent, load("fenrec", "1").only(["beauty"])).cells["beauty"]}
    marks = {name: cell.marks for name, cell in cells.items()}
    assert {name: marks[name] for name in ("fenrec", "icsrec", "mvs", "sasrec", "duorec")} == {
        "fenrec": "†", "icsrec": "†§", "mvs": "†§‡", "sasrec": "", "duorec": "",
    }  # fmt: skip
    assert cells["icsrec"].other == ["trainer.max_epochs=400", "without paper=fenrec"]
    assert "trainer=cpu" in read_run(KEPT.parent / "gru4rec").command
    assert cells["gru4rec"].other == ["without paper=fenrec"]
    board = found(KEPT.parent, load("recboard", "1").only(["beauty"])).cells["beauty"]
    assert {cell.row.name: cell.marks for cell in board}["bpr"] == "†§"  # it was validated every ten epochs
    judged = verdict(cells["mvs"], load("fenrec", "1"), "ndcg@20", 0.05)
    assert judged is not None and judged.words == "not judged"
    assert all(cell.missing == [0, 1] for cell in cells.values()), "they are to be made anew"


def test_an_ablation_is_not_its_model(tmp_path: Path) -> None:
    command = "python main.py paper=fenrec model=fenrec data=beauty"
    made(tmp_path / "whole", configured=False, command=command)
    made(tmp_path / "part", configured=False, command=f"{command} +ablation=fenrec/no_soft_labels")
    cells = found(tmp_path, load("fenrec", "3").only(["beauty"])).cells["beauty"]
    assert [[path.name for path in cell.runs] for cell in cells] == [["whole"], ["part"], []]


def test_what_is_configured_goes_before_what_is_known_by_its_command(tmp_path: Path) -> None:
    made(tmp_path / "kept", configured=False, command="python main.py paper=fenrec model=fenrec data=beauty")
    assert found(tmp_path, table_of("fenrec")).cells["beauty"][0].marks == "†"
    assert not found(tmp_path, table_of("fenrec"), shared=("trainer=gpu",)).cells["beauty"][0].runs
    made(tmp_path / "fenrec" / "0")
    cell = found(tmp_path, table_of("fenrec")).cells["beauty"][0]
    assert (cell.marks, [path.name for path in cell.runs]) == ("", ["0"])


def test_of_runs_known_by_their_commands_the_closest_is_taken(tmp_path: Path) -> None:
    """However old it is: the files of a fresh clone are all of the same age."""
    command = "python main.py paper=fenrec model=fenrec data=beauty"
    made(tmp_path / "close", configured=False, command=f"{command} trainer.max_epochs=9")
    made(tmp_path / "far", configured=False, command=f"{command} trainer.max_epochs=9 trainer.max_time=00:00:02:00")
    for close, far in ((1, 2), (2, 1), (2, 2)):
        for name, age in (("close", close), ("far", far)):
            os.utime(tmp_path / name / "metrics.json", (age, age))
        cell = found(tmp_path, table_of("fenrec")).cells["beauty"][0]
        assert [path.name for path in cell.runs] == ["close"]


@pytest.mark.parametrize("change", [{"evaluated_users": 22362}, {"split": "time"}, {"data": {"name": "beauty"}}])
def test_runs_that_were_judged_otherwise_are_left_out(tmp_path: Path, change: dict[str, Any]) -> None:
    made(tmp_path / "mvs" / "0", model="mvs")
    made(tmp_path / "fenrec" / "0", model="fenrec", **change)
    looked = found(tmp_path, table_of("mvs", "fenrec"))
    assert [len(cell.runs) for cell in looked.cells["beauty"]] == [1, 0]
    assert len(looked.left_out) == 1 and str(tmp_path / "fenrec" / "0") in looked.left_out[0]
    assert next(iter(change)) in looked.left_out[0]


def test_runs_of_another_protocol_or_seed_are_of_no_cell(tmp_path: Path) -> None:
    made(tmp_path / "fenrec" / "0", protocol="all_items")
    made(tmp_path / "fenrec" / "1", seed=5)
    made(tmp_path / "fenrec" / "2", data={"name": "toys"})
    assert not found(tmp_path, table_of("fenrec")).cells["beauty"][0].runs


@pytest.fixture
def compared(tmp_path: Path) -> Found:
    """Three rows with ranks of users: one far ahead, two alike."""
    random = np.random.default_rng(0)
    users = [f"u{number}" for number in range(500)]
    for place, (name, spread) in enumerate({"mvs": 10, "fenrec": 4, "icsrec": 40}.items()):
        folder = made(tmp_path / name / "0", model=name)
        rank = random.integers(1, spread, 500).astype(float)
        ranks(folder, users, list(rank))
        scored(folder, "ndcg@20", float(np.where(rank <= 20, 1 / np.log2(rank + 1), 0).mean()))
        assert place < 3
    return found(tmp_path, table_of("icsrec", "mvs", "fenrec"))


def test_places_are_those_that_users_tell_apart(compared: Found) -> None:
    cells = list(compared.cells["beauty"])
    assert ranked(cells, "ndcg@20") == {"fenrec": BEST, "mvs": SECOND}
    fenrec = next(iter(cells[2].runs))
    ranks(fenrec, *(pl.read_parquet(next(iter(cells[1].runs)) / PER_USER)[name].to_list() for name in ("user", "rank")))
    assert ranked(cells, "ndcg@20") == {}, "two are alike, so none is the best"
    (fenrec / PER_USER).unlink()
    assert ranked(cells, "ndcg@20") == {}


def test_a_table_in_all_its_forms(compared: Found) -> None:
    table = table_of("icsrec", "mvs", "fenrec")
    made_of = Written(table, compared, 0.05)
    cells = {cell.row.name: cell for cell in compared.cells["beauty"]}
    ours = {name: cell.value("ndcg@20") or 0.0 for name, cell in cells.items()}
    text = " ".join(made_of.markdown().split())
    relative = ours["fenrec"] / 0.0702 - 1
    assert f"| **{ours['fenrec']:.4f}** (0.0702, {relative:+.1%}) ✗ |" in text
    assert f"| <u>{ours['mvs']:.4f}</u> (0.0667, " in text and "Bold: better than each other row" in text
    paper = made_of.latex()
    assert f"FENRec & \\textbf{{{ours['fenrec']:.4f}}} \\\\" in paper and "\\scriptsize 0.0702" in paper
    assert f"\\underline{{{ours['mvs']:.4f}}}" in paper and "\\toprule" in paper
    rows = pl.read_csv(made_of.numbers().csv().encode()).to_dicts()
    assert [row["row"] for row in rows] == ["icsrec", "mvs", "fenrec"]
    assert rows[2]["ours"] == ours["fenrec"] and rows[2]["verdict"] == "fail above" and rows[2]["place"] == BEST
    assert rows[2]["printed"] == 0.0702 and rows[2]["difference"] == ours["fenrec"] - 0.0702
    lines = made_of.terminal().text().splitlines()
    assert lines[2].startswith("beauty") and "fail above" in lines[-1] and " best " in lines[-1]


def test_a_table_without_runs(tmp_path: Path) -> None:
    table = table_of("mvs", "fenrec")
    made_of = Written(table, found(tmp_path, table), 0.05)
    assert "– (0.0702)" in made_of.markdown() and "& -- \\\\" in made_of.latex()
    assert "Bold" not in made_of.legend()


def test_names_of_metrics() -> None:
    assert [written._title(name) for name in ("recall@5", "ndcg@20", "mrr")] == ["Recall@5", "NDCG@20", "mrr"]


@pytest.mark.parametrize("name", ["figure_6_gamma", "figure_6"])
def test_a_figure_has_a_point_for_each_option(tmp_path: Path, name: str) -> None:
    table = load("easnrec" if name == "figure_6" else "fenrec", name)
    figure = drawn(table, found(tmp_path, table).cells, table.metrics)
    assert len(figure.axes) == len(table.data) * len(table.metrics)
    labels = [label.get_text() for label in figure.axes[-1].get_xticklabels()]
    assert labels == [str(row.option) for row in table.rows.values()]


def test_a_figure_draws_means(tmp_path: Path) -> None:
    table = load("fenrec", "figure_6_gamma").only(["beauty"])
    for option in (0.1, 0.3):
        scored(made(tmp_path / f"{option}" / "0"), "ndcg@20", option / 10)
    looked = look_up(
        Asked(table, [0]), finished([tmp_path]), lambda words, path: f"model.labels.gamma={path.parent.name}" in words,
        lambda *_: None,
    )  # fmt: skip
    axes = drawn(table, looked.cells, table.metrics).axes[0]
    drawn_values = np.asarray(axes.lines[0].get_ydata(), dtype=float)
    assert drawn_values[[0, 2]].tolist() == pytest.approx([0.01, 0.03]) and np.isnan(drawn_values[[1, 3, 4]]).all()
    assert axes.patches[0].get_extents().transformed(axes.transData.inverted()).x0 == pytest.approx(
        0.7
    )  # grey around 0.2 and 0.3


def test_the_page_is_in_step() -> None:
    text = (ROOT / page.PAGE).read_text(encoding="utf-8")
    same = in_step(text, page.PART, page.MODULE, page.example()) == text
    assert same, f"run: python -m {page.MODULE}"
