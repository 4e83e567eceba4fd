"""main.py as a user starts it: what a mistake and a question give. Of Ctrl+C see ``test_resume.py``."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.running import MAIN

SMALL = ["data.num_users=60", "trainer=cpu", "model.backbone.dim=8"]


def command(*arguments: str) -> list[str]:
    return [sys.executable, str(MAIN), *arguments]


def environment(tmp_path: Path) -> dict[str, str]:
    return os.environ | {"SEQREC_CACHE": str(tmp_path / "cache"), "OMP_NUM_THREADS": "1"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["model.dimm=3"], "did you mean model.backbone.dim?"),
        (["-m", "modle=sasrec,popularity"], "did you mean model?"),
        (["seed=x"], "seed is 'x'; it must be a whole number"),
        ([*SMALL, "data.batch_size=0"], "batch_size is 0; it must be at least 1"),
    ],
    ids=lambda value: " ".join(value[-1:]) if isinstance(value, list) else "",
)
def test_mistake_is_one_line(arguments: list[str], message: str, tmp_path: Path) -> None:
    done = subprocess.run(
        command(*arguments), cwd=tmp_path, env=environment(tmp_path), capture_output=True, text=True, timeout=300
    )
    lines = done.stderr.strip().splitlines()
    assert done.returncode == 2, done.stderr
    assert lines[-1].startswith("error: ") and message in lines[-1]
    assert "Traceback" not in done.stderr


def test_help_lists_groups_and_commands(tmp_path: Path) -> None:
    done = subprocess.run(command("--help"), cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert len(re.findall(r"^  python main\.py ", done.stdout, re.MULTILINE)) >= 5
    assert re.search(r"^  model  (?:.*\n {8,})*.*\bsasrec\b", done.stdout, re.MULTILINE)
    assert "_target_" not in done.stdout


@pytest.mark.parametrize("question", [["--help"], ["--cfg", "job"], ["--info", "all"]], ids=lambda given: given[0])
def test_answer_that_nobody_reads_to_the_end_is_no_error(question: list[str], tmp_path: Path) -> None:
    process = subprocess.Popen(command(*question), cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout and process.stderr
    process.stdout.close()
    error = process.stderr.read()
    process.wait(60)
    assert not error, error.decode()
