"""Random draws that depend on keys only: the same for any batch mates, padding, worker or rank.

A key is a 64-bit number made of (seed, epoch, row, view); the n-th draw of a key is a hash of the two. The
hash is SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, OOPSLA 2014).
"""

from __future__ import annotations

import torch
from torch import Tensor

_GOLDEN = -7046029254386353131  # 0x9E3779B97F4A7C15 as a signed number
_MIX_1 = -4658895280553007687  # 0xBF58476D1CE4E5B9
_MIX_2 = -7723592293110705685  # 0x94D049BB133111EB


def _shift(x: Tensor, bits: int) -> Tensor:
    """Logical shift to the right."""
    return (x >> bits) & ((1 << (64 - bits)) - 1)


def _hash(x: Tensor) -> Tensor:
    x = (x ^ _shift(x, 30)) * _MIX_1
    x = (x ^ _shift(x, 27)) * _MIX_2
    return x ^ _shift(x, 31)


def keys(seed: int, epoch: int, row: Tensor, view: int) -> Tensor:
    """Keys ``(...)`` int64 of rows ``(...)``; ``view`` tells apart the uses that one row has in an epoch."""
    key = _hash(torch.full_like(row, seed * 1_000_003 + view) * _GOLDEN + epoch)
    return _hash(key + row * _GOLDEN)


def split(key: Tensor, n: int) -> Tensor:
    """``n`` independent keys of each key: ``(...)`` -> ``(..., n)``."""
    count = torch.arange(1, n + 1, device=key.device)
    return _hash(key[..., None] + count * _GOLDEN)


def uniform(key: Tensor, n: int) -> Tensor:
    """``n`` float32 draws in [0, 1) of each key: ``(...)`` -> ``(..., n)``."""
    return _shift(split(key, n), 40).float() * 2.0**-24


def integers(key: Tensor, n: int, high: int | Tensor) -> Tensor:
    """``n`` int64 draws in ``[0, high)`` of each key: ``(...)`` -> ``(..., n)``; high is below 2**31."""
    return (_shift(split(key, n), 32) * high) >> 32


def nth_uniform(key: Tensor, n: Tensor) -> Tensor:
    """Draw number ``n`` ``(...)``, from 0, of each key ``(...)``: ``uniform(key, n + 1)[..., n]``."""
    return _shift(_hash(key + (n + 1) * _GOLDEN), 40).float() * 2.0**-24
