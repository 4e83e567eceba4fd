"""References: what popularity, a Markov chain and, where it is known, the optimum reach on the same test targets."""

from __future__ import annotations

from functools import partial

from seqrec.data.datamodule import SequenceDataModule
from seqrec.methods.counting import KnownOptimum, Markov, Popularity
from seqrec.methods.evaluation import Score, evaluate
from seqrec.metrics import Protocol
from seqrec.runs.result import Reference
from seqrec.training.callbacks.screen import console


def reference_results(data: SequenceDataModule, protocol: Protocol) -> dict[str, Reference]:
    """Metrics and ranks of each reference on the test split, under the run's protocol; a line says so beforehand."""
    scores: dict[str, Score] = {}
    for name, reference in {"popularity": Popularity, "markov": Markov}.items():
        model = reference(data.sequences.num_items)
        model.count(data.sequences)
        scores[name] = model.score
    users = data.splits["test"].user
    if hasattr(data, "optimal_scores") and len(users.unique()) == len(users):  # it finds a window by its user
        scores["optimum"] = KnownOptimum(partial(data.optimal_scores, "test"), users).score
    console.print(f"ranking by {', '.join(scores)} too (on the CPU; minutes on large data)", soft_wrap=True)
    return {name: Reference(*evaluate(score, data, "test", protocol).results()) for name, score in scores.items()}
