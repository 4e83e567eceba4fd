"""Losses and soft contexts of MVS (Zhou et al., ACM TOIS 41 (4), 2023), as released.

Shapes: M supervised positions, N soft positions, V rows of the item table (padding and mask token are classes, too).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from seqrec.functional.chunks import rows_at_a_time

CHUNK_ELEMENTS = 1 << 21  # logits of one kind alive at a time: 8 MB; a step holds about a dozen kinds


class Smoothness(NamedTuple):
    """Means over the supervised positions.

    Attributes:
        ce: cross entropy of the clean states.
        label: symmetric KL divergence between the clean states and the complementary model's.
        ce_first, ce_second: cross entropy of the two views.
        kl_first, kl_second, kl_cross: symmetric KL divergence of each view with the clean states, and of both views.
    """

    ce: Tensor
    label: Tensor
    ce_first: Tensor
    ce_second: Tensor
    kl_first: Tensor
    kl_second: Tensor
    kl_cross: Tensor


def symmetric_kl(a: Tensor, b: Tensor, exist: Tensor | None = None) -> Tensor:
    """Sum over rows of ``(KL(p || q) + KL(q || p)) / 2`` of the softmaxes p, q of logits ``(M, V)``.

    The normalisers cancel: it is half of ``sum (p - q)(a - b)``. Rows that do not ``exist`` ``(M,)`` are left out.
    """
    apart = (torch.softmax(a, 1) - torch.softmax(b, 1)) * (a - b)
    return 0.5 * (apart if exist is None else apart * exist[:, None]).sum()


def _cross_entropy(logits: Tensor, target: Tensor, exist: Tensor | None) -> Tensor:
    """Sum over the rows that exist."""
    if exist is None:
        return F.cross_entropy(logits, target, reduction="sum")
    return (F.cross_entropy(logits, target, reduction="none") * exist).sum()


def _parts(exist: Tensor | None, rows: int, like: Tensor) -> Sequence[Tensor | None]:
    """``exist`` in parts of so many rows, as ``like`` ``(M, ...)``."""
    return [None] * len(like.split(rows)) if exist is None else exist.split(rows)


def smoothness(
    clean: Tensor,
    label: Tensor,
    first: Tensor,
    second: Tensor,
    table: Tensor,
    target: Tensor,
    exist: Tensor | None = None,
) -> Smoothness:
    """All terms, a chunk of rows at a time; logits are computed again for the gradient.

    Args:
        clean, label, first, second: states ``(M, D)`` of the model, of the complementary model and of the two views;
            gradient flows to all of them and to the table.
        table: ``(V, D)``; of the model, for the complementary states too.
        target: ``(M,)`` rows of the table.
        exist: ``(M,)`` bool, the positions that count; None: all.
    """
    rows = rows_at_a_time(len(table), CHUNK_ELEMENTS, table)
    total = table.new_zeros(len(Smoothness._fields))
    parts = [x.split(rows) for x in (clean, label, first, second, target)]
    for part in zip(*parts, _parts(exist, rows, target), strict=True):
        total = total + checkpoint(_sums, table, *part, use_reentrant=False)
    return Smoothness(*(total / _number(target, exist)).unbind())


def _number(x: Tensor, exist: Tensor | None) -> int | Tensor:
    """How many rows of x exist, at least 1."""
    return max(1, len(x)) if exist is None else exist.sum().clamp(min=1)


def _sums(
    table: Tensor,
    clean: Tensor,
    label: Tensor,
    first: Tensor,
    second: Tensor,
    target: Tensor,
    exist: Tensor | None,
) -> Tensor:
    """Sums of the terms over a few rows, ``(7,)``."""
    of_clean, of_label, of_first, of_second = (states @ table.T for states in (clean, label, first, second))
    return torch.stack(
        [
            _cross_entropy(of_clean, target, exist),
            symmetric_kl(of_clean, of_label, exist),
            _cross_entropy(of_first, target, exist),
            _cross_entropy(of_second, target, exist),
            symmetric_kl(of_first, of_clean, exist),
            symmetric_kl(of_second, of_clean, exist),
            symmetric_kl(of_first, of_second, exist),
        ]
    )


def mean_symmetric_kl(a: Tensor, b: Tensor, table: Tensor, exist: Tensor | None = None) -> Tensor:
    """Mean over positions that ``exist`` of the divergence between states ``(M, D)``, a chunk of rows at a time."""

    def of_states(x: Tensor, y: Tensor, some: Tensor | None) -> Tensor:
        return symmetric_kl(x @ table.T, y @ table.T, some)

    rows = rows_at_a_time(len(table), CHUNK_ELEMENTS, table)
    total = table.new_zeros(())
    for part in zip(a.split(rows), b.split(rows), _parts(exist, rows, a), strict=True):
        total = total + checkpoint(of_states, *part, use_reentrant=False)
    return total / _number(a, exist)


def clamped_noise(noise: Tensor, scale: float) -> Tensor:
    """Standard normal draws ``(N, V)`` times ``scale``, cut at one deviation."""
    return (noise * scale).clamp_(-scale, scale)


def adversarial_noise(noise: Tensor, gradient: Tensor, table: Tensor, step: float, scale: float) -> Tensor:
    """Noise after one step of length ``step`` up the gradient, cut at ``scale`` again.

    Args:
        noise: ``(N, V)``, changed in place.
        gradient: ``(N, D)`` of the loss with respect to the soft embeddings ``(q + noise) @ table``; that with
            respect to the noise is ``gradient @ table.T``, whose norm needs no matrix of that size.
        table: ``(V, D)``.
    """
    squared = ((gradient @ (table.T @ table)) * gradient).sum()
    length = squared.clamp(min=0).sqrt()
    direction = torch.where(length > 0, gradient * (step / length), 0.0)
    return noise.addmm_(direction, table.T).clamp_(-scale, scale)
