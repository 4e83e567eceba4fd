"""Loads golden files, and moves padding from one side to the other."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from tests.parity.golden import Golden


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str], Golden]:
    """Loads ``<--golden>/<name>.npz``."""
    return lambda name: Golden(request.config.getoption("--golden") / f"{name}.npz")


@pytest.fixture
def to_right() -> Callable[[Tensor, Tensor], Tensor]:
    """Moves items of left-padded rows to the front: ``(x (B, L, ...), ids (B, L))`` -> ``(B, L, ...)``."""

    def move(x: Tensor, ids: Tensor) -> Tensor:
        padding = (ids == 0).sum(1)
        return torch.stack([row.roll(-int(n), 0) for row, n in zip(x, padding, strict=True)])

    return move


@pytest.fixture
def to_left() -> Callable[[Tensor, Tensor], Tensor]:
    """The inverse of :func:`to_right`; ``ids`` are still the left-padded ones."""

    def move(x: Tensor, ids: Tensor) -> Tensor:
        padding = (ids == 0).sum(1)
        return torch.stack([row.roll(int(n), 0) for row, n in zip(x, padding, strict=True)])

    return move
