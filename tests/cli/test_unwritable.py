"""A file that cannot be written is one line that says which, why and what to do."""

from __future__ import annotations

import logging
from errno import EACCES, EDQUOT, EFBIG, ENOENT, ENOSPC, EROFS
from os import strerror
from pathlib import Path

import hydra._internal.utils as hydra_utils
import pytest

from seqrec.cli.log_file import LogFile
from seqrec.cli.unwritable import heeded, way_out
from tests.disk import full_disk

RUN = Path("/runs/a/1")


def error(number: int, path: Path | None) -> OSError:
    return OSError(number, strerror(number), None if path is None else str(path))


@pytest.mark.parametrize("number", [ENOSPC, EDQUOT, EFBIG])
def test_of_a_full_disk(number: int) -> None:
    full = error(number, RUN / "log.csv")
    said = f"/runs/a/1/log.csv cannot be written: {strerror(number).lower()}; make room, then "
    assert way_out(full, RUN, None) == said + "start again"
    assert way_out(full, RUN, "seqrec resume=a/1") == said + "resume with: seqrec resume=a/1"
    assert way_out(error(number, None), RUN, None).startswith("a file cannot be written: ")


@pytest.mark.parametrize(
    ("number", "path"), [(EROFS, Path("/elsewhere")), (EACCES, RUN), (EACCES, RUN.parent), (EACCES, RUN / "log.csv")]
)
def test_of_a_folder_that_may_not_be_written(number: int, path: Path) -> None:
    said = way_out(error(number, path), RUN, None)
    assert said.startswith(f"{path} cannot be written: {strerror(number).lower()}; make the folder of the run writable")
    assert "hydra.run.dir=" in said


@pytest.mark.parametrize(("number", "path"), [(EACCES, Path("/data/log.csv")), (ENOENT, RUN / "x"), (EACCES, None)])
def test_other_errors_keep_their_words(number: int, path: Path | None) -> None:
    other = error(number, path)
    assert way_out(other, RUN, None) == str(other)


def test_errors_before_the_task_reach_the_program(capsys: pytest.CaptureFixture[str]) -> None:
    told: list[tuple[str, Path | None]] = []

    def run_job(output_dir: str) -> None:  # by its name and variable Hydra's folder is known
        raise error(ENOSPC, None)

    def open_log() -> None:
        raise ValueError("Unable to configure handler 'file'") from error(ENOSPC, None)

    report = hydra_utils.run_and_report
    with heeded(lambda message, folder: told.append((message, folder))):
        hydra_utils.run_and_report(lambda: run_job(str(RUN)))
        hydra_utils.run_and_report(open_log)
        with pytest.raises(SystemExit):  # Hydra's own report
            hydra_utils.run_and_report(lambda: {}["bug"])
    assert hydra_utils.run_and_report is report
    message = "a file cannot be written: no space left on device; make room, then start again"
    assert told == [(message, RUN), (message, None)]
    assert "KeyError" in capsys.readouterr().err


def test_a_log_file_that_cannot_be_written_is_said_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    handler = LogFile(tmp_path / "main.log")
    with full_disk(0):
        for number in range(3):
            handler.emit(logging.LogRecord("a", logging.INFO, "", 0, f"line {number}", None, None))
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{tmp_path / 'main.log'} cannot be written (") and line.endswith("; the run continues")
