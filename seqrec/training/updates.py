"""How gradients become updates: clipping and accumulation, for models with one optimizer and with several."""

from __future__ import annotations

import math
from typing import Any

from omegaconf import DictConfig

from seqrec.methods.adversarial import AdversarialRecommender
from seqrec.methods.ranker import Ranker

ALGORITHMS = ("norm", "value")


def update_options(model: Ranker, trainer: DictConfig) -> dict[str, Any]:
    """Options of the Trainer that replace those of ``trainer``, for ``model``.

    Lightning refuses to clip and to accumulate where a model steps its own optimizers; such a model is told to do both
    itself, and the Trainer is told nothing.

    Raises:
        ValueError: a limit, an algorithm or a number of batches that means nothing, or two limits.
    """
    limit = trainer.get("gradient_clip_val")
    algorithm = trainer.get("gradient_clip_algorithm")
    batches = trainer.get("accumulate_grad_batches", 1)
    if limit is not None and not 0 <= limit < math.inf:
        raise ValueError(f"trainer.gradient_clip_val is {limit}; give a limit above 0, or null to clip nothing")
    if algorithm is not None and algorithm not in ALGORITHMS:
        raise ValueError(f"trainer.gradient_clip_algorithm is {algorithm!r}; choose one of {', '.join(ALGORITHMS)}")
    if batches < 1:
        raise ValueError(f"trainer.accumulate_grad_batches is {batches}; it must be at least 1")
    if not isinstance(model, AdversarialRecommender):
        return {}
    if limit and model.clip_norm is not None:
        raise ValueError(
            f"both trainer.gradient_clip_val={limit} and model.clip_norm={model.clip_norm} clip the gradients of a "
            "player; give one of the two"
        )
    model.clip_limit, model.clip_algorithm, model.accumulate = limit or None, algorithm or "norm", batches
    return {"gradient_clip_val": None, "gradient_clip_algorithm": None, "accumulate_grad_batches": 1}
