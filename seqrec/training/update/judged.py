"""What an update gave to whom: the same test targets by the run as it was, by its grown model, and after training."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from seqrec.data.batch import Histories
from seqrec.data.datamodule import SequenceDataModule
from seqrec.functional.intervals import paired
from seqrec.functional.ranking import ndcg
from seqrec.methods.base import Recommender
from seqrec.methods.evaluation import Score, evaluate, top_items
from seqrec.methods.growth import Sizes
from seqrec.methods.ranker import Ranker
from seqrec.metrics import summarise
from seqrec.runs.intervals import of_ranks

LISTED = 10


def as_before(model: Ranker, sizes: Sizes, counts: Tensor, num_items: int) -> Score:
    """Scores ``(B, I')`` of the run as it was: new items come last, and popular ones go to whom it cannot answer.

    Args:
        model: of the run.
        sizes: of its catalogue.
        counts: ``(I,)``, how often each of its items occurs in training.
        num_items: I', of the grown catalogue.
    """
    popular, reads = counts.float(), not isinstance(model, Recommender) or model.reads_histories

    def score(histories: Histories) -> Tensor:
        items, user = histories
        known = (items > 0) & (items <= sizes.items)
        items = (items * known).gather(1, torch.argsort(~known, dim=1, stable=True))[
            :, : max(1, int(known.sum(1).max()))
        ]
        answered = known.any(1) if reads else torch.ones(len(items), dtype=torch.bool)
        asked = None
        if model.knows_users:
            assert user is not None
            answered, asked = answered & (user < sizes.users), user
        scores = popular.repeat(len(items), 1)
        if answered.any():
            part = Histories(items[answered], None if asked is None else asked[answered])
            scores[answered] = model.score(part).float().cpu()
        last = scores.amin(1, keepdim=True) - 1
        return torch.cat([scores, last.expand(-1, num_items - sizes.items)], dim=1)

    return score


def judged(
    scores: Mapping[str, Callable[[], Score]], data: SequenceDataModule, model: Ranker, old: Sizes
) -> dict[str, Any]:
    """Metrics on all, old and new users, on old and new targets, and how often new items are recommended.

    Args:
        scores: by name, the last is compared with the first user by user; each is made when it is needed.
        data: of the updated run.
        model: whose protocol judges.
        old: sizes of the catalogue before.
    """
    windows, protocol = data.splits["test"], model.protocol
    target = data.sequences.items[windows.stop].long()
    groups = {
        "all users": torch.ones(len(windows), dtype=torch.bool),
        "old users": windows.user < old.users,
        "new users": windows.user >= old.users,
        "targets that are old items": target <= old.items,
        "targets that are new items": target > old.items,
    }
    ranks, shares = {}, {}
    for name, make in scores.items():
        score = make()
        ranks[name] = evaluate(score, data, "test", protocol).results()[2]
        shares[name] = _share_of_new(score, data, protocol.remove_seen, old.items)
    table = {
        group: {"users": int(chosen.sum())}
        | {name: summarise(rank[chosen], protocol.cutoffs) for name, rank in ranks.items()}
        for group, chosen in groups.items()
        if chosen.any()
    }
    intervals = {
        group: {name: _ends(rank[chosen], windows.user[chosen], protocol.metrics) for name, rank in ranks.items()}
        for group, chosen in groups.items()
        if chosen.any()
    }
    first, last = ranks[next(iter(ranks))], ranks[list(ranks)[-1]]
    gained = {group: _gained(first[chosen], last[chosen]) for group, chosen in groups.items() if chosen.any()}
    new_items: dict[str, Any] = {
        "new": data.sequences.num_items - old.items,
        "share_of_targets": float((target > old.items).float().mean()),
    }
    new_items |= {"share_of_top10": shares}
    return {"metrics": table, "intervals": intervals, "difference": gained, "new_items": new_items}


def _ends(rank: Tensor, user: Tensor, names: Sequence[str]) -> dict[str, tuple[float, float]]:
    """Ends of the intervals over users of the metrics of ranks ``(N,)``."""
    return {name: (at.low, at.high) for name, at in of_ranks(rank, user.numpy(), names).items()}


def _share_of_new(score: Score, data: SequenceDataModule, remove_seen: bool, old: int) -> float:
    """Share of the places of all top-10 lists of the test that new items have."""
    new = places = 0
    k = min(LISTED, data.sequences.num_items)
    with torch.no_grad():
        for batch in data.ranked_batches("test", remove_seen):
            items = top_items(score, batch.histories, data.sequences.num_items, k, batch.seen if remove_seen else None)[
                0
            ]
            new, places = new + int((items > old).sum()), places + int((items > 0).sum())
    return new / max(1, places)


def _gained(before: Tensor, after: Tensor) -> dict[str, float]:
    """Mean difference in NDCG@10 of the same users, its standard error, and how many of these it is from 0."""
    mean, error, _ = paired(ndcg(after, LISTED).numpy(), ndcg(before, LISTED).numpy())
    error = error if len(before) > 1 else 0.0
    return {"ndcg@10": mean, "standard_error": error, "z": mean / error if error else 0.0}
