"""From scores to ranks: the one loop behind validation, test, bench, the references and inference.

A model is seen as its ``score`` alone, ``(B, I)`` of B histories; large catalogues are scored a few rows at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from seqrec.data.batch import Histories, RankedBatch
from seqrec.data.datamodule import SequenceDataModule
from seqrec.functional.chunks import rows_at_a_time
from seqrec.functional.ranking import best, target_rank
from seqrec.metrics import ListCounts, Protocol, RankingMetrics, measured

SCORE_ELEMENTS = 1 << 23  # scores alive at a time: 32 MB

Score = Callable[[Histories], Tensor]
"""Scores ``(B, I)`` of all items after each of B histories; column ``i`` is item ``i + 1``."""

Seen = tuple[Tensor, Tensor]
"""``(row, item)`` pairs that leave a ranking, ``(n,)`` int64 each."""


def evaluate(
    score: Score, data: SequenceDataModule, split: str, protocol: Protocol, lists: ListCounts | None = None
) -> RankingMetrics:
    """Rank all targets of a split on the CPU, in this process alone.

    Args:
        score: of the judged model.
        data: the prepared data set.
        split: ``val`` or ``test``.
        protocol: how to rank.
        lists: takes the best items of each ranking.

    Returns:
        The ranks; ``compute()`` gives their means.
    """
    metrics = RankingMetrics(protocol.cutoffs, shared=False)
    with torch.no_grad():
        for batch in data.ranked_batches(split, protocol.remove_seen):
            ranks = rank_targets(score, batch, data.sequences.num_items, protocol.remove_seen, lists)
            metrics.update(batch.row, ranks)
    return metrics


def further_measures(
    data: SequenceDataModule, protocol: Protocol, row: Tensor, rank: Tensor, lists: ListCounts | None
) -> dict[str, float]:
    """What a protocol asks for beside Recall, NDCG and MRR; nothing by default.

    Args:
        data: the prepared data set.
        protocol: of the run.
        row, rank: test windows ``(N,)`` and the ranks ``(N,)`` of their targets.
        lists: of the same rankings, where the protocol looks at them.
    """
    found = measured(rank, protocol)
    if lists is None:
        return found
    sequences = data.sequences
    target = sequences.items[data.splits["test"].stop[row]]
    trained = sequences.items[sequences.training_mask()]
    counts = (torch.bincount(one.long(), minlength=sequences.num_items + 1)[1:] for one in (trained, target))
    return found | lists.results(protocol, *counts)


def rank_targets(
    score: Score, batch: RankedBatch, num_items: int, remove_seen: bool, lists: ListCounts | None = None
) -> Tensor:
    """Rank of each target of a batch, ``(B,)``, see :func:`~seqrec.functional.ranking.target_rank`.

    Args:
        score: of the judged model.
        batch: on the model's device.
        num_items: I.
        remove_seen: leave the items of each whole history out of the ranking.
        lists: takes the best items of each ranking.

    Raises:
        ValueError: the batch does not carry the seen items that are to be removed.
    """
    seen = batch.seen if remove_seen else None
    if remove_seen and seen is None:
        raise ValueError("seen items are to be removed, but the batch carries none; set with_seen of the data module")
    ranks = []
    for rows, scores in _in_parts(score, batch.histories, num_items):
        removed = None if seen is None else _of_rows(seen, rows, len(batch.row))
        ranks.append(target_rank(scores, batch.target[rows], removed))
        if lists is not None:
            lists.update(scores, removed)
    return torch.cat(ranks)


def top_items(
    score: Score, histories: Histories, num_items: int, k: int, seen: Seen | None = None
) -> tuple[Tensor, Tensor]:
    """The best items after each history.

    Args:
        score: of the asked model.
        histories: on the model's device.
        num_items: I.
        k: how many, at most I.
        seen: pairs that may not be recommended; repeats are fine.

    Returns:
        Items ``(B, k)`` in the order of :func:`~seqrec.functional.ranking.best`, and their scores; where fewer than k
        items are left, item 0 with minus infinity.

    Raises:
        ValueError: k is below 1 or above I, or a score is NaN.
    """
    if not 1 <= k <= num_items:
        raise ValueError(f"k is {k}; ask for 1 to {num_items} items, which is what the catalogue holds")
    items, values = [], []
    for rows, scores in _in_parts(score, histories, num_items):
        if seen is not None:
            row, item = _of_rows(seen, rows, len(histories.items))
            scores = scores.index_put((row, item - 1), scores.new_tensor(-torch.inf))
        value, column = best(scores, k)
        items.append((column + 1).masked_fill(value == -torch.inf, 0))
        values.append(value)
    return torch.cat(items), torch.cat(values)


def _in_parts(score: Score, histories: Histories, num_items: int) -> Iterator[tuple[slice, Tensor]]:
    """Scores of some rows at a time, and which rows these are."""
    step = rows_at_a_time(num_items, SCORE_ELEMENTS, histories.items)
    for start in range(0, len(histories.items), step):
        rows = slice(start, start + step)
        with torch.autocast(histories.items.device.type, enabled=False):
            scores = score(histories.part(rows))
        yield rows, scores


def _of_rows(seen: Seen, rows: slice, count: int) -> Seen:
    """The pairs of some of ``count`` rows, which are numbered from 0 then."""
    if rows.start == 0 and rows.stop >= count:
        return seen
    row, item = seen
    chosen = (row >= rows.start) & (row < rows.stop)
    return row[chosen] - rows.start, item[chosen]
