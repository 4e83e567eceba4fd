"""What holds for the package as a whole: which room may import which, what an import does, how large things get."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOM_FILES, FILE_LINES, TASK_LINES, FUNCTION_LINES = 24, 300, 100, 60
CONTRACT = [
    sys.executable,
    "-c",
    "from importlinter.cli import lint_imports_command as run; run()",
    "--no-logo",
    "--no-cache",
]

# Loads other people's packages first, since they may do what this one may not.
IMPORT_ALL = """
import importlib, os, pkgutil, signal, sys, warnings
import filelock, hydra, matplotlib, matplotlib.pyplot, omegaconf, polars, pytorch_lightning, rich.table, torchmetrics
import torch

def state():
    return {
        "matplotlib backend": [matplotlib.get_backend()],
        "warning filters": list(warnings.filters),
        "signal handlers": [signal.getsignal(number) for number in sorted(signal.valid_signals())],
        "random state": [hash(torch.get_rng_state().numpy().tobytes())],
        "threads": [torch.get_num_threads()],
    }

before, done = state(), []
omegaconf.OmegaConf.register_new_resolver = lambda name, *_, **__: done.append(f"OmegaConf resolver {name}")

def watch(event, arguments):
    if event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        done.append(f"writes to {arguments[0]}")
    if event in ("os.mkdir", "socket.connect", "subprocess.Popen"):
        done.append(f"{event} {arguments[:1]}")

sys.addaudithook(watch)
import seqrec
for module in pkgutil.walk_packages(seqrec.__path__, "seqrec."):
    importlib.import_module(module.name)
after = state()
done += [f"{name}: {[x for x in after[name] if x not in old]}" for name, old in before.items() if after[name] != old]
assert not done, "importing seqrec had effects:\\n" + "\\n".join(done)
"""


def python(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "MPLBACKEND": "svg"}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=folder, env=os.environ | environment, capture_output=True, text=True)


def contract(folder: Path) -> subprocess.CompletedProcess[str]:
    """Checks the package in ``folder`` against the contract of the ``pyproject.toml`` beside it."""
    environment = os.environ | {"PYTHONPATH": str(folder), "COLUMNS": "200"}
    return subprocess.run(CONTRACT, cwd=folder, env=environment, capture_output=True, text=True)


def test_imports_follow_the_contract() -> None:
    found = contract(ROOT)
    assert found.returncode == 0, found.stdout + found.stderr


BREACHES = [
    ("functional/losses.py", "import seqrec.methods.base", "seqrec.functional.losses -> seqrec.methods.base"),
    ("runs/folder.py", "import hydra", "seqrec.runs.folder -> hydra"),
    ("methods/bpr.py", "import seqrec.methods.caser", "seqrec.methods.bpr -> seqrec.methods.caser"),
    ("cli/help.py", "import seqrec.methods.base", "seqrec.cli.help -> seqrec.methods.base"),
]
"""Files, a line that each must not have, and the chain of imports that this makes."""


def test_the_contract_names_what_breaks_it(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "seqrec", tmp_path / "seqrec", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for path, line, _ in BREACHES:
        file = tmp_path / "seqrec" / path
        file.write_text(f"{file.read_text()}\n{line}\n")
    found = contract(tmp_path)
    assert found.returncode == 1
    for _, _, chain in BREACHES:
        assert chain in found.stdout


def test_nothing_happens_at_import(tmp_path: Path) -> None:
    found = python(IMPORT_ALL, tmp_path)
    assert found.returncode == 0, found.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["seqrec", "seqrec.cli.main"])
def test_import_is_cheap(tmp_path: Path, name: str) -> None:
    """A misspelt option is answered before torch is loaded, which takes seconds."""
    found = python(
        f"import sys, {name}; print(*sorted({{'torch', 'matplotlib', 'polars'}} & set(sys.modules)))", tmp_path
    )
    assert found.returncode == 0, found.stderr
    assert found.stdout.split() == []


def sizes(folder: str, size: Callable[[Path], dict[str, int]]) -> dict[str, int]:
    """``size`` of every Python file below a folder, joined."""
    files = [path for path in sorted((ROOT / folder).rglob("*.py")) if "__pycache__" not in path.parts]
    return {f"{path.relative_to(ROOT)}{name}": n for path in files for name, n in size(path).items()}


def lines(path: Path) -> dict[str, int]:
    return {"": len(path.read_text().splitlines())}


def function_lines(path: Path) -> dict[str, int]:
    functions = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.FunctionDef)]
    return {f":{node.lineno} {node.name}": (node.end_lineno or 0) - node.lineno + 1 for node in functions}


def over(limit: int, found: dict[str, int]) -> dict[str, int]:
    return {name: n for name, n in found.items() if n > limit}


def test_rooms_files_and_functions_stay_small() -> None:
    rooms = {path for path in (ROOT / "seqrec").rglob("*") if path.is_dir() and path.name != "__pycache__"}
    too_full = over(ROOM_FILES, {str(room.relative_to(ROOT)): len(list(room.glob("*.py"))) for room in rooms})
    too_long = {
        **over(FILE_LINES, sizes("seqrec", lines) | sizes("tests", lines)),
        **over(TASK_LINES, sizes("seqrec/tasks", lines)),
        **over(FUNCTION_LINES, sizes("seqrec", function_lines)),
    }
    assert not too_full, "files in a room"
    assert not too_long, "lines"
