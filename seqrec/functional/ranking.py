"""The rank of a target among all items, and what follows from a rank."""

from __future__ import annotations

import torch
from torch import Tensor

CHUNK_ITEMS = 1 << 14


def target_rank(scores: Tensor, target: Tensor, removed: tuple[Tensor, Tensor] | None = None) -> Tensor:
    """Expected rank of each target: 1 + items above it + half of the items level with it.

    Args:
        scores: ``(B, I)``; column ``i`` is item ``i + 1``, so padding and mask tokens cannot be ranked.
        target: ``(B,)`` ids 1..I.
        removed: ``(row, item)`` pairs that leave the ranking (a score of minus infinity); repeats are fine.

    Returns:
        ``(B,)`` float64, in 1..I; infinity where the target itself is removed (a miss at every cutoff).

    Raises:
        ValueError: a score is NaN or infinite.
    """
    if scores.dtype in (torch.float16, torch.bfloat16):
        scores = scores.float()
    low, high = torch.aminmax(scores)
    if not bool(torch.isfinite(low) & torch.isfinite(high)):
        raise ValueError(
            "the model scored an item with NaN or infinity; no rank can be given. Look for a diverged loss "
            "(lower the learning rate) or for half precision (score in float32)."
        )
    of_target = scores.gather(1, (target - 1)[:, None])
    # The sign of a difference of floats is exact; it counts +1 for an item above the target, -1 for one below.
    balance = torch.zeros(len(target), dtype=torch.float64, device=scores.device)
    for part in scores.split(CHUNK_ITEMS, dim=1):
        balance += (part - of_target).sign_().sum(1)
    rank = 0.5 * (scores.shape[1] + 1 + balance)
    if removed is None:
        return rank
    return _without(rank, scores, of_target[:, 0], target, removed)


def _without(rank: Tensor, scores: Tensor, of_target: Tensor, target: Tensor, removed: tuple[Tensor, Tensor]) -> Tensor:
    """Correct ranks ``(B,)`` for pairs that do not take part."""
    cell = torch.unique(removed[0] * scores.shape[1] + removed[1] - 1)
    row, item = cell // scores.shape[1], cell % scores.shape[1] + 1
    score = scores[row, item - 1]
    itself = item == target[row]
    ahead = torch.where(score > of_target[row], 1.0, torch.where(score == of_target[row], 0.5, 0.0)).double()
    rank = rank.index_add(0, row, -ahead * ~itself)
    return rank.index_fill(0, row[itself], torch.inf)


def recall(rank: Tensor, k: int) -> Tensor:
    """Recall@k of ``(B,)`` ranks; with one target it is the hit ratio."""
    return (rank <= k).double()


def ndcg(rank: Tensor, k: int) -> Tensor:
    """NDCG@k of ``(B,)`` ranks of the only relevant item: ``1 / log2(1 + rank)`` within the first k."""
    return torch.where(rank <= k, 1.0 / torch.log2(1.0 + rank), 0.0)


def reciprocal_rank(rank: Tensor) -> Tensor:
    """Reciprocal rank of ``(B,)`` ranks, over the whole list; 0 for a removed target."""
    return 1.0 / rank
