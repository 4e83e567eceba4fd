"""The package as a stranger has it: a wheel, installed in a folder of its own, away from this repository."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PIP = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder into which the wheel was installed; its console script lies in ``bin``."""
    folder = tmp_path_factory.mktemp("installed")
    source, site = folder / "source", folder / "site"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):  # a build leaves files behind: not in the checkout
        shutil.copy(ROOT / name, source)
    for name in ("seqrec", "conf", "docs"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__", "*.png"))
    build = [*PIP, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(source)]
    subprocess.run(build, check=True)
    (wheel,) = folder.glob("*.whl")
    subprocess.run([*PIP, "install", "--no-deps", "--no-index", "--target", str(site), str(wheel)], check=True)
    return site


@pytest.fixture
def seqrec(installed: Path, tmp_path: Path) -> Run:
    """Runs the installed console script in an empty folder."""

    def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        own = {"SEQREC_CACHE": str(tmp_path / "cache"), "OMP_NUM_THREADS": "1", "PYTHONPATH": str(installed)}
        command = [sys.executable, str(installed / "bin" / "seqrec"), *arguments]
        return subprocess.run(
            command, cwd=tmp_path, env=os.environ | own | variables, capture_output=True, text=True, timeout=300
        )

    return run
