"""Graphs and bundles are made once a session, and one browser shows all pages."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from filelock import FileLock

import seqrec
from seqrec.export.bundle import write_bundle
from tests.export.browser import CHROMIUM, Browser
from tests.inference.conftest import Finished, finished, one_thread, train

__all__ = ["Bundles", "bundles", "finished", "graphs", "one_thread", "train"]

Bundles = dict[tuple[str, str], Path]
"""Folders by model and quantisation."""

PAGE = Path(seqrec.__file__).parent / "export" / "page" / "index.html"
(VERSION,) = re.findall(r"onnxruntime-web@([0-9.]+)/dist/", PAGE.read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the graphs of :func:`tests.export.parity.graph_of`."""
    return tmp_path_factory.mktemp("graphs")


@pytest.fixture(scope="session")
def bundles(finished: dict[str, Finished], shared: Path) -> Bundles:
    """Bundles of small finished runs, made when a test asks for them, once for all processes; tests change copies."""

    class Made(Bundles):
        def __missing__(self, key: tuple[str, str]) -> Path:
            folder = shared / f"bundle-of-{key[0]}-{key[1]}" / "made"
            names = {"1": "The first", "2": 'With "quotes" & <tags>'}
            with FileLock(f"{folder.parent}.lock"):
                if not folder.exists():
                    write_bundle(finished[key[0]].folder, folder, key[1], names)
            self[key] = folder
            return self[key]

    return Made()


def absent(reason: str) -> None:
    """A test that needs what cannot be had here is skipped; in CI it fails."""
    (pytest.fail if os.environ.get("SEQREC_REQUIRE_DATA") else pytest.skip)(reason)


@pytest.fixture(scope="session")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``node_modules`` with onnxruntime-web in the page's version."""
    folder = tmp_path_factory.mktemp("npm")
    command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", f"onnxruntime-web@{VERSION}"]
    if shutil.which("npm") is None:
        absent("npm is not installed, so there is no onnxruntime-web for the page")
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        absent(f"npm gives no onnxruntime-web: {done.stderr[-300:]}")
    return folder / "node_modules"


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A headless Chromium."""
    if CHROMIUM is None:
        absent("Chromium is not installed, so no page can be opened")
    found = Browser(tmp_path_factory.mktemp("profile"))
    yield found
    found.close()


@pytest.fixture
def site(bundles: Bundles, runtime: Path, tmp_path: Path) -> Callable[..., Path]:
    """``site(model, quant)``: a copy of a bundle with the runtime beside its page."""

    def copy(name: str, quant: str, beside: bool = True) -> Path:
        folder = shutil.copytree(bundles[name, quant], tmp_path / f"{name}-{quant}")
        if beside:
            (folder / "node_modules").symlink_to(runtime)
        return folder

    return copy
