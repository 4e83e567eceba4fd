"""Which weights of a run are kept, and when it stops."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from omegaconf import DictConfig
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint

from seqrec.methods.base import Recommender
from seqrec.runs.folder import LAST


def selection(config: DictConfig, model: Recommender, folder: Path) -> list[pl.Callback]:
    """Early stopping, best and last checkpoint; the best by the model's own validation metric.

    The last is written after the best, so that it knows it, and after every epoch: Lightning's ``save_last``
    skips epochs without a new best. Without patience there is no validation, so the last alone.
    """
    metric = f"val/{model.monitor}"
    place: dict[str, Any] = {"dirpath": folder / "checkpoints", "enable_version_counter": False}
    last = ModelCheckpoint(filename="last", save_on_train_epoch_end=True, **place)
    if config.patience is None:
        return [last]
    stopping = EarlyStopping(metric, mode="max", patience=config.patience, check_on_train_epoch_end=False)
    best = BestCheckpoint(filename="best", monitor=metric, mode="max", save_on_train_epoch_end=True, **place)
    return [stopping, best, last]


class BestCheckpoint(ModelCheckpoint):
    """The best checkpoint of a run whose folder may have been moved since it stopped."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue with the best so far, at its place in the folder of today."""
        best = str(Path(self.dirpath or "") / Path(state_dict["best_model_path"]).name)
        scores = dict.fromkeys([best], state_dict["best_model_score"])
        paths = {"dirpath": self.dirpath, "best_model_path": best, "kth_best_model_path": best}
        super().load_state_dict(state_dict | paths | {"best_k_models": scores})


def last_checkpoint(config: DictConfig, folder: Path) -> Path | None:
    """Where to go on from, None for a fresh run."""
    path = folder / LAST
    return path if config.resume is not None and path.exists() else None
