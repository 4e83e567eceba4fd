"""Fixtures and options that several test folders share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parent / "golden"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--golden", type=Path, default=GOLDEN, metavar="DIR",
        help="folder of the golden files that tests/parity compares with (default: tests/golden)",
    )  # fmt: skip


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
