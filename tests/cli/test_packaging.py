"""What is installed, and what importing it costs."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from seqrec.cli.conf import CONF, conf_folder

ROOT = Path(__file__).parents[2]
SETUPTOOLS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]


def test_every_package_is_installed() -> None:
    files = [path for top in ("seqrec", "hydra_plugins") for path in ROOT.glob(f"{top}/**/__init__.py")]
    found = {path.parent.relative_to(ROOT).as_posix().replace("/", ".") for path in files}
    assert set(SETUPTOOLS["packages"]) == found | set(SETUPTOOLS["package-dir"])


EXTRAS = {
    "export": "export",
    "serving": "serving",
    "reporting/site": "docs",
    "cli/sweeps/launchers.py": "ray",
    "reporting/dashboard/workspace.py": "dashboard",
    "cli/sweeps/study.py": "optuna",
    "training/callbacks/pruning.py": "optuna",
}
"""Rooms and files that need more than the package itself, and the extra that brings it."""


def test_a_checkout_has_its_configuration_beside_the_package() -> None:
    assert CONF == ROOT / "conf"
    assert (CONF / "config.yaml").exists()


def test_an_installed_package_has_its_configuration_inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "seqrec" / "conf").mkdir(parents=True)
    monkeypatch.setattr("seqrec.__file__", str(tmp_path / "seqrec" / "__init__.py"))
    assert conf_folder() == tmp_path / "seqrec" / "conf"


def test_importing_the_package_is_cheap() -> None:
    code = "import sys, seqrec; print({'torch', 'hydra', 'polars'} & set(sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert out.stdout.strip() == "set()"


def test_main_only_starts_the_command_line() -> None:
    assert len((ROOT / "main.py").read_text().splitlines()) < 25


def test_every_imported_library_is_declared() -> None:
    """A library that another one happens to install is missing as soon as that one drops it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for path in (ROOT / "seqrec").rglob("*.py"):
        inside = [path.relative_to(ROOT / "seqrec"), *path.relative_to(ROOT / "seqrec").parents]
        extras = [project["optional-dependencies"][EXTRAS[str(room)]] for room in inside if str(room) in EXTRAS]
        assert imported(path) - declared(sum(extras, project["dependencies"])) == set(), path


def declared(lines: list[str]) -> set[str]:
    return {re.split(r"[<>=\[ ]", line)[0].lower().replace("-", "_") for line in lines}


def imported(path: Path) -> set[str]:
    """The libraries that a file imports, by the names under which they are declared."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    names = {
        "griffe": "griffelib",
        "hydra": "hydra_core",
        "hydra_plugins": "hydra_optuna_sweeper",
        "yaml": "pyyaml",
        "pydantic_core": "pydantic",
    }
    return {names.get(name, name) for name in found - set(sys.stdlib_module_names) - {"seqrec"}}


def test_hydra_is_one_that_refuses_what_executes_code() -> None:
    """Versions before 1.3.8 call ``os.system`` and its like from a configuration."""
    (needed,) = (
        line for line in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
        if line.startswith("hydra-core")
    )  # fmt: skip
    floor = re.fullmatch(r"hydra-core>=(\d+)\.(\d+)\.(\d+)", needed)
    assert floor and tuple(map(int, floor.groups())) >= (1, 3, 8)
