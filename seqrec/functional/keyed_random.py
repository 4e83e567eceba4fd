"""Random draws that depend on keys only: the same for any batch mates, padding, worker or rank.

A key is a 64-bit number made of (seed, epoch, example, stream); the n-th draw of a key is a hash of the two. A stream
is one use of random numbers. The hash is SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number
generators, OOPSLA 2014): a counter times the golden ratio, then two rounds of shift, xor and multiplication, after
which neighbouring counters have nothing in common. It is defined on unsigned numbers; int64 wraps to the same bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

import torch
from torch import Tensor

from seqrec.functional.constants import counting


class Stream(IntEnum):
    """The uses of random numbers. Uses with the same number never occur in one model: that would give equal draws.

    The numbers are part of what a seed means. Changing one changes the results of its model.
    """

    NEGATIVES = 0  # of the loss on the next item
    MASK = 0  # which positions are hidden or replaced
    EDGES = 0  # which edges of a graph are reconstructed
    VIEW = 1  # a changed history, or augmented states
    PARTNER = 1  # another history of the same target
    REPLACEMENT = 1  # what is put in at replaced positions
    OUTSIDE = 1  # items that a history does not have
    FIRST_ITEM = 1  # negatives of a loss on the first item
    OTHER_ENDS = 1  # of the edges
    MASK_KIND = 1  # of a whole batch
    SECOND_VIEW = 2
    SEGMENT = 2  # which stretch of a history is hidden
    PATHS = 2  # of a graph: this number and those after it, one for each draw
    NEIGHBOURS = 3  # of items


_GOLDEN = -7046029254386353131  # 0x9E3779B97F4A7C15 as a signed number
_MIX_1 = -4658895280553007687  # 0xBF58476D1CE4E5B9
_MIX_2 = -7723592293110705685  # 0x94D049BB133111EB


def _shift(x: Tensor, bits: int) -> Tensor:
    """Logical shift to the right; that of torch fills in the sign."""
    return (x >> bits) & ((1 << (64 - bits)) - 1)


def _mixed(x: Tensor) -> Tensor:
    """The hash but for its last step."""
    x = (x ^ _shift(x, 30)) * _MIX_1
    return (x ^ _shift(x, 27)) * _MIX_2


def _hash(x: Tensor) -> Tensor:
    x = _mixed(x)
    return x ^ _shift(x, 31)


def _upper_bits(x: Tensor) -> Tensor:
    """The upper 24 bits of the hash, which its last step leaves as they are."""
    return _shift(_mixed(x), 40)


def _wrapped(x: int) -> int:
    """A whole number as int64 holds it."""
    return (x + (1 << 63)) % (1 << 64) - (1 << 63)


def _hashed(x: int) -> int:
    """:func:`_hash` of one number, without an operator."""
    for bits, factor in ((30, _MIX_1), (27, _MIX_2)):
        x = _wrapped((x ^ (x % (1 << 64)) >> bits) * factor)
    return _wrapped(x ^ (x % (1 << 64)) >> 31)


def rng_keys(seed: int, epoch: int, example: Tensor, stream: int) -> Tensor:
    """Keys ``(...)`` int64 of examples ``(...)``.

    Args:
        seed: of the run.
        epoch: number of the epoch.
        example: int64 numbers of the training windows, or of batches or items where draws belong to those.
        stream: a :class:`Stream`; each use that one example has in an epoch needs its own.
    """
    return _hash(_first(seed, epoch, stream) + example * _GOLDEN)


def rng_keys_of_streams(seed: int, epoch: int, example: Tensor, streams: Sequence[int]) -> tuple[Tensor, ...]:
    """:func:`rng_keys` of each of some streams, ``(...)`` each, which a GPU hashes together."""
    counted = example * _GOLDEN
    return _hash(torch.stack([_first(seed, epoch, stream) + counted for stream in streams])).unbind()


def _first(seed: int, epoch: int, stream: int) -> int:
    """From where a stream counts examples."""
    return _hashed(_wrapped((seed * 1_000_003 + stream) * _GOLDEN + epoch))


def split(key: Tensor, n: int) -> Tensor:
    """``n`` independent keys of each key: ``(...)`` -> ``(..., n)``."""
    return _hash(_counted(key, n))


def _counted(key: Tensor, n: int) -> Tensor:
    """What is hashed for ``n`` draws of each key."""
    if n == 1:
        return key[..., None] + _GOLDEN
    return key[..., None] + counting(1, n + 1, key.device, _GOLDEN)


def uniform(key: Tensor, n: int) -> Tensor:
    """``n`` float32 draws in [0, 1) of each key: ``(...)`` -> ``(..., n)``."""
    return _upper_bits(_counted(key, n)) * 2.0**-24  # exact: 24 bits are a float32


def integers(key: Tensor, n: int, high: int | Tensor) -> Tensor:
    """``n`` int64 draws in ``[0, high)`` of each key: ``(...)`` -> ``(..., n)``; high is below 2**31."""
    return integers_of(split(key, n), high)


def uniform_of(parts: Tensor) -> Tensor:
    """The draws of :func:`uniform` from what :func:`split` gives for the same key and n, of the same shape."""
    return _shift(parts, 40) * 2.0**-24


def integers_of(parts: Tensor, high: int | Tensor) -> Tensor:
    """The draws of :func:`integers` from what :func:`split` gives for the same key and n, of the same shape."""
    return (_shift(parts, 32) * high) >> 32


def nth_uniform(key: Tensor, n: Tensor) -> Tensor:
    """Draw number ``n`` ``(...)``, from 0, of each key ``(...)``: ``uniform(key, n + 1)[..., n]``."""
    return _upper_bits(key + (n + 1) * _GOLDEN) * 2.0**-24
