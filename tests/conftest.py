"""Options of the whole test suite."""

from __future__ import annotations

from pathlib import Path

import pytest

GOLDEN = Path(__file__).parent / "golden"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--golden", type=Path, default=GOLDEN, metavar="DIR",
        help="folder of the golden files that tests/parity compares with (default: tests/golden)",
    )  # fmt: skip
