"""Random changes of item histories, on whole batches.

Shapes: histories as :class:`~seqrec.functional.ragged.Ragged`, or items ``(B, L)``, 0 pads on the right; rng_keys
``(B,)``, see :mod:`.keyed_random`. The n-th draw of a key belongs to the n-th oldest item, so neither batch mates nor
padding change what a history gets.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from seqrec.functional.constants import counting
from seqrec.functional.keyed_random import integers, nth_uniform, split, uniform
from seqrec.functional.ragged import ABSENT, Ragged, together

Place = Callable[[Tensor, Tensor, Tensor], Tensor]
"""First column ``(B,)`` of a stretch, from rng_keys, lengths n and numbers of items in the stretch, each ``(B,)``."""


def anywhere(rng_keys: Tensor, length: Tensor, count: Tensor) -> Tensor:
    """A :data:`Place`: each of ``0 .. n - count`` with the same probability."""
    return _below(rng_keys, length - count.clamp(min=1) + 1)


def before_newest(rng_keys: Tensor, length: Tensor, count: Tensor) -> Tensor:
    """A :data:`Place` that leaves the newest item out, ``0 .. n - count - 1``, as in ICLRec's and CoSeRec's code."""
    return _below(rng_keys, (length - count).clamp(min=1))


def subset(rng_keys: Tensor, eligible: Tensor, count: Tensor) -> Tensor:
    """Random choice ``(B, L)`` of ``count`` ``(B,)`` of the ``eligible`` ``(B, L)`` positions of each row."""
    return lowest(uniform(rng_keys, eligible.shape[1]), eligible, count)


def lowest(drawn: Tensor, eligible: Tensor, count: Tensor) -> Tensor:
    """The ``count`` ``(B,)`` of the ``eligible`` ``(B, L)`` positions of each row whose draws ``(B, L)`` are lowest."""
    order = drawn.masked_fill(~eligible, 2.0)
    return (_ranks(order) < count[:, None]) & eligible


def _ranks(drawn: Tensor) -> Tensor:
    """Rank of each of the draws ``(B, L)`` in its row, from 0; of equal ones the first is the lower."""
    if not drawn.is_cuda:
        return drawn.argsort(dim=1, stable=True).argsort(dim=1)
    # Sorting takes a GPU several kernels, counting all pairs two. Draws are multiples of 2**-24: their column is added
    # below the last bit, in float64, so that no two are equal.
    column = counting(0, drawn.shape[1], drawn.device, dtype=torch.float64)
    unequal = torch.add(column, drawn, alpha=2.0**48)
    return (unequal[:, None] < unequal[..., None]).sum(2)


def share(ratio: float, length: Tensor) -> Tensor:
    """``floor(ratio * n)`` of lengths ``(B,)``, in float64 as written."""
    return (length * torch.tensor(ratio, dtype=torch.float64)).long()


def masked_positions(items: Tensor, rng_keys: Tensor, ratio: float, extra: int = 1) -> Tensor:
    """Positions ``(B, L)`` to fill in: ``floor(ratio * n) + extra``, at most n - 1, never the first."""
    after_first = items != 0
    length = after_first.sum(1)
    after_first[:, :1].fill_(False)
    return subset(rng_keys, after_first, (share(ratio, length) + extra).minimum(length - 1))


def crop(histories: Ragged, rng_keys: Tensor, ratio: float, place: Place = anywhere) -> Ragged:
    """Keep a random stretch of ``floor(ratio * n)`` items, at least one (CL4SRec, eq. 4)."""
    count = share(ratio, histories.length)
    start, kept = place(rng_keys, histories.length, count), count.clamp(min=1).minimum(histories.length)
    moved = histories.place - histories.each(start)
    return histories._replace(place=torch.where(moved >= 0, moved, ABSENT), length=kept)


def mask(histories: Ragged, rank: Tensor, ratio: float, token: int) -> Ragged:
    """Put ``token`` in place of the first ``floor(ratio * n)`` items of a random order (CL4SRec, eq. 5)."""
    hidden = rank < histories.each(share(ratio, histories.length))
    return histories._replace(items=torch.where(hidden, token, histories.items))


def reorder(histories: Ragged, rng_keys: Tensor, ratio: float, place: Place = anywhere) -> Ragged:
    """Shuffle a random stretch of ``floor(ratio * n)`` items (CL4SRec, eq. 6)."""
    items, row, old, length = histories
    count = share(ratio, length)
    place_keys, order_keys = split(rng_keys, 2).unbind(1)
    start, moved = histories.each(place(place_keys, length, count)), histories.each(count)
    # One sort shuffles all stretches at once. Outside of a stretch an item sorts by its place. Within, it sorts by a
    # random number between the first and the last place of the stretch, so it stays there. The number of items in the
    # histories before is added; float32 could not separate the places of a large batch, float64 can.
    shuffled = start + nth_uniform(histories.each(order_keys), old).double() * moved
    goal = torch.where((old >= start) & (old < start + moved), shuffled, old.double())
    return histories._replace(items=items[(histories.each(_first(row, len(length))) + goal).argsort()])


def random_order(histories: Ragged, rng_keys: Tensor) -> Tensor:
    """Rank ``(N,)`` of each item in a random order of its history, from 0; that of an absent item is not below n."""
    # Twice the row and a number in [0, 1] sort by row first; absent items have 1 and so come last in theirs.
    row = histories.row
    drawn = torch.where(histories.present, nth_uniform(histories.each(rng_keys), histories.place), 1.0)
    order = (2.0 * row + drawn.double()).argsort(stable=True)
    rank = torch.empty_like(order)
    rank[order] = torch.arange(len(order), device=order.device) - histories.each(_first(row, len(rng_keys)))
    return rank


def dsa(
    histories: Ragged,
    rng_keys: Tensor,
    token: int,
    crop_ratio: float,
    mask_ratio: float,
    reorder_ratio: float,
    place: Place = anywhere,
) -> Ragged:
    """One of crop, mask and reorder for each row, with equal chances (CL4SRec's view; ICLRec's; EASNRec Fig. 6)."""
    choice_keys, rng_keys = split(rng_keys, 2).unbind(1)
    choice = integers(choice_keys, 1, 3)[:, 0]
    cropped, hidden, shuffled = (histories.of(choice == k) for k in range(3))
    changed = (
        crop(cropped, rng_keys, crop_ratio, place),
        mask(hidden, random_order(hidden, rng_keys), mask_ratio, token),
        reorder(shuffled, rng_keys, reorder_ratio, place),
    )
    return together(changed)


def different_views(
    histories: Ragged, rng_keys: Tensor, token: int, crop_ratio: float, mask_ratio: float, reorder_ratio: float
) -> tuple[Ragged, Ragged]:
    """Two views of each history, made by two different operators out of crop, mask and reorder, in random order.

    CL4SRec's views as its implementations draw them; the paper draws the two operators independently. Ratios
    below 1 leave a history of one item as it is.
    """
    pair_keys, crop_keys, mask_keys, reorder_keys = split(rng_keys, 4).unbind(1)
    changed = (
        crop(histories, crop_keys, crop_ratio),
        mask(histories, random_order(histories, mask_keys), mask_ratio, token),
        reorder(histories, reorder_keys, reorder_ratio),
    )
    pair = integers(pair_keys, 1, 6)[:, 0]
    first = pair % 3
    return chosen(first, *changed), chosen((first + 1 + pair // 3) % 3, *changed)


def chosen(choice: Tensor, *changed: Ragged) -> Ragged:
    """History b of the result is that of ``changed[choice[b]]``."""
    place = [torch.where(part.each(choice) == k, part.place, ABSENT) for k, part in enumerate(changed)]
    length = torch.stack([part.length for part in changed]).gather(0, choice[None])[0]
    items, row = (torch.cat(parts) for parts in ([part.items for part in changed], [part.row for part in changed]))
    return Ragged(items, row, torch.cat(place), length)


def choose(choice: Tensor, *copies: Tensor) -> Tensor:
    """Row b of the result is row b of ``copies[choice[b]]``: ``(B,)`` and tensors ``(B, ...)``."""
    index = choice.view(1, -1, *[1] * (copies[0].dim() - 1)).expand(1, *copies[0].shape)
    return torch.stack(copies).gather(0, index)[0]


def _below(rng_keys: Tensor, high: Tensor) -> Tensor:
    """A random number ``(B,)`` in ``[0, high)``."""
    return (uniform(rng_keys, 1)[:, 0].double() * high).long()


def _first(row: Tensor, count: int) -> Tensor:
    """Where each of ``count`` histories begins among items with these rows ``(N,)``."""
    return torch.searchsorted(row, torch.arange(count, device=row.device))
