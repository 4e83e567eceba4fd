"""The site is built once a session, with warnings as errors."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from seqrec.reporting.pages import ROOT
from tests.export.conftest import browser

__all__ = ["browser"]


@pytest.fixture(scope="session")
def site(shared: Path) -> Path:
    """The folder of the built site."""
    folder = shared / "site"
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            # Not quietly: that hides warnings from mkdocs itself, and none would be an error.
            command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
            quiet = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
            done = subprocess.run(command, cwd=ROOT, env=quiet, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            assert "WARNING" not in done.stderr
    return folder
