"""What is done with a command line before it is checked."""

from __future__ import annotations

import pickle
import re
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from seqrec.cli import main as command_line
from seqrec.cli import reasons
from seqrec.cli.aliases import normalise
from seqrec.cli.overrides import check_configuration


def test_a_relative_config_path_counts_from_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    here = str(tmp_path / "conf")
    assert normalise(["--config-path", "conf", "seed=1"])[0] == ["--config-path", here, "seed=1"]
    assert normalise(["--config-path=conf"])[0] == [f"--config-path={here}"]
    assert normalise(["-cp", "conf"])[0] == ["-cp", here]
    for given in (["--config-path", "/a/conf"], ["--config-path=pkg://mine.conf"], ["-cp", "pkg://mine.conf"]):
        assert normalise(given)[0] == given


def test_launchers_can_send_the_task_to_another_process() -> None:
    assert pickle.loads(pickle.dumps(command_line.run)) is command_line.run


def test_a_job_in_another_process_needs_no_function_of_the_command_line() -> None:
    """Launchers resolve the folder of a job where nobody has registered what ``config.yaml`` calls."""
    config = check_configuration(["model=sasrec"], targets=False)
    for part in ("sweep", "output_subdir", "job", "job_logging"):
        text = str(OmegaConf.to_container(config.hydra, resolve=False)[part])  # type: ignore[call-overload]
        assert set(re.findall(r"\$\{(\w+):", text)) <= {"hydra", "now", "oc"}, text


@pytest.mark.parametrize(
    ("started", "program"),
    [("main.py", "python main.py"), ("/a/bin/seqrec", "seqrec"), ("/a/seqrec/__main__.py", "python -m seqrec")],
)
def test_advice_names_the_program_that_was_started(started: str, program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", [started])
    assert reasons.program() == program
