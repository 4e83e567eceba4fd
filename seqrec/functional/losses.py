"""Losses over items: full softmax in chunks, and losses with sampled negatives.

Shapes: M positions, I items, K negatives a position. ``table`` is the embedding table ``(I + 2, D)`` whose
row 0 is padding and whose last row is the mask token.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from seqrec.functional.keyed_random import integers
from seqrec.functional.precision import at_least_float, factor_type
from seqrec.functional.softmax import fused
from seqrec.functional.softmax.chunked import chunked_cross_entropy
from seqrec.functional.softmax.divided import Rows, divided_cross_entropy, is_divided, part

PairLoss = Callable[..., Tensor]
"""Loss of the targets' scores ``(M,)`` and the negatives' ``(M, K)``, and of ``weight``, see :func:`mean`."""


class NextItemLoss(Protocol):
    """Loss of ``(states (M, D), target (M,), table (I + 2, D), rng_keys (M,))``.

    One that also takes ``weight`` ``(M,)``, see :func:`mean`, does not let a GPU be asked how many positions there are.
    """

    def __call__(self, states: Tensor, target: Tensor, table: Tensor, rng_keys: Tensor) -> Tensor:
        """A scalar, the mean over positions."""


@torch.compiler.assume_constant_result
def weighs(loss: Callable[..., Tensor]) -> bool:
    """Whether a loss takes the weights of its positions."""
    return "weight" in inspect.signature(loss).parameters


def weighed(loss: Callable[..., Tensor], weight: Tensor | None) -> Callable[..., Tensor]:
    """A loss that has its weights, where there are any."""
    return loss if weight is None else partial(loss, weight=weight)


def draws(loss: Callable[..., Tensor]) -> bool:
    """Whether a loss may use its random keys."""
    return getattr(loss, "func", loss) not in (next_item, whole_table)


def mean(values: Tensor, weight: Tensor | None) -> Tensor:
    """Mean of all of ``values`` ``(M, ...)``, over positions with ``weight`` ``(M,)``, which sums to 1, where given."""
    if weight is None:
        return values.mean()
    of_position = values.flatten(1).mean(1) if values.dim() > 1 else values
    return (of_position * weight.to(values.dtype)).sum()


def cross_entropy(states: Tensor, classes: Tensor | Rows, target: Tensor, weight: Tensor | None = None) -> Tensor:
    """Cross entropy of ``softmax(states @ classes.T)``, never holding all logits at a time.

    Args:
        states: ``(M, D)``.
        classes: ``(C, D)`` one vector a class, or the :class:`~seqrec.functional.softmax.divided.Rows` of them.
        target: ``(M,)`` int64, rows of ``classes``.
        weight: ``(M,)`` weights of the positions; default 1 / M, the mean.

    Returns:
        Scalar, the weighted sum; 0 for M = 0. Computed in float32 at least, but for the factors of the large products,
        which are bfloat16 where autocast says so.
    """
    if fused.wins(classes, states):
        return fused.fused_cross_entropy(states, classes, target, _mean(states) if weight is None else weight)
    return soft_label_cross_entropy(states, classes, target[:, None], None, weight)


def soft_label_cross_entropy(
    states: Tensor, classes: Tensor | Rows, items: Tensor, probabilities: Tensor | None, weight: Tensor | None = None
) -> Tensor:
    """Cross entropy against distributions over a few classes each (FENRec, eq. 8), without a dense label.

    Args:
        states: ``(M, D)``.
        classes: as in :func:`cross_entropy`.
        items: ``(M, K)`` int64, rows of ``classes``; one that occurs twice has the sum of both probabilities.
        probabilities: ``(M, K)``, probabilities that sum to 1; None for K = 1.
        weight: as in :func:`cross_entropy`.

    Returns:
        Scalar, as :func:`cross_entropy`.
    """
    if weight is None:
        weight = _mean(states)
    factors = factor_type(states)
    with torch.autocast(states.device.type, enabled=False):
        if probabilities is not None:
            probabilities = at_least_float(probabilities, states)
        labels = items, probabilities, at_least_float(weight, states)
        if is_divided(classes):
            classes = part(classes, 0, len(classes))
        if isinstance(classes, Rows):
            return divided_cross_entropy(at_least_float(states), classes, *labels)
        states, classes = at_least_float(states), at_least_float(classes, states)
        return chunked_cross_entropy(states, classes, *labels, factors)


def _mean(states: Tensor) -> Tensor:
    """Weights of positions ``(M, D)`` that make a sum their mean, not rounded to the type of the states."""
    return at_least_float(states).new_full((len(states),), 1.0 / max(1, len(states)))


def next_item(
    states: Tensor,
    target: Tensor,
    table: Tensor,
    rng_keys: Tensor,
    padding_class: bool = False,
    weight: Tensor | None = None,
) -> Tensor:
    """Mean cross entropy over all items (EASNRec eq. 2; SASRec in RecBole's form with ``padding_class``).

    Args:
        states: ``(M, D)``.
        target: ``(M,)`` ids 1..I.
        table: ``(I + 2, D)``.
        rng_keys: not used by this loss.
        padding_class: count the padding row as a class, as RecBole does.
        weight: as in :func:`cross_entropy`.
    """
    first = 0 if padding_class else 1
    classes = part(table, first, len(table) - 1) if is_divided(table) else table[first:-1]
    return cross_entropy(states, classes, target - first, weight)


def bpr(positive: Tensor, negative: Tensor, weight: Tensor | None = None) -> Tensor:
    """BPR, ``-log(1e-10 + sigmoid(z+ - z-))`` averaged over scores ``(M,)`` and ``(M, K)`` (RecBole's form)."""
    return -mean(torch.log(1e-10 + torch.sigmoid(positive[:, None] - negative)), weight)


def bce(positive: Tensor, negative: Tensor, weight: Tensor | None = None) -> Tensor:
    """Binary cross entropy of scores ``(M,)`` against 1 plus that of ``(M, K)`` against 0 (SASRec, eq. 6)."""
    return mean(F.softplus(-positive), weight) + mean(F.softplus(negative), weight)


def judgement(logits: Tensor, truth: Tensor, weight: Tensor | None = None) -> Tensor:
    """Binary cross entropy of logits ``(M,)`` against ``truth`` ``(M,)``, 0 or 1; ``weight`` as in :func:`mean`."""
    if weight is None:
        return F.binary_cross_entropy_with_logits(logits, truth)
    return mean(F.binary_cross_entropy_with_logits(logits, truth, reduction="none"), weight)


def gbce(
    positive: Tensor, negative: Tensor, num_items: int, calibration: float = 0.75, weight: Tensor | None = None
) -> Tensor:
    """Generalised BCE of scores ``(M,)``, ``(M, K)`` (Petrov and Macdonald, gSASRec, RecSys 2023, eq. 10-14).

    Args:
        positive: ``(M,)`` scores of the targets.
        negative: ``(M, K)`` scores of uniform negatives.
        num_items: catalogue size I; the sampling rate is K / (I - 1).
        calibration: t in [0, 1]; 0 is plain BCE with K negatives, 1 undoes the sampling bias entirely.
        weight: see :func:`mean`.
    """
    k = negative.shape[1]
    rate = k / (num_items - 1)
    beta = rate * (calibration * (1 - 1 / rate) + 1 / rate)
    return mean((beta * F.softplus(-positive) + F.softplus(negative).sum(1)) / (k + 1), weight)


def sampled_softmax(positive: Tensor, negative: Tensor, weight: Tensor | None = None) -> Tensor:
    """Cross entropy over the target ``(M,)`` and its K uniform negatives ``(M, K)``."""
    return mean(torch.logsumexp(torch.cat([positive[:, None], negative], dim=1), dim=1) - positive, weight)


def sampled(
    states: Tensor,
    target: Tensor,
    table: Tensor,
    rng_keys: Tensor,
    loss: PairLoss,
    num_negatives: int,
    sparse: bool = False,
    weight: Tensor | None = None,
) -> Tensor:
    """A loss on the target's score and on those of negatives drawn uniformly from all other items.

    Args:
        states: ``(M, D)``.
        target: ``(M,)`` ids 1..I.
        table: ``(I + 2, D)``.
        rng_keys: ``(M,)``, see :mod:`seqrec.functional.keyed_random`.
        loss: function of scores ``(M,)`` and ``(M, K)``.
        num_negatives: K.
        sparse: the table's gradient is a sparse tensor of the rows that were used, for
            :class:`~seqrec.nn.lazy_adam.LazyAdam`.
        weight: see :func:`mean`; ``loss`` gets it where it is given.
    """
    drawn = 1 + integers(rng_keys, num_negatives, len(table) - 3)
    return against(states, target, drawn + (drawn >= target[:, None]), table, loss, sparse, weight)


def against(
    states: Tensor,
    target: Tensor,
    negatives: Tensor,
    table: Tensor,
    loss: PairLoss,
    sparse: bool = False,
    weight: Tensor | None = None,
) -> Tensor:
    """A loss on the scores of targets ``(M,)`` and of given negatives ``(M, K)``; the rest is as in :func:`sampled`."""
    with torch.autocast(states.device.type, enabled=False):
        states, table = at_least_float(states), at_least_float(table, states)
        positive = (states * F.embedding(target, table, sparse=sparse)).sum(-1)
        negative = torch.einsum("md,mkd->mk", states, F.embedding(negatives, table, sparse=sparse))
        return loss(positive, negative) if weight is None else loss(positive, negative, weight=weight)


def sampled_gbce(
    states: Tensor,
    target: Tensor,
    table: Tensor,
    rng_keys: Tensor,
    num_negatives: int,
    calibration: float,
    sparse: bool = False,
    weight: Tensor | None = None,
) -> Tensor:
    """:func:`gbce` with ``num_negatives`` uniform negatives; arguments as in :func:`sampled`."""

    loss = partial(gbce, num_items=len(table) - 2, calibration=calibration)
    return sampled(states, target, table, rng_keys, loss, num_negatives, sparse, weight)


def whole_table(
    states: Tensor, target: Tensor, table: Tensor, rng_keys: Tensor, weight: Tensor | None = None
) -> Tensor:
    """Mean cross entropy over all rows of the table, padding and mask token too (S3-Rec in RecBole's form, MVS).

    Arguments as in :func:`next_item`.
    """
    return cross_entropy(states, table, target, weight)
