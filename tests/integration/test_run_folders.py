"""A run folder is one run: its own name, one process, one configuration, nothing of what was refused."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

import pytest

from seqrec.runs.configuration import configuration_hash
from seqrec.runs.kept import read_run
from seqrec.runs.lock import locked
from tests.integration.comparison import load, metrics
from tests.integration.running import Run, folders, run_here

LOG = "user,item,time\n" + "".join(
    f"u{user},i{(user + place) % 9},{place}\n" for user in range(9) for place in range(8)
)


@pytest.fixture(scope="module")
def first(run: Run) -> Path:
    return run("trainer.max_epochs=2", "seed=5")


def refused(run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line of a run that is refused."""
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
    capsys.readouterr()
    with pytest.raises(SystemExit) as end:
        run(*arguments)
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert end.value.code == 2 and len(errors) == 1
    return errors[0]


def test_a_folder_with_a_run_takes_no_other(
    run: Run, first: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = metrics(first), load(first)["global_step"]
    message = refused(run, monkeypatch, capsys, "seed=6", "trainer.max_epochs=1", f"hydra.run.dir={first}")
    assert "holds a run already; resume=" in message
    assert (metrics(first), load(first)["global_step"]) == before


def test_a_folder_in_which_a_process_works_takes_no_other(
    run: Run, first: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with locked(first):
        assert "another process is training in" in refused(run, monkeypatch, capsys, f"resume={first}")


def test_auto_leaves_other_configurations_alone_and_names_their_keys(
    run: Run, first: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = first / "metrics.json"
    kept = result.read_text()
    result.unlink()
    other = run("seed=5", "resume=auto", "trainer.max_epochs=1", "model.optimizer.lr=0.1")
    assert other != first and not result.exists()
    assert f"{first.name} is unfinished, but another run: model.optimizer.lr" in capsys.readouterr().err
    run("seed=5", "resume=auto")
    assert result.exists() and len(folders(first.parents[2])) > 1
    result.write_text(kept)


def test_results_know_their_configuration(first: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(first, tmp_path / "copy")
    assert read_run(folder).metrics["configuration"] == configuration_hash(folder / "config.yaml")
    text = (folder / "config.yaml").read_text()
    (folder / "config.yaml").write_text(text.replace("seed: 5", "seed: 6"))
    with pytest.raises(ValueError, match="results of another configuration"):
        read_run(folder)


@pytest.mark.parametrize("place", ["nowhere/at/all", "data"])
def test_a_mistyped_folder_leaves_nothing(
    run: Run, tmp_path: Path, place: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "log.csv").write_text(LOG)
    assert place in refused(run, monkeypatch, capsys, f"resume={tmp_path / place}")
    assert [path.name for path in tmp_path.rglob("*")] == ["data", "log.csv"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("data.path=missing.csv", "no such file"),
        ("data.path=wrong.csv", "wrong.csv"),
        ("data.columns.item=product", "product"),
    ],
)
def test_refused_data_leave_nothing(
    tmp_path: Path, wrong: str, message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "log.csv").write_text(LOG)
    (tmp_path / "wrong.csv").write_text(LOG.replace("i3,2", ",2"))
    data = ["data=custom", "data.path=log.csv", "data.min_user=1", "data.min_item=1", "model=popularity"]
    assert message in refused(partial(run_here, tmp_path), monkeypatch, capsys, *data, wrong)
    assert not (tmp_path / "outputs").exists()


def test_own_data_are_named_in_the_folder(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(LOG)
    data = ["data=custom", "data.path=log.csv", "data.min_user=1", "data.min_item=1"]
    named = run_here(tmp_path, *data, "data.name=shop", "model=popularity")
    assert named.parent.name == "popularity-shop-s0"
