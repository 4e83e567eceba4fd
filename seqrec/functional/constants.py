"""Tensors of given numbers, which are made once and kept: a step asks for the same ones each time.

Nobody may change them in place. In what is compiled they are made anew, as part of the graph.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor


def by_column(numbers: tuple[float, ...], widths: tuple[int, ...], like: Tensor) -> Tensor:
    """Each of some numbers as often as its width says, in the type and on the device of ``like``."""
    make = _by_column.__wrapped__ if torch.compiler.is_compiling() else _by_column
    return make(numbers, widths, like.dtype, like.device)


def counting(first: int, end: int, device: torch.device, step: int = 1, dtype: torch.dtype = torch.int64) -> Tensor:
    """``step`` times each of ``first .. end - 1``."""
    make = _counting.__wrapped__ if torch.compiler.is_compiling() else _counting
    return make(first, end, step, device, dtype)


@cache
def _by_column(numbers: tuple[float, ...], widths: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    with torch.inference_mode(False):
        parts = zip(numbers, widths, strict=True)
        return torch.cat([torch.full((width,), number, dtype=dtype, device=device) for number, width in parts])


@cache
def _counting(first: int, end: int, step: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    with torch.inference_mode(False):
        return torch.arange(first, end, device=device, dtype=dtype) * step
