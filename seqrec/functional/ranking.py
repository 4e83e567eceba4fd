"""The rank of a target among all items, what follows from a rank, and the best items in their order."""

from __future__ import annotations

import torch
from torch import Tensor

from seqrec.functional.chunks import rows_at_a_time

CACHED_ELEMENTS = 1 << 18  # scores compared at a time on the CPU: they and their flags stay in the cache
BLOCKS = (128, 16)  # columns of which the best alone is looked at first
NO_RANK = (
    "the model scored an item with NaN or infinity; no rank can be given. Look for a diverged loss (lower the learning "
    "rate) or for half precision (score in float32)."
)


def target_rank(scores: Tensor, target: Tensor, removed: tuple[Tensor, Tensor] | None = None) -> Tensor:
    """Expected rank of each target: 1 + items above it + half of the items level with it.

    Args:
        scores: ``(B, I)``; column ``i`` is item ``i + 1``, so padding and mask tokens cannot be ranked.
        target: ``(B,)`` ids 1..I.
        removed: ``(row, item)`` pairs that leave the ranking (a score of minus infinity); repeats are fine.

    Returns:
        ``(B,)`` float64, in 1..I; infinity where the target itself is removed (a miss at every cutoff). On a GPU NaN
        where a score of the row is NaN or infinite, which :func:`check_ranks` refuses.

    Raises:
        ValueError: on the CPU, a score is NaN or infinite.
    """
    if scores.dtype in (torch.float16, torch.bfloat16):
        scores = scores.float()
    scores = scores.detach()
    if scores.is_cuda:
        return ranks_without_waiting(scores, target, removed)
    if not _all_finite(scores):
        raise ValueError(NO_RANK)
    of_target = scores.gather(1, (target - 1)[:, None])
    rank = 0.5 * (scores.shape[1] + 1 + _balance(scores, of_target).double())
    if removed is None:
        return rank
    return _without(rank, scores, of_target[:, 0], target, removed)


def _all_finite(scores: Tensor) -> bool:
    """Whether no score is NaN or infinite; the sum of finite scores may overflow, then their range decides."""
    if bool(torch.isfinite(scores.sum())):
        return True
    low, high = torch.aminmax(scores)
    return bool(torch.isfinite(low) & torch.isfinite(high))


def _balance(scores: Tensor, of_target: Tensor) -> Tensor:
    """``(B,)``: scores ``(B, I)`` above ``of_target`` ``(B, 1)`` less those below.

    The sign of a difference of floats is exact, and float32 counts exactly to 2**24.
    """
    rows = rows_at_a_time(scores.shape[1], CACHED_ELEMENTS, scores)
    parts = zip(scores.split(rows), of_target.split(rows), strict=True)
    buffer = torch.empty_like(scores[:rows])
    return torch.cat([torch.sub(part, of, out=buffer[: len(part)]).sign_().sum(1) for part, of in parts])


def _without(rank: Tensor, scores: Tensor, of_target: Tensor, target: Tensor, removed: tuple[Tensor, Tensor]) -> Tensor:
    """Correct ranks ``(B,)`` for pairs that do not take part."""
    cell = torch.unique(removed[0] * scores.shape[1] + removed[1] - 1)
    row, item = cell // scores.shape[1], cell % scores.shape[1] + 1
    score = scores[row, item - 1]
    itself = item == target[row]
    ahead = torch.where(score > of_target[row], 1.0, torch.where(score == of_target[row], 0.5, 0.0)).double()
    rank = rank.index_add(0, row, -ahead * ~itself)
    return rank.index_fill(0, row[itself], torch.inf)


def ranks_without_waiting(scores: Tensor, target: Tensor, removed: tuple[Tensor, Tensor] | None) -> Tensor:
    """:func:`target_rank` by operators on whole matrices, none of which asks a GPU how many of something there are."""
    column = (target - 1)[:, None]
    ahead = (scores - scores.gather(1, column)).sign_()
    finite, others = scores.isfinite().all(1), torch.full_like(target, scores.shape[1])
    missed = torch.zeros_like(finite)
    if removed is not None:
        row, item = removed
        out = torch.zeros_like(scores, dtype=torch.bool).index_put_((row, item - 1), finite.new_ones(()))
        ahead.masked_fill_(out, 0.0)
        others, missed = others - out.sum(1), out.gather(1, column)[:, 0]
    rank = 0.5 * (others + 1 + ahead.sum(1).double())
    return rank.masked_fill(missed, torch.inf).masked_fill(~finite, torch.nan)


