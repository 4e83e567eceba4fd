"""References: what needs no training and, where it is known, the optimum reach on the same test targets."""

from __future__ import annotations

from functools import partial

from seqrec.data.datamodule import SequenceDataModule
from seqrec.methods.counting import KnownOptimum, Markov, Popularity, RandomScores, RecentPopular
from seqrec.methods.evaluation import Score, evaluate, further_measures
from seqrec.metrics import ListCounts, Protocol
from seqrec.runs.result import Reference
from seqrec.training.callbacks.screen import console


def reference_results(data: SequenceDataModule, protocol: Protocol) -> dict[str, Reference]:
    """Metrics and ranks of each reference on the test split, under the run's protocol; a line says so beforehand."""
    scores: dict[str, Score] = {}
    counting: dict[str, type[Popularity | Markov]] = {
        "popularity": Popularity,
        "markov": Markov,
        "recent_popular": RecentPopular,
    }
    for name in protocol.references:
        if name == "random":
            scores[name] = RandomScores(data.sequences.num_items).score
            continue
        model = counting[name](data.sequences.num_items)
        model.count(data.sequences)
        scores[name] = model.score
    users = data.splits["test"].user
    if hasattr(data, "optimal_scores") and len(users.unique()) == len(users):  # it finds a window by its user
        scores["optimum"] = KnownOptimum(partial(data.optimal_scores, "test"), users).score
    console.print(f"ranking by {', '.join(scores)} too (on the CPU; minutes on large data)", soft_wrap=True)
    return {name: _judged(score, data, protocol) for name, score in scores.items()}


def _judged(score: Score, data: SequenceDataModule, protocol: Protocol) -> Reference:
    """What a reference reaches."""
    counts = ListCounts(protocol.cutoffs, data.sequences.num_items, shared=False) if protocol.looks_at_lists else None
    metrics, row, rank = evaluate(score, data, "test", protocol, counts).results()
    return Reference(metrics | further_measures(data, protocol, row, rank, counts), row, rank)
