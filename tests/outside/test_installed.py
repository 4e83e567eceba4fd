"""The installed package runs from any folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.outside.conftest import ROOT, Run


def test_the_wheel_holds_the_configuration_and_the_types(installed: Path) -> None:
    package = installed / "seqrec"
    files = {path.relative_to(package / "conf") for path in (package / "conf").rglob("*.yaml")}
    assert files == {path.relative_to(ROOT / "conf") for path in (ROOT / "conf").rglob("*.yaml")}
    assert (package / "py.typed").exists()


def test_it_trains_from_any_folder(seqrec: Run, tmp_path: Path) -> None:
    done = seqrec("model=popularity", "data.num_users=60", "trainer=cpu")
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.glob("outputs/popularity-synthetic-s0/*/metrics.json"))


def test_its_help_lists_models_and_their_parity_checks(seqrec: Run) -> None:
    done = seqrec("--help")
    assert done.returncode == 0, done.stderr
    assert "sasrec" in done.stdout and "not run" not in done.stdout


def test_it_is_a_module_too(installed: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "seqrec", "modle=sasrec"], cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(installed)},
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2
    assert "did you mean model?" in done.stderr
