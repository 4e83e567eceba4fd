"""Models that learn have graphs; those that count have not."""

from __future__ import annotations

from seqrec.methods.base import Recommender
from seqrec.methods.ranker import Ranker


def exportable(model: Ranker) -> Recommender:
    """The same model, as the type that has vectors and tables.

    Raises:
        ValueError: it counts, so it has neither vectors nor a graph.
    """
    if not isinstance(model, Recommender):
        raise ValueError(
            f"{type(model).__name__} counts and has no vectors, so there is no graph of it; export a model that learns"
        )
    return model
