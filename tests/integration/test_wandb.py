"""Weights & Biases, offline: the run's files hold what the dashboard would show."""

from __future__ import annotations

import json
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from seqrec.training.fit import Fitted
from tests.integration.running import Run, folders

wandb = pytest.importorskip("wandb")


def records(file: Path) -> Iterator[Any]:
    """The records of an offline run, in order: a LevelDB log after 7 bytes of its own."""
    from wandb.proto.wandb_internal_pb2 import Record  # type: ignore[attr-defined]

    content, place, block = file.read_bytes(), 7, 1 << 15
    whole = b""
    while place + 7 <= len(content):
        if block - place % block < 7:  # no room for a header: padding
            place += block - place % block
            continue
        size, kind = struct.unpack_from("<HB", content, place + 4)
        if place + 7 + size > len(content):  # still being written
            return
        whole += content[place + 7 : place + 7 + size]
        place += 7 + size
        if kind in (1, 4):  # a full record, or the last part of one
            yield Record.FromString(whole)
            whole = b""


def finished(offline: Path) -> list[Any]:
    """All records of a run; its writer is a process of its own, which may end a little after the run."""
    (file,) = offline.glob("*.wandb")
    for _ in range(300):
        found = list(records(file))
        if any(record.WhichOneof("record_type") == "exit" for record in found):
            return found
        time.sleep(0.1)
    raise AssertionError(f"{file} was never finished")


def offline_runs(folder: Path) -> list[Path]:
    return sorted(folder.glob("wandb/offline-run-*"))


@pytest.fixture(scope="module")
def folder(run: Run) -> Path:
    return run("logger=wandb", "trainer.max_epochs=2")


@pytest.fixture(scope="module", autouse=True)
def others_are_undrawn(folder: Path, request: pytest.FixtureRequest) -> None:
    """One run's pictures are looked at."""
    request.getfixturevalue("undrawn")


def test_config_curves_and_results_are_sent(folder: Path) -> None:
    (offline,) = offline_runs(folder)
    config: dict[str, Any] = {}
    curves: dict[str, list[Any]] = {}
    for record in finished(offline):
        for update in (*record.run.config.update, *record.config.update):
            config[update.key or update.nested_key[0]] = json.loads(update.value_json)
        for item in record.history.item:
            curves.setdefault(item.key or "/".join(item.nested_key), []).append(json.loads(item.value_json))
    assert config["seed"] == 0
    assert config["model"]["backbone"]["dim"] == 16
    assert len(curves["val/ndcg@10"]) == 2
    assert len(curves["train/loss"]) == 2
    metrics = json.loads((folder / "metrics.json").read_text())
    assert curves["test/ndcg@10"] == [metrics["test"]["ndcg@10"]]
    assert curves["slices/_type"] == ["table-file"]


def sent(offline: Path) -> tuple[Any, dict[str, list[Any]], dict[str, Any]]:
    """The run's own record, all points by name, and the last values of the summary."""
    run: Any = None
    curves: dict[str, list[Any]] = {}
    summary: dict[str, Any] = {}
    for record in finished(offline):
        run = record.run if record.WhichOneof("record_type") == "run" else run
        for item in record.history.item:
            curves.setdefault(item.key or "/".join(item.nested_key), []).append(json.loads(item.value_json))
        for update in record.summary.update:
            summary[update.key or "/".join(update.nested_key)] = json.loads(update.value_json)
    return run, curves, summary


def test_epochs_count_from_one_and_metrics_are_over_epochs(folder: Path) -> None:
    (offline,) = offline_runs(folder)
    _, curves, _ = sent(offline)
    assert sorted(set(curves["epoch"])) == [1, 2]
    metrics = {
        (record.metric.name or record.metric.glob_name): record.metric
        for record in finished(offline)
        if record.WhichOneof("record_type") == "metric"
    }
    assert metrics["val/*"].step_metric == metrics["train/*"].step_metric == "epoch"
    assert metrics["val/ndcg@10"].step_metric == "epoch" and metrics["val/ndcg@10"].summary.max


def test_the_summary_holds_the_best_epoch_references_and_the_card(folder: Path) -> None:
    (offline,) = offline_runs(folder)
    _, _, summary = sent(offline)
    metrics = json.loads((folder / "metrics.json").read_text())
    assert summary["best_epoch"] == metrics["best_epoch"]
    assert summary["best/ndcg@10"] == metrics["val"]["ndcg@10"]
    keys = [[*(u.nested_key or [u.key])] for record in finished(offline) for u in record.summary.update]
    assert ["best/ndcg@10"] in keys, "the metric of conf/wandb: one name, not a part of another"
    assert summary["references/popularity/mrr"] == metrics["references"]["popularity"]["mrr"]
    config: dict[str, Any] = {}
    for record in finished(offline):
        for update in record.config.update:
            config[update.key or update.nested_key[0]] = json.loads(update.value_json)
    assert config["card"] == json.loads((folder / "protocol.json").read_text())


