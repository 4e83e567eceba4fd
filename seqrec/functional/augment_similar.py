"""Changes of item histories that know which items are similar, on whole batches (CoSeRec).

Shapes as in :mod:`seqrec.functional.augment`; ``similar`` ``(I + 2,)`` holds the most similar item of each item.
Source: Liu et al., Contrastive Self-supervised Sequential Recommendation with Robust Augmentation, 2021.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from seqrec.functional.augment import Place, before_newest, crop, mask, random_order, reorder, share
from seqrec.functional.keyed_random import integers, split
from seqrec.functional.ragged import ABSENT, Ragged, together

OPERATORS = ("crop", "mask", "reorder", "insert", "substitute")


def substitute(histories: Ragged, rank: Tensor, ratio: float, similar: Tensor) -> Ragged:
    """Put the most similar item in place of the first ``max(1, floor(ratio * n))`` items of a random order."""
    exchanged = rank < histories.each(_share(ratio, histories.length))
    return histories._replace(items=torch.where(exchanged, similar[histories.items], histories.items))


def insert(histories: Ragged, rank: Tensor, ratio: float, similar: Tensor) -> Ragged:
    """Put the most similar item before each of the first ``max(1, floor(ratio * n))`` items of a random order."""
    items, row, place, length = histories
    count = _share(ratio, length)
    before = rank < histories.each(count)
    earlier = count.cumsum(0) - count  # put in before the history
    moved = place + before.cumsum(0) - histories.each(earlier)
    put_in = torch.where(before, moved - 1, ABSENT)
    return Ragged(torch.cat([items, similar[items]]), row.repeat(2), torch.cat([moved, put_in]), length + count)


def informative(
    histories: Ragged,
    rng_keys: Tensor,
    token: int,
    similar: Tensor,
    threshold: int,
    short: Sequence[str],
    crop_ratio: float,
    mask_ratio: float,
    reorder_ratio: float,
    insert_ratio: float,
    substitute_ratio: float,
    place: Place = before_newest,
) -> Ragged:
    """One of five operators for each row, with equal chances among those that its length allows.

    Args:
        histories: of B rows.
        rng_keys: ``(B,)``.
        token: what :func:`seqrec.functional.augment.mask` puts in.
        similar: ``(I + 2,)``.
        threshold: K; longer histories get any of :data:`OPERATORS`, others one of ``short``.
        short: names of operators.
        crop_ratio, mask_ratio, reorder_ratio, insert_ratio, substitute_ratio: tau, gamma, beta, rho, sigma.
        place: where stretches may lie.

    Raises:
        ValueError: ``short`` is empty or has a name that is not an operator's.
    """
    if not short or not set(short) <= set(OPERATORS):
        raise ValueError(f"operators of short histories are {list(short)}; choose one or more of {list(OPERATORS)}")
    choice_keys, rng_keys = split(rng_keys, 2).unbind(1)
    numbers = torch.tensor([OPERATORS.index(name) for name in short], device=rng_keys.device)
    is_short = histories.length <= threshold
    drawn = integers(choice_keys, 1, torch.where(is_short, len(numbers), len(OPERATORS))[:, None])[:, 0]
    choice = torch.where(is_short, numbers[drawn.clamp(max=len(numbers) - 1)], drawn)
    cropped, hidden, shuffled, longer, exchanged = (histories.of(choice == k) for k in range(len(OPERATORS)))
    changed = (
        crop(cropped, rng_keys, crop_ratio, place),
        mask(hidden, random_order(hidden, rng_keys), mask_ratio, token),
        reorder(shuffled, rng_keys, reorder_ratio, place),
        insert(longer, random_order(longer, rng_keys), insert_ratio, similar),
        substitute(exchanged, random_order(exchanged, rng_keys), substitute_ratio, similar),
    )
    return together(changed)


def _share(ratio: float, length: Tensor) -> Tensor:
    """``max(1, floor(ratio * n))`` of lengths ``(B,)``, 0 of 0."""
    return share(ratio, length).clamp(min=1).minimum(length)
