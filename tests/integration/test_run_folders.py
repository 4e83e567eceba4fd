"""A run folder is one run: its own name, one process, one configuration, nothing of what was refused."""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from seqrec.runs.configuration import configuration_hash
from seqrec.runs.kept import read_run
from seqrec.runs.lock import locked
from tests.integration.comparison import load, metrics
from tests.integration.running import Run, folders, run_here

pytestmark = pytest.mark.usefixtures("undrawn")

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


@pytest.mark.usefixtures("quick_jobs")
def test_the_folder_of_a_sweep_takes_no_other(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["-m", "model=popularity", "data.num_users=20", "hydra.sweep.dir=multirun/named"]
    sweep = run(*words, "seed=0")
    before = metrics(sweep / "0")
    message = refused(run, monkeypatch, capsys, *words, "seed=1")
    assert "holds a run already" in message and "hydra.sweep.dir=..." in message
    assert metrics(sweep / "0") == before


@pytest.mark.parametrize("part", ["checkpoints", "checkpoints/last.ckpt"])
def test_a_part_of_a_run_folder_is_told_the_folder(
    run: Run, first: Path, part: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert f"write resume={first}" in refused(run, monkeypatch, capsys, f"resume={first / part}")


def test_a_smaller_budget_is_refused_and_changes_nothing(
    run: Run, first: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(shutil.copytree(first, tmp_path / "copy"))
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and ".hydra" not in path.parts}
    message = refused(run, monkeypatch, capsys, f"resume={folder}", "trainer.max_epochs=1")
    assert "trainer.max_epochs=1: this run has trained 2 epochs" in message
    assert {path: path.read_bytes() for path in before} == before
    run(f"resume={folder}")


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


@pytest.mark.parametrize("name", ["metrics.json", "protocol.json"])
def test_results_and_card_know_their_configuration(first: Path, tmp_path: Path, name: str) -> None:
    folder = shutil.copytree(first, tmp_path / "copy")
    assert read_run(folder).metrics["configuration"] == configuration_hash(folder / "config.yaml")
    assert read_run(folder).card.configuration == configuration_hash(folder / "config.yaml")
    stored = json.loads((folder / name).read_text())
    (folder / name).write_text(json.dumps(stored | {"configuration": "of another run"}))
    with pytest.raises(ValueError, match=rf"{name} is of a run with another configuration"):
        read_run(folder)
    (folder / name).write_text(json.dumps({key: stored[key] for key in stored if key != "configuration"}))
    read_run(folder)  # as older versions wrote it
    text = (folder / "config.yaml").read_text()
    (folder / "config.yaml").write_text(text.replace("seed: 5", "seed: 6"))
    with pytest.raises(ValueError, match="with another configuration"):
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


@pytest.mark.parametrize("place", ["new/folder", "outputs/new", "there", "."])
def test_refused_data_leave_a_folder_of_one_s_own_as_it_was(
    tmp_path: Path, place: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "notes.txt").touch()
    before = {path.relative_to(tmp_path) for path in tmp_path.rglob("*")}
    words = ["data=custom", "data.path=missing.csv", "model=popularity", f"hydra.run.dir={place}"]
    words += [f"data.cache_dir={tmp_path}-cache"]
    assert "missing.csv" in refused(partial(run_here, tmp_path), monkeypatch, capsys, *words)
    assert {path.relative_to(tmp_path) for path in tmp_path.rglob("*")} == before


def test_a_resumed_run_keeps_the_command_that_began_it(run: Run) -> None:
    folder = run("trainer.max_epochs=1", "seed=9")
    record = {path.name: path.read_text() for path in (folder / ".hydra").iterdir()}
    run(f"resume={folder}", "trainer.max_epochs=2")
    assert {path.name: path.read_text() for path in (folder / ".hydra").glob("*.yaml")} == record
    assert OmegaConf.load(folder / ".hydra" / "resumed" / "overrides.yaml") == [
        f"resume={folder}", "trainer.max_epochs=2",
    ]  # fmt: skip
    stored = OmegaConf.load(folder / "config.yaml")
    assert stored.trainer.max_epochs == 2 and stored.model._target_.endswith("NextItem")


def test_own_data_are_named_in_the_folder(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(LOG)
    data = ["data=custom", "data.path=log.csv", "data.min_user=1", "data.min_item=1"]
    named = run_here(tmp_path, *data, "data.name=shop", "model=popularity")
    assert named.parent.name == "popularity-shop-s0"
