"""Metrics over one split: exact sums over users, the same digits on any number of ranks."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from seqrec.functional.lists import coverage, gini, novelty, popularity_bias
from seqrec.functional.ranking import best, check_ranks, ndcg, recall, reciprocal_rank

OF_RANKS = ("precision", "map", "mrr")
"""Measures at a cutoff that follow from the ranks of single targets: MAP@k and MRR@k are the same with one target."""

OF_LISTS = ("coverage", "gini", "novelty", "popularity_bias")
"""Measures of all lists of k items together, see :mod:`seqrec.functional.lists`."""

MEASURES = (*OF_RANKS, *OF_LISTS)
REFERENCES = ("popularity", "markov", "recent_popular", "random")


@dataclass(frozen=True)
class Protocol:
    """How a model is judged: full ranking of all items, one target a user, half of the ties count.

    Args:
        name: of the preset.
        remove_seen: take the items of a user's whole history out of the ranking. A target among them is a miss.
        cutoffs: k of Recall@k and NDCG@k, distinct and at least 1; one above the number of items counts every target.
        measures: what else the test gives at each cutoff, of :data:`OF_RANKS` and :data:`OF_LISTS`.
        references: what needs no training and is ranked beside the model.

    Raises:
        ValueError: the cutoffs are none of these, or there is no such measure.
    """

    name: str
    remove_seen: bool
    cutoffs: list[int] = field(default_factory=lambda: [5, 10, 20])
    measures: list[str] = field(default_factory=list)
    references: list[str] = field(default_factory=lambda: ["popularity", "markov"])

    def __post_init__(self) -> None:
        for name, asked, known in (("measures", self.measures, MEASURES), ("references", self.references, REFERENCES)):
            if unknown := [one for one in asked if one not in known]:
                raise ValueError(f"protocol.{name} has {unknown[0]!r}; choose of {', '.join(known)}")
        wrong = [k for k in self.cutoffs if isinstance(k, bool) or not isinstance(k, int) or k < 1]
        if wrong or not self.cutoffs or len(set(self.cutoffs)) < len(self.cutoffs):
            raise ValueError(
                f"protocol.cutoffs is {list(self.cutoffs)}; it must be a list of distinct whole numbers of at least 1, "
                "such as [5,10,20]"
            )

    @property
    def looks_at_lists(self) -> bool:
        """Whether a measure needs the best items, which costs more than the rank of the target."""
        return any(measure in OF_LISTS for measure in self.measures)

    @property
    def metrics(self) -> list[str]:
        """The names of the metrics, in the order in which tables show them."""
        return list(summarise(torch.ones(1), self.cutoffs))

    def monitor(self, asked: str | None) -> str:
        """The validation metric that selects the weights.

        Args:
            asked: by the model; None takes NDCG@10, or NDCG at the largest cutoff where 10 is none.

        Raises:
            ValueError: these cutoffs do not give the metric.
        """
        if asked is None:
            return f"ndcg@{10 if 10 in self.cutoffs else max(self.cutoffs)}"
        if asked not in self.metrics:
            raise ValueError(
                f"monitor is {asked!r}, which protocol.cutoffs={list(self.cutoffs)} does not give; choose one of "
                f"{', '.join(self.metrics)}"
            )
        return asked


ALL_ITEMS = Protocol("all_items", remove_seen=False)


def summarise(rank: Tensor, cutoffs: list[int]) -> dict[str, float]:
    """Mean Recall@k, NDCG@k and MRR of ranks ``(N,)``."""
    result = {f"recall@{k}": recall(rank, k).mean().item() for k in cutoffs}
    result |= {f"ndcg@{k}": ndcg(rank, k).mean().item() for k in cutoffs}
    return result | {"mrr": reciprocal_rank(rank).mean().item()}


def measured(rank: Tensor, protocol: Protocol) -> dict[str, float]:
    """The measures of :data:`OF_RANKS` that a protocol asks for, of ranks ``(N,)``."""
    names = [f"{measure}@{k}" for measure in OF_RANKS if measure in protocol.measures for k in protocol.cutoffs]
    return {name: of_users(rank, name).mean().item() for name in names}


class ListCounts(Metric):
    """How many lists hold each item: whole numbers, so that they are the same on any number of ranks.

    Args:
        cutoffs: lengths of the lists.
        num_items: I.
        shared: see :class:`RankingMetrics`.
    """

    full_state_update = False
    counts: Tensor

    def __init__(self, cutoffs: list[int], num_items: int, shared: bool = True) -> None:
        super().__init__(sync_on_compute=shared)
        self.cutoffs = cutoffs
        zero = torch.zeros(len(cutoffs), num_items, dtype=torch.int64)
        self.add_state("counts", default=zero, dist_reduce_fx="sum")

    def update(self, scores: Tensor, removed: tuple[Tensor, Tensor] | None) -> None:
        """Add the lists of scores ``(B, I)``, without ``(row, item)`` pairs that leave the ranking."""
        if removed is not None:
            scores = scores.index_put((removed[0], removed[1] - 1), scores.new_tensor(-torch.inf))
        values, column = best(scores, min(max(self.cutoffs), scores.shape[1]))
        for counts, k in zip(self.counts, self.cutoffs, strict=True):
            listed = column[:, :k][values[:, :k] > -torch.inf]  # where fewer items than k are left, lists are shorter
            counts += torch.bincount(listed, minlength=len(counts))

    def compute(self) -> Tensor:
        """Lists of each length that hold each item, ``(len(cutoffs), I)`` int64 on the CPU."""
        return self.counts.cpu()

    def results(self, protocol: Protocol, trained: Tensor, wanted: Tensor) -> dict[str, float]:
        """The measures of :data:`OF_LISTS` that a protocol asks for.

        Args:
            protocol: whose cutoffs are those of the lists.
            trained: ``(I,)`` int64, training interactions of each item.
            wanted: ``(I,)`` int64, of how many lists each item is the target.
        """
        counts = self.compute().reshape(len(self.cutoffs), -1)  # torchmetrics drops the shape of one number
        of = {
            "coverage": coverage,
            "gini": gini,
            "novelty": lambda listed: novelty(listed, trained),
            "popularity_bias": lambda listed: popularity_bias(listed, wanted, trained),
        }
        asked = [measure for measure in OF_LISTS if measure in protocol.measures]
        return {f"{one}@{k}": of[one](c) for one in asked for k, c in zip(self.cutoffs, counts, strict=True)}


def of_users(rank: Tensor, name: str) -> Tensor:
    """A metric of each rank ``(N,)``, by its name in :func:`summarise` or :func:`measured`, whose means they have."""
    if name == "mrr":
        return reciprocal_rank(rank)
    measure, _, cutoff = name.partition("@")
    k = int(cutoff)
    if measure == "ndcg":
        return ndcg(rank, k)
    hit = recall(rank, k)
    return {"recall": hit, "precision": hit / k}.get(measure, reciprocal_rank(rank) * hit)


def is_of_users(name: str) -> bool:
    """Whether a metric is a mean over users, as those that follow from ranks are; measures of all lists are none."""
    return name.partition("@")[0] not in OF_LISTS


class RankingMetrics(Metric):
    """Keeps the rank of each evaluated window, so that means, slices and per-user tables come from one place.

    The means are taken over windows sorted by number: their digits depend neither on the order of batches nor
    on how many ranks shared the work.

    Args:
        cutoffs: k of Recall@k and NDCG@k.
        shared: the ranks of a run have shared the work, so that each waits for what the others have found.
    """

    full_state_update = False
    row: list[Tensor]
    rank: list[Tensor]

    def __init__(self, cutoffs: list[int], shared: bool = True) -> None:
        super().__init__(sync_on_compute=shared)
        self.cutoffs = cutoffs
        self.add_state("row", default=[], dist_reduce_fx="cat")
        self.add_state("rank", default=[], dist_reduce_fx="cat")

    def update(self, row: Tensor, rank: Tensor) -> None:
        """Add windows ``(B,)`` and the ranks ``(B,)`` of their targets."""
        self.row.append(row)
        self.rank.append(rank)

    def sorted_ranks(self) -> tuple[Tensor, Tensor]:
        """Window numbers ``(N,)``, ascending, and their ranks ``(N,)`` on the CPU; call it in ``compute`` only."""
        row, rank = dim_zero_cat(self.row).cpu(), dim_zero_cat(self.rank).cpu()  # synced states are one tensor
        check_ranks(rank)
        order = torch.argsort(row)
        return row[order], rank[order]

    def compute(self) -> tuple[dict[str, float], Tensor, Tensor]:
        """Means by metric name, window numbers ``(N,)`` and ranks ``(N,)``, over all ranks of the run."""
        row, rank = self.sorted_ranks()
        return summarise(rank, self.cutoffs), row, rank

    def results(self) -> tuple[dict[str, float], Tensor, Tensor]:
        """What :meth:`compute` gives, with the shape ``(N,)`` also for one window, of which torchmetrics drops it."""
        means, row, rank = self.compute()
        return means, row.reshape(-1), rank.reshape(-1)
