"""task=predict: files in, files out, the same lists as the API, and nothing half-written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import seqrec
from seqrec.serving.frames import FrameModel
from seqrec.serving.outputs import Output
from tests.integration.running import main_here

HISTORIES: dict[str, list[Any]] = {
    "u1": [3, 5, 9],
    "u2": [7],
    "stranger": ["nobody", 4, "no one"],
    "new": ["nobody"],
    "u5": list(range(1, 12)),
}
LOG = "user,item,time\nu2,7,1\nu1,5,20\nu1,3,10\nnew,nobody,5\nu1,9,30\n"
Predict = Callable[..., Path]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that costs little: its lists follow from the newest item."""
    place = tmp_path_factory.mktemp("run")
    data = ["data=synthetic", "data.num_users=100", "data.num_items=40", f"data.cache_dir={place / 'cache'}"]
    main_here(place, "model=markov", "trainer=cpu", *data, f"hydra.run.dir={place / 'run'}")
    return place / "run"


@pytest.fixture(scope="module")
def rec(run: Path) -> FrameModel:
    model: FrameModel = seqrec.load(run)
    return model


@pytest.fixture
def predict(run: Path, tmp_path: Path) -> Predict:
    """``predict(input, output, *overrides)`` gives the path of the output."""

    def call(source: str, output: str, *overrides: str) -> Path:
        words = [f"task.run={run}", f"task.input={source}", f"task.output={output}", *overrides]
        main_here(tmp_path, "task=predict", *words)
        return tmp_path / output

    return call


def read_csv(path: Path) -> pl.DataFrame:
    return pl.read_csv(path, schema_overrides={"item": pl.String})


def nested(path: Path) -> pl.DataFrame:
    texts = [[str(item) for item in items] for items in HISTORIES.values()]
    table = pl.DataFrame({"user": list(HISTORIES), "item": texts})
    table.write_parquet(path) if path.suffix == ".parquet" else table.write_ndjson(path)
    return table


def test_lists_equal_those_of_the_api(predict: Predict, rec: FrameModel, tmp_path: Path, capsys: Any) -> None:
    table = nested(tmp_path / "users.parquet")
    before = {path.name for path in tmp_path.iterdir()}
    expected = rec.recommend(list(HISTORIES.values()), 4)
    long = pl.read_parquet(predict("users.parquet", "recs.parquet", "task.k=4", "task.part_users=2"))
    assert long.columns == ["user", "item", "score", "rank"] and long["item"].dtype == pl.String
    lists = long.group_by("user", maintain_order=True).agg("item", "rank")
    assert lists["user"].to_list() == list(HISTORIES)
    assert lists["item"].to_list() == expected.items == rec.recommend(table, 4).items
    assert lists["rank"].to_list() == [[1, 2, 3, 4]] * 5
    assert {path.name for path in tmp_path.iterdir()} - before == {"recs.parquet"}  # no folder of a run, no log
    said = " ".join(capsys.readouterr().out.split())
    assert "5 lists of 4 items in recs.parquet 3 unknown items" in said
    assert "1 histories have no known item" in said and "0 lists are shorter" in said


def test_all_formats_say_the_same(predict: Predict, rec: FrameModel, tmp_path: Path) -> None:
    nested(tmp_path / "users.parquet")
    nested(tmp_path / "users.jsonl")
    expected = rec.recommend(list(HISTORIES.values()), 3).items
    for source in ("users.parquet", "users.jsonl"):
        rows = [json.loads(line) for line in predict(source, "recs.jsonl", "task.k=3").read_text().splitlines()]
        assert [(row["user"], row["items"]) for row in rows] == list(zip(HISTORIES, expected, strict=True))
        assert all(len(row["scores"]) == 3 for row in rows)
    table = read_csv(predict("users.jsonl", "recs.csv", "task.k=3", "task.part_users=2"))
    assert table["item"].to_list() == [item for row in expected for item in row]
    lists = pl.read_parquet(predict("users.jsonl", "lists.parquet", "task.k=3", "task.form=nested"))
    assert lists["items"].to_list() == expected


