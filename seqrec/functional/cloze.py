"""The cloze task: which items of a right-padded history are hidden, and which of those are supervised.

BERT4Rec's rules, and those of ECL-SR's generator, whose supervised items are the ones that it fills in.

Shapes: items ``(B, L)``, 0 pads on the right; rng_keys ``(B,)``, see :mod:`seqrec.functional.keyed_random`.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from seqrec.functional.augment import masked_positions, subset
from seqrec.functional.keyed_random import integers, split, uniform


def independent(items: Tensor, rng_keys: Tensor, ratio: float, most: int) -> tuple[Tensor, Tensor]:
    """Each item with probability ``ratio``, as in RecBole.

    Args:
        items: ``(B, L)``.
        rng_keys: ``(B,)``.
        ratio: of hidden items.
        most: hidden items of a history that are supervised, see :func:`supervised_slots`.

    Returns:
        Hidden and supervised positions, both ``(B, L)`` bool.
    """
    hidden = (items != 0) & (uniform(rng_keys, items.shape[1]) < ratio)
    return hidden, supervised_slots(hidden, most)


def supervised_slots(hidden: Tensor, most: int) -> Tensor:
    """The newest ``most`` of the ``hidden`` positions ``(B, L)`` of each row, but never the first position.

    RecBole marks an unused slot with the index 0, so what is hidden there does not count.
    """
    after_first = torch.arange(hidden.shape[1], device=hidden.device) > 0
    return newest(hidden, most) & after_first


def newest(hidden: Tensor, most: int) -> Tensor:
    """The newest ``most`` of the ``hidden`` positions ``(B, L)`` of each row."""
    newer = hidden.flip(1).cumsum(1).flip(1)
    return hidden & (newer <= most)


def exact_share(items: Tensor, rng_keys: Tensor, ratio: float, most: int) -> tuple[Tensor, Tensor]:
    """``round(ratio * n)`` of n items, at least one and at most ``most``, and all are supervised.

    The form with which Petrov and Macdonald reach BERT4Rec's published quality (A Systematic Review and
    Replicability Study of BERT4Rec for Sequential Recommendation, RecSys 2022). Arguments and result as in
    :func:`independent`.
    """
    valid = items != 0
    count = (ratio * valid.sum(1).double()).round().long().clamp(max=most).clamp(min=1)
    hidden = subset(rng_keys, valid, count)
    return hidden, hidden


def sampled(items: Tensor, rng_keys: Tensor, ratio: float, most: int) -> tuple[Tensor, Tensor]:
    """``floor(ratio * n) + 1`` of n items, never the first; "sample" in ECL-SR's code.

    It keeps the last ``most`` of the list in which it draws them. The order of drawing is random, so that these are
    any of the hidden items, not the newest. Arguments and result as in :func:`independent`.
    """
    hidden = masked_positions(items, rng_keys, ratio)
    drawn_first = subset(rng_keys, hidden, hidden.sum(1) - most)
    return hidden, hidden & ~drawn_first


def left_to_right(items: Tensor, rng_keys: Tensor, ratio: float, most: int, max_length: int) -> tuple[Tensor, Tensor]:
    """Each item with probability ``ratio``, from the oldest on; "prob" in ECL-SR's code.

    It stops where ``ratio * max_length + 1`` are found, and never hides the first item of a full window. Where none is
    found, it takes the newest. Of more than ``most`` the newest are supervised. Other arguments and result as in
    :func:`independent`.
    """
    valid = items != 0
    length = valid.sum(1, keepdim=True)
    column = torch.arange(items.shape[1], device=items.device)
    drawn = valid & (uniform(rng_keys, items.shape[1]) < ratio) & ((column > 0) | (length < max_length))
    found_before = drawn.long().cumsum(1) - drawn.long()
    none = ~drawn.any(1, keepdim=True)
    hidden = (drawn & (found_before < ratio * max_length + 1)) | (none & (column == length - 1))
    return hidden, newest(hidden, most)


def append(items: Tensor, newest: Tensor, drop: Tensor) -> Tensor:
    """Put ``newest`` ``(B,)`` at the end of each history and take the oldest item away where ``drop`` ``(B,)`` is True.

    Returns:
        ``(B, L + 1)``.
    """
    longer = F.pad(items, (0, 1)).scatter(1, (items != 0).sum(1, keepdim=True), newest[:, None])
    return torch.where(drop[:, None], F.pad(longer[:, 1:], (0, 1)), longer)


def bert_view(items: Tensor, rng_keys: Tensor, ratio: float, token: int) -> tuple[Tensor, Tensor]:
    """BERT's rule: an item is supervised with probability ``ratio``; of those, 80 % are hidden and 10 % exchanged.

    Args:
        items: ``(B, L)``.
        rng_keys: ``(B,)``.
        ratio: of supervised items.
        token: hides an item, I + 1; an exchanged one becomes any of ``1..I``.

    Returns:
        The changed items ``(B, L)``, and the supervised positions ``(B, L)`` bool.
    """
    place_keys, item_keys = split(rng_keys, 2).unbind(-1)
    draw = uniform(place_keys, items.shape[1])
    supervised = (items != 0) & (draw < ratio)
    other = 1 + integers(item_keys, items.shape[1], token - 1)
    changed = torch.where(draw < 0.8 * ratio, token, other)
    return torch.where(supervised & (draw < 0.9 * ratio), changed, items), supervised
