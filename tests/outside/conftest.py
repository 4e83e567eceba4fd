"""The package as a stranger has it: a wheel, installed in a folder of its own, away from this repository."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

ROOT = Path(__file__).parents[2]
PIP = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder into which the wheel was installed, once for all processes; its console script lies in ``bin``."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "installed"
    with FileLock(f"{folder}.lock"):
        if not (folder / "site").exists():
            install(folder)
    return folder / "site"


def install(folder: Path) -> None:
    """Build the wheel and install it into ``folder/site``, which is there when all of it is."""
    source, partial = folder / "source", folder / "partial"
    source.mkdir(parents=True)
    for name in ("pyproject.toml", "README.md", "LICENSE"):  # a build leaves files behind: not in the checkout
        shutil.copy(ROOT / name, source)
    for name in ("seqrec", "conf", "docs"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__", "*.png"))
    build = [*PIP, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(source)]
    subprocess.run(build, check=True)
    (wheel,) = folder.glob("*.whl")
    subprocess.run([*PIP, "install", "--no-deps", "--no-index", "--target", str(partial), str(wheel)], check=True)
    partial.rename(folder / "site")


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
