"""Losses whose negatives are shared: the targets of other positions, and samples drawn once for all.

Source: Hidasi and Karatzoglou, Recurrent Neural Networks with Top-k Gains for Session-based Recommendations,
CIKM 2018, as in the official PyTorch code of GRU4Rec. Shapes: G positions that share, K samples; column i of
scores ``(G, G + K)`` is the target of row i.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from seqrec.functional.keyed_random import integers
from seqrec.functional.losses import mean
from seqrec.functional.precision import at_least_float

TINY = 1e-24


def shared_softmax(scores: Tensor, log_frequency: Tensor | None = None, weight: Tensor | None = None) -> Tensor:
    """Cross entropy of scores ``(G, G + K)``, the mean over rows.

    Args:
        scores: of the targets and the samples.
        log_frequency: ``(G + K,)`` log of how often each column is drawn, up to a constant, times the strength
            of the correction; it is subtracted from the scores (logQ). None: no correction.
        weight: ``(G,)``, the result is the weighted sum; rows of weight 0 do not exist, nor do their columns.
    """
    if log_frequency is not None:
        scores = scores - log_frequency
    share = torch.softmax(_without_absent(scores, weight), dim=1)
    return -mean(torch.log(share.diagonal() + TINY), weight)


def bpr_max(scores: Tensor, score_weight: float, elu: float, weight: Tensor | None = None) -> Tensor:
    """BPR against the likeliest negatives (eq. 10 and 12): scores ``(G, G + K)`` to the mean over rows.

    Args:
        scores: of the targets and the samples; a target is no negative of its own row.
        score_weight: of the penalty on large scores of negatives (``bpreg``).
        elu: negative scores x become ``elu * (exp(x) - 1)``; 0 leaves all scores as they are (``elu_param``).
        weight: as in :func:`shared_softmax`.
    """
    if elu > 0:
        scores = F.elu(scores, elu)
    own = torch.eye(*scores.shape, dtype=torch.bool, device=scores.device)
    share = torch.softmax(_without_absent(scores, weight).masked_fill(own, -torch.inf), dim=1)
    won = torch.sigmoid(scores.diagonal()[:, None] - scores)
    return mean(score_weight * (scores**2 * share).sum(1) - torch.log((won * share).sum(1) + TINY), weight)


def _without_absent(scores: Tensor, weight: Tensor | None) -> Tensor:
    """Scores ``(G, G + K)``, minus infinity in the columns of rows of weight 0."""
    if weight is None:
        return scores
    return scores.masked_fill(F.pad(weight == 0, (0, scores.shape[1] - len(scores))), -torch.inf)


def shared(
    states: Tensor,
    target: Tensor,
    table: Tensor,
    rng_keys: Tensor,
    loss: Callable[..., Tensor],
    num_negatives: int,
    group_size: int,
    weight: Tensor | None = None,
) -> Tensor:
    """A loss of this module over all positions, which share their negatives in random groups.

    As in the official code, a negative may be the target of its row by chance. There groups are parallel
    sessions and samples may follow the items' frequency; here samples are uniform.

    Args:
        states: ``(M, D)``.
        target: ``(M,)`` ids 1..I.
        table: ``(I + 2, D)``.
        rng_keys: ``(M,)``, see :mod:`seqrec.functional.keyed_random`; they make the groups and the samples.
        loss: of scores ``(G, G + K)``, and of ``weight`` where it is given.
        num_negatives: K.
        group_size: G; the last group may be smaller.
        weight: ``(M,)``, which sums to 1; positions of weight 0 do not exist.

    Raises:
        ValueError: ``num_negatives`` or ``group_size`` is below 1.
    """
    if num_negatives < 1 or group_size < 1:
        raise ValueError(f"num_negatives is {num_negatives} and group_size {group_size}; both must be at least 1")
    with torch.autocast(states.device.type, enabled=False):
        states, table = at_least_float(states), at_least_float(table, states)
        total = states.new_zeros(())
        order = rng_keys if weight is None else rng_keys.masked_fill(weight == 0, torch.iinfo(torch.int64).max)
        for group in torch.argsort(order).split(group_size):
            samples = 1 + integers(rng_keys[group[:1]], num_negatives, len(table) - 2)[0]
            columns = F.embedding(torch.cat([target[group], samples]), table)
            scores = states[group] @ columns.T
            total = total + (len(group) * loss(scores) if weight is None else loss(scores, weight=weight[group]))
    return total / max(1, len(states)) if weight is None else total
