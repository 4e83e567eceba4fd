"""Changes of item histories that know which items are similar, on whole right-padded batches (CoSeRec).

Shapes as in :mod:`seqrec.functional.augment`; ``similar`` ``(I + 2,)`` holds the most similar item of each item.
Source: Liu et al., Contrastive Self-supervised Sequential Recommendation with Robust Augmentation, 2021.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from seqrec.functional.augment import Place, before_newest, choose, crop, mask, reorder, share, subset
from seqrec.functional.random import integers, split

OPERATORS = ("crop", "mask", "reorder", "insert", "substitute")


def substitute(items: Tensor, keys: Tensor, ratio: float, similar: Tensor) -> Tensor:
    """Put the most similar item in place of ``max(1, floor(ratio * n))`` random items."""
    return torch.where(_some(items, keys, ratio), similar[items], items)


def insert(items: Tensor, keys: Tensor, ratio: float, similar: Tensor) -> Tensor:
    """Put the most similar item before each of ``max(1, floor(ratio * n))`` random items.

    Returns:
        ``(B, L + max(1, floor(ratio * L)))``.
    """
    chosen = _some(items, keys, ratio)
    length = items.shape[1]
    place = torch.arange(length, device=items.device) + chosen.cumsum(1)
    longer = items.new_zeros(len(items), length + max(1, int(ratio * length)))
    # The first write leaves an item's own place empty where something comes before it, the second fills it.
    longer.scatter_(1, place - chosen.long(), torch.where(chosen, similar[items], items))
    return longer.scatter_(1, place, items)


def informative(
    items: Tensor,
    keys: Tensor,
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
) -> Tensor:
    """One of five operators for each row, with equal chances among those that its length allows.

    Args:
        items: ``(B, L)``.
        keys: ``(B,)``.
        token: what :func:`seqrec.functional.augment.mask` puts in.
        similar: ``(I + 2,)``.
        threshold: K; longer histories get any of :data:`OPERATORS`, others one of ``short``.
        short: names of operators.
        crop_ratio, mask_ratio, reorder_ratio, insert_ratio, substitute_ratio: tau, gamma, beta, rho, sigma.
        place: where stretches may lie.

    Returns:
        ``(B, L')``, L' at least L.

    Raises:
        ValueError: ``short`` is empty or has a name that is not an operator's.
    """
    if not short or not set(short) <= set(OPERATORS):
        raise ValueError(f"operators of short histories are {list(short)}; choose one or more of {list(OPERATORS)}")
    choice_keys, keys = split(keys, 2).unbind(1)
    longer = insert(items, keys, insert_ratio, similar)
    same_length = (
        crop(items, keys, crop_ratio, place),
        mask(items, keys, mask_ratio, token),
        reorder(items, keys, reorder_ratio, place),
        substitute(items, keys, substitute_ratio, similar),
    )
    cropped, masked, reordered, substituted = (F.pad(x, (0, longer.shape[1] - x.shape[1])) for x in same_length)
    numbers = torch.tensor([OPERATORS.index(name) for name in short], device=items.device)
    is_short = (items != 0).sum(1) <= threshold
    drawn = integers(choice_keys, 1, torch.where(is_short, len(numbers), len(OPERATORS))[:, None])[:, 0]
    choice = torch.where(is_short, numbers[drawn.clamp(max=len(numbers) - 1)], drawn)
    return choose(choice, cropped, masked, reordered, longer, substituted)


def _some(items: Tensor, keys: Tensor, ratio: float) -> Tensor:
    """``max(1, floor(ratio * n))`` random items of each row, as bool ``(B, L)``."""
    valid = items != 0
    return subset(keys, valid, share(ratio, valid.sum(1)).clamp(min=1))
