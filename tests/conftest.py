"""Fixtures and options that several test folders share."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path

import pytest
import torch

GOLDEN = Path(__file__).parent / "golden"
MODELS = Path(__file__).parents[1] / "conf" / "model"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--golden", type=Path, default=GOLDEN, metavar="DIR",
        help="folder of the golden files that tests/parity compares with (default: tests/golden)",
    )  # fmt: skip
    parser.addoption(
        "--config-dir", type=Path, metavar="DIR",
        help="a configuration folder of one's own: tests/test_models.py tests its models instead of this project's",
    )  # fmt: skip
    parser.addoption(
        "--record", type=Path, metavar="FILE",
        help="store how many checks of tests/parity passed for each model; the project's own is docs/parity.json",
    )  # fmt: skip


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--record") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Record(config.getoption("--record")))


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The folder of real data that ``SEQREC_DATA`` names; without it the test is skipped.

    With ``SEQREC_REQUIRE_DATA=1`` the test fails instead, so that nobody takes a skipped test for a passed one.
    """
    root = Path(os.environ.get("SEQREC_DATA", "")).expanduser()
    if os.environ.get("SEQREC_DATA") and root.is_dir():
        return root
    reason = f"SEQREC_DATA is {os.environ.get('SEQREC_DATA')!r}, which is no folder"
    if os.environ.get("SEQREC_REQUIRE_DATA") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


class Record:
    """Counts the outcomes of ``tests/parity/test_<model>*.py`` by model and stores them at the end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.outcomes: dict[str, list[bool]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        name = Path(report.location[0]).stem.removeprefix("test_")
        model = next((name[:end] for end in range(len(name), 0, -1) if (MODELS / f"{name[:end]}.yaml").exists()), None)
        if model and "parity" in report.nodeid and (report.when == "call" or report.failed):
            self.outcomes.setdefault(model, []).append(report.passed)

    def pytest_sessionfinish(self) -> None:
        counts = {model: {"passed": sum(o), "checks": len(o)} for model, o in sorted(self.outcomes.items())}
        versions = {"torch": torch.__version__, "python": platform.python_version()}
        self.path.write_text(json.dumps({"versions": versions, "models": counts}, indent=1) + "\n")
