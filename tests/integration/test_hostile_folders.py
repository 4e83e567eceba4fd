"""Run folders of someone else that look something up, write elsewhere, or hold files that are none of a run."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml

from seqrec import inference
from seqrec.methods.checkpoint import load_backbone
from seqrec.runs.folder import CONFIG
from seqrec.runs.kept import read_run
from seqrec.runs.origin import Origin
from tests.integration.running import Run, run_here
from tests.integration.test_hostile import Evil, refusal

pytestmark = pytest.mark.usefixtures("undrawn")


@pytest.fixture(scope="module")
def trained(run: Run) -> Path:
    return run("trainer.max_epochs=1")


@pytest.fixture
def folder(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "run"))


@pytest.fixture
def refused(
    folder: Path, workplace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[], str]:
    """``refused()``: the one line with which a resume of the folder ends."""

    def resume() -> Path:
        return run_here(workplace, f"resume={folder}", "trainer.max_epochs=2")

    return lambda: refusal(resume, monkeypatch, capsys)


@pytest.mark.parametrize(
    ("place", "text"),
    [("name", "${oc.env:SECRET}"), ("trainer.devices", "${oc.decode:x}"), ("protocol.cutoffs.1", "a ${seed} b")],
)
def test_a_stored_configuration_that_looks_something_up(
    place: str, text: str, folder: Path, refused: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variable of the shell would be sent to whoever the stored logger names."""
    monkeypatch.setenv("SECRET", "42")
    config = yaml.safe_load((folder / CONFIG).read_text())
    *above, last = [int(key) if key.isdigit() else key for key in place.split(".")]
    node = config
    for key in above:
        node = node[key]
    node[last] = text
    (folder / CONFIG).write_text(yaml.safe_dump(config))
    line = refused()
    assert f"{place} is {text!r}; a stored configuration holds values, no references" in line


@pytest.mark.parametrize("name", ["main.log", ".lock", ".hydra", "checkpoints/best.ckpt.partial"])
def test_a_link_through_which_a_resumed_run_would_write(
    name: str, folder: Path, tmp_path: Path, refused: Callable[[], str]
) -> None:
    precious = tmp_path / "precious"
    precious.write_text("mine")
    if (folder / name).is_dir():
        shutil.rmtree(folder / name)
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(precious)
    assert f"{folder / name} is a link to {precious}" in refused()
    assert precious.read_text() == "mine"


def test_a_checkpoint_of_a_first_stage(tmp_path: Path) -> None:
    (tmp_path / "last.ckpt").write_bytes(pickle.dumps(Evil(tmp_path / "executed")))
    with pytest.raises(ValueError, match=r"last\.ckpt is not a whole checkpoint of numbers and plain values"):
        load_backbone(torch.nn.Linear(1, 1), tmp_path / "last.ckpt")
    assert not (tmp_path / "executed").exists()


JUNK = {"empty": b"", "text": b"hello\n", "list": b"[1]\n", "other": b'{"a": 1}\n', "binary": bytes(range(256))}
READ_BACK = ["origin.json", "log.csv", "metrics.json", "protocol.json", "catalog.parquet", "config.yaml"]


@pytest.mark.parametrize("junk", JUNK)
@pytest.mark.parametrize("name", READ_BACK)
def test_a_file_that_is_none_of_a_run(name: str, junk: str, folder: Path) -> None:
    """Whatever reads it ends in one line, or does without it."""
    (folder / name).write_bytes(JUNK[junk])
    readers: list[Callable[[], object]] = [
        lambda: inference.load(folder).catalog.ids(torch.tensor([1])),
        lambda: read_run(folder),
        lambda: Origin.read(folder),
    ]
    for read in readers:
        try:
            read()
        except ValueError as refusal:
            assert "\n" not in str(refusal)
            assert str(folder) in str(refusal)


def test_a_run_whose_origin_is_none_is_resumed_in_one_line(folder: Path, refused: Callable[[], str]) -> None:
    (folder / "origin.json").write_text("[1]")
    assert f"{folder / 'origin.json'} is not what a run writes there" in refused()
