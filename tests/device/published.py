"""Random data of the size of Amazon Beauty, to count and time models at their published sizes."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import polars as pl
import torch
from omegaconf import DictConfig

from seqrec.data.datamodule import SequenceDataModule
from seqrec.data.sequences import Sequences
from tests.device.configurations import EMULATED, SHORT, composed

NUM_USERS, NUM_ITEMS = 22_363, 12_101
SHORTEST, LONGEST, SCALE, TAIL = 5, 204, 5.0, 2.2  # half of the users have 6 items, a tenth 14, one in a hundred 40
MODELS = ["sasrec", "bert4rec", "gru4rec", "icsrec", "fenrec, full form", "easnrec"]
SIZES = ", published sizes"
PUBLISHED = {f"{name}{SIZES}": name for name in MODELS}
EPOCH_START = "icsrec, all users of Beauty"
FEW_USERS = 600  # enough for two batches; a step does the same for more of them


class RandomHistories(SequenceDataModule):
    """Random items in histories as long as Beauty's.

    Args:
        num_users: histories.
        num_items: catalogue; some items are chosen much more often than others.
        **base: arguments of :class:`~seqrec.data.datamodule.SequenceDataModule`.
    """

    def __init__(self, num_users: int, num_items: int, **base: Any) -> None:
        super().__init__(**base)
        self.num_users, self.num_items = num_users, num_items

    def source(self) -> Path | None:
        return None

    def read(self, source: Path | None) -> Sequences:
        share = (torch.arange(self.num_users, dtype=torch.float64) + 0.5) / self.num_users
        length = (SHORTEST + SCALE * (share ** (-1 / TAIL) - 1)).long().clamp(max=LONGEST)
        generator = torch.Generator().manual_seed(0)
        length = length[torch.randperm(self.num_users, generator=generator)]
        drawn = torch.rand(int(length.sum()), generator=generator)
        items = 1 + (drawn.square() * self.num_items).int().clamp(max=self.num_items - 1)
        offsets = torch.cat([torch.zeros(1, dtype=torch.int64), length.cumsum(0)])
        ids = torch.arange(1, self.num_items + 1)
        return Sequences(items, offsets, pl.Series(range(self.num_users)), pl.Series(ids.tolist()), ids)

    def recipe(self) -> dict[str, Any]:
        return {"num_users": self.num_users, "num_items": self.num_items}


def published(name: str, cache_dir: Path, *more: str, num_users: int = NUM_USERS) -> DictConfig:
    """The configuration of a model or variant for Beauty, on random histories of that size."""
    config = composed(name, "beauty", cache_dir, *more)
    known = inspect.signature(SequenceDataModule).parameters
    base = {key: value for key, value in config.data.items() if key in known and key != "name"}
    sizes = {"num_users": num_users, "num_items": NUM_ITEMS}
    config.data = {"_target_": f"{__name__}.RandomHistories", "name": "beauty_sizes", **sizes, **base}
    return config


def one_step(name: str, cache_dir: Path) -> DictConfig:
    """Two or three steps of one of :data:`PUBLISHED`, or two whole epoch starts for :data:`EPOCH_START`."""
    if name == EPOCH_START:
        config = published("icsrec", cache_dir, *SHORT, *EMULATED)
    else:
        config = published(PUBLISHED[name], cache_dir, *SHORT, *EMULATED, num_users=FEW_USERS)
        config.trainer.max_epochs = 1
        config.trainer.limit_train_batches = min(3, FEW_USERS // config.data.batch_size)  # whole ones
    config.trainer.limit_val_batches = 0
    return config
