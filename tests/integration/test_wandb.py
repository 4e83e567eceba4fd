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


def test_plots_and_slices_are_sent(folder: Path) -> None:
    (offline,) = offline_runs(folder)
    media = [path.relative_to(offline / "files" / "media").as_posix() for path in offline.glob("files/media/**/*.*")]
    for picture in ("curves", "comparison", "slices"):
        assert [name for name in media if name.startswith(f"images/plots/{picture}") and name.endswith(".png")], media
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


def test_jobs_of_a_sweep_are_runs_of_their_own(run: Run) -> None:
    sweep = run("-m", "logger=wandb", "seed=0,1", "trainer.max_epochs=1")
    names = {offline.name for number in "01" for offline in offline_runs(sweep / number)}
    assert len(names) == 2