def test_the_result_stands_below_what_wandb_says(
    run: Run, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    finish = wandb.sdk.wandb_run.Run.finish

    def closing(self: Any, *arguments: Any, **options: Any) -> None:
        finish(self, *arguments, **options)
        print("closed", flush=True)

    monkeypatch.setattr(wandb.sdk.wandb_run.Run, "finish", closing)
    run("logger=wandb", "trainer.max_epochs=1", "seed=4")
    said = capfd.readouterr()
    assert "anonymous" not in said.out + said.err
    assert -1 < said.out.find("closed") < said.out.find("test split")


def test_steps_and_costs_are_sent(run: Run) -> None:
    batches = ["data.batch_size=16", "callbacks.step_log.every_n_steps=5"]
    (offline,) = offline_runs(run("logger=wandb", "trainer.max_epochs=1", *batches))
    _, curves, _ = sent(offline)
    steps = len(curves["step/loss"])
    assert steps > 1 and len(curves["step/lr"]) == len(curves["step/grad_norm"]) == steps
    assert all(norm > 0 for norm in curves["step/grad_norm"])
    for name in ("examples_per_second", "train_seconds", "val_seconds", "peak_memory_mb"):
        assert len(curves[f"cost/{name}"]) == 1 and curves[f"cost/{name}"][0] > 0


def test_a_resumed_run_goes_on_as_the_same_run_under_its_own_name(run: Run) -> None:
    folder = run("logger=wandb", "trainer.max_epochs=1", "seed=3")
    run(f"resume={folder}", "trainer.max_epochs=2", "logger=wandb")  # without the model's name
    first, second = (sent(offline) for offline in offline_runs(folder))
    assert first[0].run_id == second[0].run_id == (folder / "wandb_id").read_text().strip()
    for record, _, _ in (first, second):
        assert (record.display_name, record.run_group) == ("sasrec-synthetic-s3", "sasrec-synthetic")
        assert list(record.tags) == ["sasrec", "synthetic", "all_items"]
    assert set(first[1]["epoch"]) == {1} and 2 in second[1]["epoch"]


def test_without_a_key_there_is_one_line(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(**_: Any) -> None:
        raise wandb.errors.UsageError("api_key not configured (no-tty). call wandb.login(key=[your_api_key])")

    monkeypatch.setattr(wandb, "init", refuse)
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
    with pytest.raises(SystemExit) as end:
        run("logger=wandb", "trainer.max_epochs=1")
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert end.value.code == 2 and "api_key not configured" in line and "WANDB_MODE=offline" in line


def test_plots_and_slices_are_sent(folder: Path) -> None:
    (offline,) = offline_runs(folder)
    media = [path.relative_to(offline / "files" / "media").as_posix() for path in offline.glob("files/media/**/*.*")]
    for picture in ("curves", "comparison", "slices"):
        assert [name for name in media if name.startswith(f"images/plots/{picture}") and name.endswith(".png")], media
    assert {"epochs", "comparison"} <= {name.removeprefix("table/").partition("_")[0] for name in media}
    (table,) = [name for name in media if name.startswith("table/slices")]
    content = json.loads((offline / "files" / "media" / table).read_text())
    parts = json.loads((folder / "metrics.json").read_text())["slices"]
    assert content["columns"] == list(parts[0])
    assert content["data"] == [list(part.values()) for part in parts]


def test_the_run_is_finished_when_training_fails(run: Run, workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("no space left")

    monkeypatch.setattr(Fitted, "evaluate", broken)
    before = folders(workplace)
    with pytest.raises(Exception, match="no space left"):
        run("logger=wandb", "trainer.max_epochs=1")
    assert wandb.run is None
    (folder,) = folders(workplace) - before
    (offline,) = offline_runs(folder)
    ends = [record.exit.exit_code for record in finished(offline) if record.WhichOneof("record_type") == "exit"]
    assert len(ends) == 1
    assert ends[0] != 0  # the dashboard shows a crash, not a success


@pytest.mark.thorough
@pytest.mark.usefixtures("quick_jobs")
def test_jobs_of_a_sweep_are_runs_of_their_own(run: Run) -> None:
    sweep = run("-m", "logger=wandb", "seed=0,1", "trainer.max_epochs=1")
    names = {offline.name for number in "01" for offline in offline_runs(sweep / number)}
    assert len(names) == 2
