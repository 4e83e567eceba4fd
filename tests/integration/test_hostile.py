"""Files of someone else that try to execute code: each is refused in one line, and nothing is executed."""

from __future__ import annotations

import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml

from seqrec import inference
from seqrec.runs.folder import BEST, CONFIG, LAST
from tests.integration.running import Run, run_here

pytestmark = pytest.mark.usefixtures("undrawn")

HUB = "def evil(path):\n    open(path, 'w').close()\n"


@pytest.fixture(scope="module")
def trained(run: Run) -> Path:
    return run("trainer.max_epochs=1")


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    """A file that only executed code would make; the code lies beside it, as a local torch hub."""
    (tmp_path / "hubconf.py").write_text(HUB)
    return tmp_path / "executed"


def hub(mark: Path) -> dict[str, object]:
    """A node that executes ``hubconf.py``."""
    return {
        "_target_": "torch.hub.load", "repo_or_dir": str(mark.parent), "source": "local", "model": "evil",
        "path": str(mark), "trust_repo": True,
    }  # fmt: skip


def refusal(do: Callable[[], object], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    """The one line with which the command line ends."""
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
    capsys.readouterr()
    with pytest.raises(SystemExit) as end:
        do()
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert end.value.code == 2 and len(lines) == 1
    return lines[0]


@pytest.mark.parametrize("place", ["model.loss", "data.windows", "callbacks.best", "trainer.strategy", "logger.evil"])
def test_a_stored_configuration_of_a_resumed_run(
    place: str,
    trained: Path,
    mark: Path,
    workplace: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = shutil.copytree(trained, mark.parent / "run")
    config = yaml.safe_load((folder / CONFIG).read_text())
    above, _, last = place.rpartition(".")
    config[above][last] = hub(mark)
    (folder / CONFIG).write_text(yaml.safe_dump(config))
    line = refusal(lambda: run_here(workplace, f"resume={folder}"), monkeypatch, capsys)
    assert f"{place}._target_ is 'torch.hub.load'" in line and str(folder / CONFIG) in line
    assert not mark.exists()


def test_a_stored_configuration_whose_reference_hides_it(
    trained: Path, mark: Path, workplace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shutil.copytree(trained, mark.parent / "run")
    config = yaml.safe_load((folder / CONFIG).read_text())
    node = ", ".join(f"{key}: '{value}'" for key, value in hub(mark).items())
    config["model"]["loss"] = f"${{oc.create:{{{node}}}}}".replace("'True'", "true")
    (folder / CONFIG).write_text(yaml.safe_dump(config))
    assert "torch.hub.load" in refusal(lambda: run_here(workplace, f"resume={folder}"), monkeypatch, capsys)
    assert not mark.exists()


def test_a_stored_configuration_that_is_loaded(trained: Path, mark: Path) -> None:
    folder = shutil.copytree(trained, mark.parent / "run")
    config = yaml.safe_load((folder / CONFIG).read_text())
    config["model"]["loss"] = hub(mark)
    (folder / CONFIG).write_text(yaml.safe_dump(config))
    with pytest.raises(ValueError, match=r"model\.loss\._target_ is 'torch\.hub\.load'"):
        inference.load(folder)
    assert not mark.exists()


@pytest.mark.parametrize(
    "node",
    [
        "{_target_: torch.hub.load, source: local, repo_or_dir: HERE, model: evil, path: MARK}",
        "{_target_: torch.load, weights_only: false, f: HERE/evil.pt}",
        "{_target_: seqrec.methods.base.torch.load, weights_only: false, f: HERE/evil.pt}",
        "{_target_: seqrec.runs.files.write_json, path: MARK, content: 1}",
        "${oc.create:{_target_:torch.load,weights_only:false,f:'HERE/evil.pt'}}",
        "${hydra:job.env_set}",
    ],
    ids=["hub", "load", "through_a_module", "own_writer", "reference", "reference_to_hydra"],
)
def test_a_file_of_a_conf_folder(
    node: str, mark: Path, workplace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save(Evil(mark), mark.parent / "evil.pt")
    node = node.replace("HERE", str(mark.parent)).replace("MARK", str(mark))
    (mark.parent / "logger").mkdir()
    hidden = f"{{_target_: torch.load, weights_only: 'false', f: '{mark.parent}/evil.pt'}}"
    text = f"# @package _global_\nlogger: {{evil: {node if node[0] == '{' else repr(node)[1:-1].join(chr(34) * 2)}}}\n"
    (mark.parent / "logger" / "evil.yaml").write_text(f"{text}hydra: {{job: {{env_set: {hidden}}}}}\n")
    command = [f"hydra.searchpath=[file://{mark.parent}]", "logger=evil"]
    assert "_target_" in refusal(lambda: run_here(workplace, *command), monkeypatch, capsys)
    assert not mark.exists()


TAG = "!!python/object/apply:os.system ['touch MARK']"


@pytest.mark.parametrize("text", [f"model: {TAG}\n", f"{TAG}\n", "- model\n", "", "model: {\n"])
def test_a_stored_configuration_with_objects_of_python_or_none(
    text: str,
    trained: Path,
    mark: Path,
    workplace: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = shutil.copytree(trained, mark.parent / "run")
    (folder / CONFIG).write_text(text.replace("MARK", str(mark)))
    assert str(folder / CONFIG) in refusal(lambda: run_here(workplace, f"resume={folder}"), monkeypatch, capsys)
    with pytest.raises(ValueError, match=r"config\.yaml: ") as caught:
        inference.load(folder)
    assert "\n" not in str(caught.value) and not mark.exists()


def test_a_file_of_a_conf_folder_with_objects_of_python(
    mark: Path, workplace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (mark.parent / "logger").mkdir()
    (mark.parent / "logger" / "evil.yaml").write_text(f"evil: {TAG.replace('MARK', str(mark))}\n")
    command = [f"hydra.searchpath=[file://{mark.parent}]", "logger=evil"]
    assert "cannot be read" in refusal(lambda: run_here(workplace, *command), monkeypatch, capsys)
    assert not mark.exists()


class Evil:
    """Executes code when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return os.system, (f"touch {self.mark}",)


@pytest.mark.parametrize("content", ["pickle", "half", "empty", "text", "other"])
def test_a_checkpoint_that_is_loaded(content: str, trained: Path, mark: Path) -> None:
    folder = shutil.copytree(trained, mark.parent / "run")
    whole = (folder / BEST).read_bytes()
    torch.save({"weights": torch.zeros(2)}, mark.parent / "other.pt")
    other = (mark.parent / "other.pt").read_bytes()
    spoilt = {
        "other": other,
        "pickle": pickle.dumps(Evil(mark)),
        "half": whole[: len(whole) // 2],
        "empty": b"",
        "text": b"hello\n",
    }
    (folder / BEST).write_bytes(spoilt[content])
    with pytest.raises(ValueError, match=r"best\.ckpt is not a whole checkpoint of numbers and plain values"):
        inference.load(folder)
    assert not mark.exists()


def test_a_checkpoint_of_a_resumed_run(trained: Path, mark: Path, workplace: Path) -> None:
    folder = shutil.copytree(trained, mark.parent / "run")
    (folder / LAST).write_bytes(pickle.dumps(Evil(mark)))
    with pytest.raises(ValueError, match=r"last\.ckpt is not a whole checkpoint of numbers and plain values"):
        run_here(workplace, f"resume={folder}", "trainer.max_epochs=2")
    assert not mark.exists()
