"""The package as a stranger has it: a wheel, installed in a folder of its own, away from this repository."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from filelock import FileLock

ROOT = Path(__file__).parents[2]
PRELOADED = ROOT / "tests" / "preloaded.py"
PIP = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def installed(shared: Path) -> Path:
    """The folder into which the wheel was installed, once for all processes; its console script lies in ``bin``."""
    folder = shared / "installed"
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
    for name in ("seqrec", "hydra_plugins", "conf", "docs"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__", "*.png"))
    build = [*PIP, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(source)]
    subprocess.run(build, check=True)
    (wheel,) = folder.glob("*.whl")
    subprocess.run([*PIP, "install", "--no-deps", "--no-index", "--target", str(partial), str(wheel)], check=True)
    partial.rename(folder / "site")


@pytest.fixture(scope="session")
def python() -> Iterator[list[str]]:
    """The command that runs a program as Python does, but begins with the libraries imported."""
    with tempfile.TemporaryDirectory() as folder:
        place = f"{folder}/socket"
        own = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {"OMP_NUM_THREADS": "1"}
        command = [sys.executable, str(PRELOADED), "--serve", place]
        with subprocess.Popen(command, env=own, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout and server.stdout.readline() == "ready\n"
            yield [sys.executable, "-IS", str(PRELOADED), place]
            server.terminate()


def starting(installed: Path, folder: Path, python: list[str]) -> Run:
    """Runs the installed console script in ``folder``."""

    def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        own = {"SEQREC_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1", "PYTHONPATH": str(installed)}
        command = [*python, str(installed / "bin" / "seqrec"), *arguments]
        return subprocess.run(
            command, cwd=folder, env=os.environ | own | variables, capture_output=True, text=True, timeout=300
        )

    return run


@pytest.fixture
def seqrec(installed: Path, tmp_path: Path) -> Run:
    """The installed console script, as a shell starts it in an empty folder."""
    return starting(installed, tmp_path, [sys.executable])


@pytest.fixture
def quick(installed: Path, tmp_path: Path, python: list[str]) -> Run:
    """The same, without the seconds that imports take."""
    return starting(installed, tmp_path, python)
