"""Random changes of item histories, on whole right-padded batches.

Shapes: items ``(B, L)``, 0 pads on the right; keys ``(B,)``, see :mod:`seqrec.functional.random`. The n-th
draw of a key belongs to the n-th oldest item, so neither batch mates nor padding change what a row gets.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from seqrec.functional.random import integers, split, uniform

Place = Callable[[Tensor, Tensor, Tensor], Tensor]
"""First column ``(B,)`` of a stretch, of keys, lengths n and numbers of items ``(B,)`` in the stretch."""


def anywhere(keys: Tensor, length: Tensor, count: Tensor) -> Tensor:
    """A :data:`Place`: all places are as likely, ``0 .. n - count``."""
    return _below(keys, length - count.clamp(min=1) + 1)


def before_newest(keys: Tensor, length: Tensor, count: Tensor) -> Tensor:
    """A :data:`Place` that leaves the newest item out, ``0 .. n - count - 1``, as in ICLRec's and CoSeRec's code."""
    return _below(keys, (length - count).clamp(min=1))


def subset(keys: Tensor, eligible: Tensor, count: Tensor) -> Tensor:
    """Random choice ``(B, L)`` of ``count`` ``(B,)`` of the ``eligible`` ``(B, L)`` positions of each row."""
    order = uniform(keys, eligible.shape[1]).masked_fill(~eligible, 2.0)
    return (order.argsort(dim=1, stable=True).argsort(dim=1) < count[:, None]) & eligible


def share(ratio: float, length: Tensor) -> Tensor:
    """``floor(ratio * n)`` of lengths ``(B,)``, in float64 as written."""
    return (ratio * length.double()).floor().long()


def masked_positions(items: Tensor, keys: Tensor, ratio: float) -> Tensor:
    """Positions ``(B, L)`` to fill in: ``floor(ratio * n) + 1``, at most n - 1, never the first."""
    length = (items != 0).sum(1)
    after_first = (items != 0) & (torch.arange(items.shape[1], device=items.device) > 0)
    return subset(keys, after_first, (share(ratio, length) + 1).minimum(length - 1))


def masked_left_to_right(items: Tensor, keys: Tensor, ratio: float, max_length: int) -> Tensor:
    """Positions ``(B, L)`` to fill in as ECL-SR's code draws them: each item with probability ``ratio``.

    From the oldest on, until ``ratio * max_length + 1`` are found; never the first item of a full window. Where none
    is found, the newest.
    """
    valid = items != 0
    length = valid.sum(1, keepdim=True)
    column = torch.arange(items.shape[1], device=items.device)
    drawn = valid & (uniform(keys, items.shape[1]) < ratio) & ((column > 0) | (length < max_length))
    found_before = drawn.long().cumsum(1) - drawn.long()
    none = ~drawn.any(1, keepdim=True)
    return (drawn & (found_before < ratio * max_length + 1)) | (none & (column == length - 1))


def crop(items: Tensor, keys: Tensor, ratio: float, place: Place = anywhere) -> Tensor:
    """Keep a random stretch of ``floor(ratio * n)`` items, at least one (CL4SRec, eq. 4)."""
    length = (items != 0).sum(1)
    count = share(ratio, length)
    start, kept = place(keys, length, count), count.clamp(min=1)
    column = torch.arange(items.shape[1], device=items.device)
    moved = items.gather(1, (start[:, None] + column).clamp(max=items.shape[1] - 1))
    return moved * (column < kept[:, None])


def mask(items: Tensor, keys: Tensor, ratio: float, token: int) -> Tensor:
    """Put ``token`` in place of ``floor(ratio * n)`` random items (CL4SRec, eq. 5)."""
    valid = items != 0
    return items.masked_fill(subset(keys, valid, share(ratio, valid.sum(1))), token)


def reorder(items: Tensor, keys: Tensor, ratio: float, place: Place = anywhere) -> Tensor:
    """Shuffle a random stretch of ``floor(ratio * n)`` items (CL4SRec, eq. 6)."""
    length = (items != 0).sum(1)
    moved = share(ratio, length)
    place_keys, order_keys = split(keys, 2).unbind(1)
    start = place(place_keys, length, moved)[:, None]
    column = torch.arange(items.shape[1], device=items.device)
    inside = (column >= start) & (column < start + moved[:, None])
    # Within the stretch a position sorts at start + u * stretch, so it stays between its neighbours outside.
    shuffled = start + uniform(order_keys, items.shape[1]).double() * moved[:, None]
    return items.gather(1, torch.where(inside, shuffled, column.double()).argsort(dim=1))


def dsa(
    items: Tensor,
    keys: Tensor,
    token: int,
    crop_ratio: float,
    mask_ratio: float,
    reorder_ratio: float,
    place: Place = anywhere,
) -> Tensor:
    """One of crop, mask and reorder for each row, with equal chances (CL4SRec's view; ICLRec's; EASNRec Fig. 6)."""
    choice_keys, keys = split(keys, 2).unbind(1)
    changed = (
        crop(items, keys, crop_ratio, place),
        mask(items, keys, mask_ratio, token),
        reorder(items, keys, reorder_ratio, place),
    )
    return choose(integers(choice_keys, 1, 3)[:, 0], *changed)


def different_views(
    items: Tensor, keys: Tensor, token: int, crop_ratio: float, mask_ratio: float, reorder_ratio: float
) -> tuple[Tensor, Tensor]:
    """Two views ``(B, L)`` of each history by two different ones of crop, mask and reorder, in random order.

    CL4SRec's views as its implementations draw them; the paper draws the two operators independently. Ratios
    below 1 leave a history of one item as it is.
    """
    pair_keys, crop_keys, mask_keys, reorder_keys = split(keys, 4).unbind(1)
    changed = (
        crop(items, crop_keys, crop_ratio),
        mask(items, mask_keys, mask_ratio, token),
        reorder(items, reorder_keys, reorder_ratio),
    )
    pair = integers(pair_keys, 1, 6)[:, 0]
    first = pair % 3
    return choose(first, *changed), choose((first + 1 + pair // 3) % 3, *changed)


def choose(choice: Tensor, *copies: Tensor) -> Tensor:
    """Row b of the result is row b of ``copies[choice[b]]``: ``(B,)`` and tensors ``(B, ...)``."""
    index = choice.view(1, -1, *[1] * (copies[0].dim() - 1)).expand(1, *copies[0].shape)
    return torch.stack(copies).gather(0, index)[0]


def _below(keys: Tensor, high: Tensor) -> Tensor:
    """A random number ``(B,)`` in ``[0, high)``."""
    return (uniform(keys, 1)[:, 0].double() * high).long()
