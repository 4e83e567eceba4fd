"""What recommended lists are like as a whole, from how often each item stands in them."""

from __future__ import annotations

import torch
from torch import Tensor


def coverage(listed: Tensor) -> float:
    """Share of the catalogue that stands in at least one list.

    Args:
        listed: ``(I,)`` int64, how many lists hold each item.
    """
    return float((listed > 0).double().mean())


def gini(listed: Tensor) -> float:
    """Gini coefficient of the places of ``(I,)`` items: 0 if all have as many, towards 1 if few items have all."""
    rising, count = listed.double().sort().values, len(listed)
    place = torch.arange(1, count + 1, dtype=torch.float64)
    return float((2 * (place * rising).sum() / rising.sum() - (count + 1)) / count)


def novelty(listed: Tensor, trained: Tensor) -> float:
    """Mean surprise of a place, in bits: -log2 of the item's share of the training interactions.

    Each item counts once more than it occurs, so that one without training interactions has a share.

    Args:
        listed: ``(I,)`` int64, how many lists hold each item.
        trained: ``(I,)`` int64, training interactions of each item.
    """
    share = (trained + 1).double() / (trained + 1).sum()
    return float((-share.log2() * listed).sum() / listed.sum())


def popularity_bias(listed: Tensor, wanted: Tensor, trained: Tensor) -> float:
    """Mean training interactions of a listed item over those of a target; above 1 lists lean towards popular items.

    Args:
        listed: ``(I,)`` int64, how many lists hold each item.
        wanted: ``(I,)`` int64, of how many lists each item is the target.
        trained: ``(I,)`` int64, training interactions of each item.
    """
    of_lists, of_targets = ((trained * one).sum().double() / one.sum() for one in (listed, wanted))
    return float(of_lists / of_targets)
