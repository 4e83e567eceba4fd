"""The commands of bundles, as a user gives them, and the script of the page about them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

import seqrec
from seqrec.tasks.export import read_names
from tests.export.conftest import Bundles
from tests.inference.conftest import Finished
from tests.integration.running import main_here

SCRIPT = Path(__file__).parents[2] / "docs" / "examples" / "bundle_on_a_device.py"


@pytest.mark.thorough
def test_a_run_is_exported_and_timed(
    finished: dict[str, Finished], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, names = finished["gru4rec"].folder, tmp_path / "names.csv"
    pl.DataFrame({"item": [1, 2], "name": ["One, first", "Two"]}).write_csv(names)
    for quant in ("none", "int8"):
        words = [f"task.run={run}", f"task.output={quant}", f"task.quant={quant}", f"task.names={names}"]
        main_here(tmp_path, "task=export", *words)
    said = capsys.readouterr().out
    assert "100.0% of 200 are those of the run" in said and "python recommend.py --history" in said
    ids, called = (json.loads((tmp_path / "int8" / name).read_text()) for name in ("ids.json", "names.json"))
    called = dict(zip(ids, called, strict=True))
    assert called["1"] == "One, first" and called["2"] == "Two" and called["3"] is None
    assert {path.name for path in tmp_path.iterdir()} == {"none", "int8", "names.csv"}
    words = [f"task.run={run}", "task.bundles=[none,int8]", "task.output=cost.json", "task.quality_users=50"]
    main_here(tmp_path, "task=bench_bundle", *words)
    said = capsys.readouterr().out
    result = json.loads((tmp_path / "cost.json").read_text())
    assert set(result["cpu_ms"]) == set(result["quality"]) == {"PyTorch", "none", "int8"}
    assert result["quality"]["none"]["ratio"] == 1 and result["quality"]["none"]["overlap"] == 1
    assert 0.8 < result["quality"]["int8"]["overlap"] <= 1 and result["quality"]["int8"]["users"] == 50
    assert result["bytes"]["int8"] < result["bytes"]["none"]
    assert 0 < result["first_answer"]["int8"]["cpu_seconds"] < 10
    assert all(name in said for name in ("PyTorch", "none", "int8", "NDCG@10", "100.0%"))


def test_what_cannot_be_exported_is_said_in_one_line(
    finished: dict[str, Finished], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
    counting = finished["popularity"].folder
    for words, message in (
        (["task.run=nowhere"], "nowhere holds no finished run"),
        ([f"task.run={counting}"], "Popularity counts and has no vectors"),
        ([f"task.run={counting}", "task.quant=int4"], "quant is 'int4'; choose none or int8"),
        ([f"task.run={counting}", "task.names=names.txt"], "give a table that ends in .csv, .jsonl, .parquet"),
    ):
        with pytest.raises(SystemExit) as ended:
            main_here(tmp_path, "task=export", "task.output=bundle", *words)
        said = capsys.readouterr().err
        assert ended.value.code == 2 and said.startswith("error: ") and message in said and said.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_names_come_from_a_table(tmp_path: Path) -> None:
    table = pl.DataFrame({"item": ["a", "b"], "name": ["A", None]})
    table.write_parquet(tmp_path / "names.parquet")
    table.write_ndjson(tmp_path / "names.jsonl")
    assert read_names(tmp_path / "names.parquet") == read_names(tmp_path / "names.jsonl") == {"a": "A"}
    table.rename({"name": "title"}).write_csv(tmp_path / "names.csv")
    with pytest.raises(ValueError, match="has the columns item, title; it needs item and name"):
        read_names(tmp_path / "names.csv")
    (tmp_path / "names.parquet").write_bytes(b"no table")
    with pytest.raises(ValueError, match="cannot be read"):
        read_names(tmp_path / "names.parquet")


def test_the_script_of_the_page_runs(bundles: Bundles, tmp_path: Path) -> None:
    """In a folder without seqrec."""
    shutil.copy(SCRIPT, tmp_path)
    folder = bundles["gru4rec", "none"]
    done = subprocess.run(
        [sys.executable, "-I", SCRIPT.name, str(folder)], cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    rec = seqrec.load(folder)
    later = rec.recommend([rec.items.raw[:4]], 5).items[0]
    assert f"later  {later}" in done.stdout and "left out: 1 unknown" in done.stdout
