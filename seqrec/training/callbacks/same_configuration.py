"""Processes that a launcher started must train the same run."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch.distributed as dist
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning import Callback

from seqrec.runs.configuration import differences

ALSO = ("trainer", "callbacks")
"""What a resumed run may change, but one process of a run may not."""


class SameConfiguration(Callback):
    """Before the training, compares the configuration of each process with that of the first.

    ``torchrun`` and Slurm start each process by a command of its own; on several machines these may differ. Where the
    data and their cache are may differ.

    Args:
        config: of this process.
    """

    def __init__(self, config: DictConfig) -> None:
        self.own: Any = OmegaConf.to_container(config, resolve=True)

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Compare.

        Raises:
            ValueError: they differ; in each process, so that none waits for another.
        """
        if trainer.world_size == 1 or stage != "fit":
            return
        all_of_them: list[Any] = [None] * trainer.world_size
        dist.all_gather_object(all_of_them, self.own)
        first = all_of_them[0]
        for rank, other in enumerate(all_of_them):
            keys = differences(other, first)
            keys += [f"{part}.{key}" for part in ALSO for key in differences(other[part], first[part])]
            if keys:
                raise ValueError(
                    f"process {rank} of this run has another {', '.join(keys)} than the first one; start all processes "
                    "of a run by the same command"
                )