def test_logs_are_read_as_training_reads_them(predict: Predict, rec: FrameModel, tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(LOG)
    (tmp_path / "other.csv").write_text(LOG.replace("user,item,time", "who;what;when").replace(",", ";"))
    lines = [dict(zip(("user", "item", "time"), line.split(","), strict=True)) for line in LOG.splitlines()[1:]]
    (tmp_path / "log.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    pl.read_csv(tmp_path / "log.csv").write_parquet(tmp_path / "log.parquet")
    renamed = ["task.columns.user=who", "task.columns.item=what", "task.columns.time=when"]
    by_time = rec.recommend([[7], [3, 5, 9], ["nobody"]], 2).items
    for source, options in (("log.csv", []), ("log.jsonl", []), ("log.parquet", []), ("other.csv", renamed)):
        table = read_csv(predict(source, "recs.csv", "task.k=2", *options))
        assert table["user"].to_list() == ["u2", "u2", "u1", "u1", "new", "new"]
        assert table["item"].to_list() == [item for row in by_time for item in row]
    in_order = read_csv(predict("log.csv", "recs.csv", "task.k=2", "task.columns.time=null"))
    assert in_order["item"].to_list()[2:4] == rec.recommend([[5, 3, 9]], 2).items[0]
    (tmp_path / "sequences.txt").write_text("11 3 5 9\n4 7\n")
    table = read_csv(predict("sequences.txt", "recs.csv", "task.k=2"))
    assert table["user"].to_list() == [11, 11, 4, 4]
    assert table["item"].to_list() == [item for row in rec.recommend([[3, 5, 9], [7]], 2).items for item in row]


def test_options_are_those_of_the_api(predict: Predict, rec: FrameModel, tmp_path: Path) -> None:
    nested(tmp_path / "users.jsonl")
    options = ["task.seen=remove", "task.block=[1,2]", "task.allow=[1,2,3,4,5,6]", "task.k=5"]
    expected = rec.recommend(list(HISTORIES.values()), 5, seen="remove", block=[1, 2], allow=range(1, 7))
    table = pl.read_parquet(predict("users.jsonl", "recs.parquet", *options, "task.form=nested"))
    assert table["items"].to_list() == expected.items
    assert expected.counts["short_lists"] == 5


@pytest.mark.parametrize("output", ["recs.parquet", "recs.csv", "recs.jsonl"])
def test_a_killed_job_goes_on_and_gives_the_same_bytes(
    predict: Predict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: str
) -> None:
    nested(tmp_path / "users.jsonl")
    options = ["task.k=4", "task.part_users=1"]
    whole = predict("users.jsonl", output, *options).read_bytes()
    (tmp_path / output).unlink()
    write, written = Output.write, []

    def killed_at_third(self: Output, number: int, *rest: Any) -> None:
        if number == 2:
            (self.parts / f"part-00002.{self.kind}.partial").write_bytes(whole[:10])
            raise KeyboardInterrupt
        written.append(number)
        write(self, number, *rest)

    monkeypatch.setattr(Output, "write", killed_at_third)
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        predict("users.jsonl", output, *options)
    assert not (tmp_path / output).exists() and written == [0, 1]

    def noted(self: Output, number: int, *rest: Any) -> None:
        written.append(number)
        write(self, number, *rest)

    monkeypatch.setattr(Output, "write", noted)
    assert predict("users.jsonl", output, *options).read_bytes() == whole
    assert written == [0, 1, 2, 3, 4]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["users.jsonl", output])


def test_parts_of_another_request_are_made_anew(
    predict: Predict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nested(tmp_path / "users.jsonl")
    with monkeypatch.context() as patch:
        patch.setattr(Output, "join", lambda self, number: None)  # as if killed just before
        predict("users.jsonl", "recs.csv", "task.k=4", "task.part_users=2")
    assert len(list((tmp_path / "recs.csv.parts").iterdir())) == 1 + 2 * 3
    again = predict("users.jsonl", "recs.csv", "task.k=3", "task.part_users=2")
    assert pl.read_csv(again)["rank"].max() == 3
    with monkeypatch.context() as patch:
        patch.setattr(Output, "join", lambda self, number: None)
        predict("users.jsonl", "recs.csv", "task.k=3", "task.part_users=2")
    lines = (tmp_path / "users.jsonl").read_text().splitlines()
    (tmp_path / "users.jsonl").write_text("\n".join(lines[:2]) + "\n")
    assert read_csv(predict("users.jsonl", "recs.csv", "task.k=3", "task.part_users=2"))["user"].n_unique() == 2


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        ("none.csv", [], "none.csv: no such file"),
        ("log.csv", ["task.output=recs.xlsx"], "must end in .parquet, .csv, .jsonl"),
        ("log.csv", ["task.output=nowhere/recs.csv"], "nowhere is no folder"),
        ("log.csv", ["task.output=recs.csv", "task.form=nested"], "a .csv file can be long"),
        ("log.csv", ["task.run=."], "holds no finished run"),
        ("log.csv", ["task.k=0"], "k is 0; ask for a whole number"),
        ("log.csv", ["task.seen=never"], "seen is 'never'; choose keep, remove or as_evaluated"),
        ("log.csv", ["task.index=hnsw"], "index is 'hnsw'; choose exact, int8 or ivf"),
        ("log.csv", ["task.index=int8"], "Markov scores by counts and has no vectors of items"),
        ("log.csv", ["task.part_users=0"], "task.part_users is 0"),
        ("log.csv", ["task.unknown=error"], "is unknown to markov"),
        ("log.csv", ["task.empty=error"], "markov knows nothing in histories"),
        ("log.csv", ["task.columns.item=what"], "column `what` is missing"),
        ("log.csv", ["task.read.format=lists"], "is not one of table, sequences"),
        ("log.csv", ["data=beauty"], "what task=predict opens has its own data; leave it out"),
        ("log.csv", ["+trainer.x=1"], "what task=predict opens has its own trainer"),
        ("log.csv", ["model.dim=3"], "model.dim=3: what task=predict opens has its own model"),
        ("log.csv", ["task.kk=3"], "task has no key 'kk'"),
        ("gap.csv", [], "gap.csv: line 2, column `item` has no value; each row needs one (rows without: 1; task.read"),
        ("bad.jsonl", [], "bad.jsonl: line 2: an object with 'user' and a list 'item' is expected"),
        ("torn.parquet", [], "torn.parquet: not a parquet file"),
        ("empty.csv", [], "empty.csv: the file is empty"),
        ("binary.txt", [], "binary.txt"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line_and_leaves_nothing(
    predict: Predict, tmp_path: Path, source: str, options: list[str], message: str,
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
    (tmp_path / "log.csv").write_text(LOG)
    (tmp_path / "gap.csv").write_text("user,item,time\nu,,1\n")
    (tmp_path / "bad.jsonl").write_text('{"user": "a", "item": ["1"]}\n{"user": "b", "item": "1"}\n')
    (tmp_path / "torn.parquet").write_bytes(b"PAR1 and no more")
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "binary.txt").write_bytes(bytes(range(256)))
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(SystemExit) as stop:
        predict(source, "recs.parquet", *options)
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1 and message in error
    assert sorted(tmp_path.rglob("*")) == before


def test_an_empty_list_of_users_gives_an_empty_file(predict: Predict, tmp_path: Path) -> None:
    pl.DataFrame(schema={"user": pl.String, "item": pl.List(pl.String)}).write_parquet(tmp_path / "users.parquet")
    table = pl.read_parquet(predict("users.parquet", "recs.parquet"))
    assert table.columns == ["user", "item", "score", "rank"] and table.is_empty()
    assert predict("users.parquet", "recs.csv").read_text() == "user,item,score,rank\n"


def test_what_is_in_the_way_stays(predict: Predict, tmp_path: Path) -> None:
    nested(tmp_path / "users.jsonl")
    mine = tmp_path / "recs.csv.parts" / "mine.txt"
    mine.parent.mkdir()
    mine.write_text("mine")
    with pytest.raises(ValueError, match=r"recs.csv.parts is in the way"):
        predict("users.jsonl", "recs.csv")
    assert mine.read_text() == "mine"


def test_two_jobs_do_not_write_the_same_file(
    predict: Predict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    nested(tmp_path / "users.jsonl")
    with Output(tmp_path / "recs.csv", None).alone():
        monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
        with pytest.raises(SystemExit) as stop:
            predict("users.jsonl", "recs.csv")
        error = capsys.readouterr().err
        assert stop.value.code == 2 and error.count("\n") == 1
        assert error.startswith("error: another process is writing recs.csv; wait for its end, or give")
        assert predict("users.jsonl", "others.csv").exists()
    assert predict("users.jsonl", "recs.csv").read_bytes() == (tmp_path / "others.csv").read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"users.jsonl", "recs.csv", "others.csv"}