def check_ranks(rank: Tensor) -> None:
    """Refuse ranks that :func:`target_rank` could not give.

    Raises:
        ValueError: one is NaN.
    """
    if bool(rank.isnan().any()):
        raise ValueError(NO_RANK)


def recall(rank: Tensor, k: int) -> Tensor:
    """Recall@k of ``(B,)`` ranks; with one target it is the hit ratio."""
    return (rank <= k).double()


def ndcg(rank: Tensor, k: int) -> Tensor:
    """NDCG@k of ``(B,)`` ranks of the only relevant item: ``1 / log2(1 + rank)`` within the first k."""
    return torch.where(rank <= k, 1.0 / torch.log2(1.0 + rank), 0.0)


def reciprocal_rank(rank: Tensor) -> Tensor:
    """Reciprocal rank of ``(B,)`` ranks, over the whole list; 0 for a removed target."""
    return 1.0 / rank


def best(scores: Tensor, k: int, maxima: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The k best of each row in the declared order of a list: higher scores first, equal ones by the lower column.

    Of a wide row the k blocks of columns with the highest maxima are enough: what is outside of them has k better ones.

    Args:
        scores: ``(B, N)``; minus infinity takes no part, so its order, and what comes instead of it, means nothing.
        k: 1..N.
        maxima: ``(B, N / BLOCKS[0])``, of each block of columns, where they are known.

    Returns:
        Scores ``(B, k)`` and columns ``(B, k)``.

    Raises:
        ValueError: a score is NaN.
    """
    width = scores.shape[1]
    block = next((size for size in BLOCKS if width // size > 4 * k), None)
    if block is None:
        columns = _best_columns(scores, k)
        values, place = scores.gather(1, columns).sort(dim=1, descending=True, stable=True)
        return values, columns.gather(1, place)
    inside = width // block * block
    _refuse_nan(scores[:, inside:])  # those of blocks are found in their maxima
    wide = scores[:, :inside].unflatten(1, (-1, block))
    if maxima is None or block != BLOCKS[0]:
        maxima = wide.amax(2)
    chosen = _best_columns(maxima, k)
    row = torch.arange(len(scores), device=scores.device)[:, None] * (inside // block)
    near = wide.flatten(0, 1).index_select(0, (row + chosen).flatten()).view(len(scores), k * block)
    least = maxima.gather(1, chosen).amin(1, keepdim=True)
    values, place = _best_above(near if inside == width else torch.cat([near, scores[:, inside:]], dim=1), least, k)
    within = chosen.gather(1, (place // block).clamp(max=k - 1)) * block + place % block
    return values, torch.where(place < k * block, within, place - k * block + inside)


def _best_above(scores: Tensor, least: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The same where k scores of each row are known to be at least ``least`` ``(B, 1)``, and not many others are."""
    row, column = ((scores >= least) & (scores > -torch.inf)).nonzero(as_tuple=True)
    count = torch.bincount(row, minlength=len(scores))
    place = torch.arange(len(row), device=row.device) - (count.cumsum(0) - count)[row]
    values = scores.new_full((len(scores), max(k, *count.tolist())), -torch.inf)
    columns = torch.zeros_like(values, dtype=torch.int64)
    values[row, place], columns[row, place] = scores[row, column], column
    values, order = values.sort(dim=1, descending=True, stable=True)
    return values[:, :k], columns.gather(1, order[:, :k])


def _refuse_nan(scores: Tensor) -> None:
    if bool(scores.isnan().any()):
        raise ValueError("the model scored an item with NaN, so no order can be given; its training has diverged")


def _best_columns(scores: Tensor, k: int) -> Tensor:
    """The columns ``(B, k)`` of :func:`best`, ascending; of equal scores ``topk`` may return any."""
    values, columns = scores.topk(min(k + 1, scores.shape[1]))
    _refuse_nan(values[:, :1])
    if scores.shape[1] > k:
        doubtful = ((values[:, k - 1] == values[:, k]) & (values[:, k] > -torch.inf)).nonzero()[:, 0]
        columns = columns[:, :k]
        if len(doubtful):
            again = scores[doubtful].sort(dim=1, descending=True, stable=True).indices
            columns = columns.index_copy(0, doubtful, again[:, :k])
    return columns.sort(1).values
