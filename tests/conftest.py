"""Fixtures and options that several test folders share."""

from __future__ import annotations

import gc
import json
import os
import pickle
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch: small models gain nothing from more, nor do their runs

import pytest
import torch
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig

from seqrec.cli import tree
from seqrec.cli.conf import CONF
from tests.remembered import remember_reads

HERE = Path(__file__).parent
GOLDEN = HERE / "golden"
MODELS = CONF / "model"
LONGEST = (
    "integration/test_ddp.py",
    "device/test_models.py",
    "device/test_variants.py",
    "device/test_published.py",
    "integration/test_resume.py",
    "test_configs.py",
    "inference/test_load.py",
    "integration/test_faults.py",
    "outside/test_pages.py",
    "test_models.py",
    "test_papers.py",
    "export/test_encoder.py",
    "integration/test_sizes.py",
    "methods/test_counting.py",
    "test_tiny_data.py",
    "cli/test_check.py",
    "integration/test_train.py",
    "integration/test_wandb.py",
    "outside/test_stranger.py",
    "integration/test_command_line_process.py",
    "integration/test_warm_start.py",
    "integration/test_run_folders.py",
    "test_steps.py",
    "test_pages.py",
    "integration/test_hostile.py",
    "methods/test_easnrec.py",
    "methods/test_fenrec.py",
    "outside/test_installed.py",
    "inference/test_engine.py",
    "integration/test_hostile_folders.py",
)
"""Files that take longest, which several processes begin with, so that none waits for another at the end."""


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
    parser.addoption(
        "--points", type=int, default=5, metavar="N",
        help="how many accidents tests/integration/test_faults.py lets happen to runs",
    )  # fmt: skip
    parser.addoption("--fault-seed", type=int, default=0, metavar="SEED", help="of those accidents")


def pytest_configure(config: pytest.Config) -> None:
    if hasattr(config.option, "loadscopereorder"):  # of pytest-xdist, which would begin with the files of most tests
        config.option.loadscopereorder = False
    if config.getoption("--record") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Record(config.getoption("--record")))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """For ``-n auto``: one process more than cores, as they wait for runs that they have started."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return cores + 1


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """A file's tests stay in one process, as they share what they have trained."""
    from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]

    return LoadFileScheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = {HERE / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path, len(order)))


def pytest_collection_finish() -> None:
    """What was imported stays to the end: looking through it for garbage, again and again, finds none."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def composed_once() -> Iterator[None]:
    """The check of a command line composes each choice among this project's own files once a session.

    It gets a copy each time. Other folders, which a test may change, are composed each time.
    """
    original, found = tree.compose, {}

    def compose(name: str, arguments: list[str], **options: Any) -> DictConfig:
        folders = tuple(str(part.path) for part in GlobalHydra.instance().config_loader().get_search_path().get_path())
        if str(CONF) not in folders or any(word.startswith(tree.SEARCH_PATH) for word in arguments):
            return original(name, arguments, **options)
        key = (folders, name, *arguments)
        if key not in found:
            found[key] = pickle.dumps(original(name, arguments, **options))
        return pickle.loads(found[key])  # several times as fast as a deep copy

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tree, "compose", compose)
        yield


@pytest.fixture(autouse=True)
def denormals() -> Iterator[None]:
    """A training in this process takes denormal numbers for 0 from then on; the next test does not."""
    yield
    torch.set_flush_denormal(False)


@pytest.fixture(scope="session", autouse=True)
def read_once() -> Iterator[None]:
    """See :func:`tests.remembered.remember_reads`."""
    with pytest.MonkeyPatch.context() as patch:
        remember_reads(patch)
        yield


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for what all processes of this session share; who makes something there locks it first."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


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
