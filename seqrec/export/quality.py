"""How well a run and its bundles recommend: NDCG@10 of the lists on the test split."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import yaml

from seqrec.data.datamodule import SequenceDataModule
from seqrec.functional.intervals import paired, user_mean
from seqrec.inference.build import build
from seqrec.runs.folder import CONFIG
from seqrec.serving.recommend import Asked, LoadedModel

K = 10


class Quality(NamedTuple):
    """Of the lists of one model.

    Attributes:
        users: how many.
        ndcg: NDCG@10.
        ndcg_error: its standard error over users.
        ratio: of it to that of the first model.
        error: standard error of the ratio, from the differences of single users.
        overlap: share of items that are on the first model's lists too.
    """

    users: int
    ndcg: float
    ndcg_error: float
    ratio: float
    error: float
    overlap: float


def quality(run: Path, models: Mapping[str, LoadedModel], users: int | None = None) -> dict[str, Quality]:
    """Judge the lists of several models on the test split of a run; seen items are treated as in its evaluation.

    Args:
        run: folder of the run, whose data set is prepared again.
        models: of the run's catalogue; they are compared with the first.
        users: how many, spread over all; None: all.
    """
    data: SequenceDataModule = build(yaml.safe_load((run / CONFIG).read_text(encoding="utf-8"))["data"], "data")
    data.setup()
    windows = data.splits["test"]
    count = len(windows) if users is None else min(users, len(windows))
    rows = torch.linspace(0, len(windows) - 1, count).long()
    row, item = windows.seen(rows)
    offsets = np.concatenate([[0], torch.bincount(row, minlength=count).cumsum(0).numpy()])
    target = windows.batch(rows, data.max_length).target.numpy()
    lists = {}
    for name, model in models.items():
        known = None if model.users is None else windows.user[rows].numpy()
        asked = Asked(np.append(item.numpy(), 0), offsets, np.zeros(count, np.int64), known)
        lists[name] = model.recommend(asked, K).numbers
    first = next(iter(lists.values()))
    before = ndcg(first, target)
    return {name: _compared(found, ndcg(found, target), first, before) for name, found in lists.items()}


def ndcg(lists: np.ndarray, target: np.ndarray) -> np.ndarray:
    """NDCG ``(U,)`` of lists ``(U, k)`` of item numbers with one target each ``(U,)``."""
    gain = 1 / np.log2(np.arange(lists.shape[1]) + 2)
    found: np.ndarray = ((lists == target[:, None]) * gain).sum(1)
    return found


def _compared(lists: np.ndarray, now: np.ndarray, first: np.ndarray, before: np.ndarray) -> Quality:
    mean = max(float(before.mean()), 1e-12)
    error = paired(now, before).error / mean
    both = (lists[:, :, None] == first[:, None]).any(2).mean()
    found = user_mean(now)
    return Quality(found.users, found.mean, found.error, found.mean / mean, error, float(both))
