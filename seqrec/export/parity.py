"""Does a bundle recommend what its run recommends? It is asked before it is handed out."""

from __future__ import annotations

from typing import Any

import numpy as np

from seqrec.serving.bundle import OnnxEngine
from seqrec.serving.recommend import Asked, LoadedModel

HISTORIES, K = 200, 10
SWAP = 1e-5  # items whose scores differ by less of their size may change places
ERROR = 1e-3  # of a score or vector; exports that went wrong are off by far more


def measure(run: LoadedModel, bundle: LoadedModel) -> dict[str, Any]:
    """Compare lists of ten of a run and its bundle, after histories of all lengths drawn by popularity.

    Returns:
        ``identical``, the share of lists that are the same; ``overlap``, that of the items; ``largest_swap`` and
        ``largest_error``, by how much of their size the run's scores of two items that stand at one place differ, and
        scores of the two at one place; for models with steps ``largest_step_error`` of a vector.
    """
    asked = _histories(run)
    k = min(K, len(run.items.raw))
    wanted, found = run.recommend(asked, k), bundle.recommend(asked, k)
    # Behind the end of a list stand number 0 and NaN.
    size = np.nanmax(np.abs(wanted.scores), axis=1, initial=1e-12, keepdims=True)
    error = np.nan_to_num(np.abs(wanted.scores - found.scores) / size)
    same = (wanted.numbers == found.numbers).all(1)
    swaps = [_swap(run, asked, row, wanted.numbers[row], found.numbers[row]) for row in np.flatnonzero(~same).tolist()]
    both = [len(np.intersect1d(one, other)) for one, other in zip(wanted.numbers, found.numbers, strict=True)]
    full = [len(np.unique(one)) for one in wanted.numbers]
    measured: dict[str, Any] = {
        "histories": len(same),
        "k": k,
        "identical": float(same.mean()),
        "overlap": float(np.sum(both) / np.sum(full)),
        "largest_swap": float(max(swaps, default=0.0)),
        "largest_error": float(error.max()),
    }
    if isinstance(bundle.engine, OnnxEngine) and bundle.engine.states:
        measured["largest_step_error"] = _step_error(run, bundle.engine, asked)
    return measured


def refuse(measured: dict[str, Any]) -> None:
    """Raise ValueError where a bundle in float32 differs from its run."""
    limits = {"largest_swap": SWAP, "largest_error": ERROR, "largest_step_error": ERROR}
    for name, limit in limits.items():
        if not measured.get(name, 0.0) <= limit:
            raise ValueError(
                f"the bundle does not recommend what the run does: {name.replace('_', ' ')} is {measured[name]:.1e}, "
                f"more than {limit:.0e}, so nothing was written; another version of torch or onnx may help "
                "(pip install -U 'seqrec[export]')"
            )


def _histories(model: LoadedModel) -> Asked:
    """Histories of lengths 1 to what the model sees."""
    draws, most = np.random.default_rng(0), model.engine.max_length
    lengths = np.linspace(1, most, HISTORIES).round().astype(np.int64)
    chance = model.popularity[1:-1] + 1
    numbers = 1 + draws.choice(len(chance), int(lengths.sum()), p=chance / chance.sum())
    users = None if model.users is None else [model.users.raw[row % len(model.users.raw)] for row in range(HISTORIES)]
    return model.asked_of(numbers, np.concatenate([[0], lengths.cumsum()]), users=users)


def _swap(model: LoadedModel, asked: Asked, row: int, wanted: np.ndarray, found: np.ndarray) -> float:
    """By how much of their size the model's own scores of two lists differ, place by place."""
    start, stop = asked.offsets[row], asked.offsets[row + 1]
    users = None if asked.users is None else asked.users[row : row + 1]
    vector = model.engine.vectors(asked.items[None, start:stop], users)
    kept = (wanted > 0) & (found > 0)
    if not (kept == ((wanted > 0) | (found > 0))).all():
        return float("inf")  # one list is shorter
    scores, others = (model.engine.scores(vector, items[kept])[0] for items in (wanted, found))
    everything = model.engine.scores(vector, np.arange(1, len(model.items.raw) + 1))
    return float(np.abs(scores - others).max() / max(np.abs(everything).max(), 1e-12))


def _step_error(run: LoadedModel, engine: OnnxEngine, asked: Asked) -> float:
    """The largest error of a vector that is made step by step, relative to the largest entry."""
    errors = []
    for row in np.linspace(0, HISTORIES - 1, 8).astype(int):
        items = asked.items[asked.offsets[row] : asked.offsets[row + 1]]
        state = {name: np.zeros((1, *shape), np.float32) for name, shape in engine.states.items()}
        for item in items.tolist():
            vector, state = engine.step(item, state)
        expected = run.engine.vectors(items[None], None)
        errors.append(float(np.abs(vector - expected).max() / max(np.abs(expected).max(), 1e-12)))
    return max(errors)
