"""When a training stops and which weights are kept; the model's own validation metric decides both."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning import callbacks

from seqrec.runs.folder import BEST, LAST
from seqrec.training.cut_epochs import keep_whole_epochs, was_cut


class EarlyStopping(callbacks.EarlyStopping):
    """Stops after some epochs without a better validation metric, which hold at least some steps.

    Where an epoch is few steps, as with one window a user, ten of them may not leave the plateau at which a model has
    learned how popular items are and nothing else.

    Args:
        patience: epochs without improvement, however many of them are validated; None trains all epochs.
        min_delta: how much better counts as better.
        patience_steps: updates without improvement that must have been made as well; None asks for epochs alone.

    Attributes:
        batches: of the first epoch that the run trained, by which steps become epochs; None before it.
        needed: epochs without improvement that end the training; ``patience`` counts validations, as Lightning does.
    """

    def __init__(self, patience: int | None, min_delta: float = 0.0, patience_steps: int | None = None) -> None:
        self.epochs = self.needed = sys.maxsize if patience is None else patience
        self.patience_steps = patience_steps
        self.batches: int | None = None
        super().__init__("val/", min_delta, self.epochs, mode="max", check_on_train_epoch_end=False)

    @property
    def counts_steps(self) -> bool:
        """Whether the steps decide, not the epochs."""
        return self.needed > self.epochs

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Watch the metric that the model is selected by."""
        self.monitor = f"val/{pl_module.monitor}"
        super().setup(trainer, pl_module, stage)

    def state_dict(self) -> dict[str, Any]:
        """Lightning's, and the batches of an epoch: windows that are cut at random differ in number by epoch."""
        return super().state_dict() | {"batches": self.batches}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue a stopped run's count of epochs; a resumed run may have another patience."""
        self.batches = state_dict.get("batches")
        super().load_state_dict(state_dict | {"patience": self.patience})

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Turn steps into epochs.

        Train no more where the run had stopped already and was killed before its results were written.
        """
        if self.batches is None:
            self.batches = int(trainer.num_training_batches)
        if self.patience_steps is not None:
            # A model that steps its own optimizers gathers the gradients of several batches itself.
            together = max(trainer.accumulate_grad_batches, getattr(pl_module, "accumulate", 1))
            updates = max(1, math.ceil(self.batches / together))
            self.needed = max(self.epochs, math.ceil(self.patience_steps / updates))
        if self.needed < sys.maxsize:
            self.patience = -(-self.needed // (trainer.check_val_every_n_epoch or 1))
        if self.wait_count >= self.patience:
            trainer.should_stop = True


class _InRunFolder(callbacks.ModelCheckpoint):
    """A checkpoint at a place of its own in the run folder."""

    def __init__(self, place: str, **options: Any) -> None:
        self.place = Path(place)
        super().__init__(
            filename=self.place.stem, save_on_train_epoch_end=True, enable_version_counter=False, **options
        )

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Take the place below the trainer's folder."""
        self.dirpath = str(Path(trainer.default_root_dir) / self.place.parent)
        super().setup(trainer, pl_module, stage)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the checkpoint; that of an epoch that a budget cut leaves those of whole epochs beside it."""
        if trainer.is_global_zero and was_cut(trainer):
            keep_whole_epochs(Path(trainer.default_root_dir), trainer.current_epoch + 1)
        super().on_train_epoch_end(trainer, pl_module)


class BestCheckpoint(_InRunFolder):
    """The weights of the epoch with the best validation metric."""

    def __init__(self) -> None:
        super().__init__(BEST, monitor="val/", mode="max")

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Watch the metric that the model is selected by."""
        self.monitor = f"val/{pl_module.monitor}"
        super().setup(trainer, pl_module, stage)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue with the best so far, if any; the run folder may have been moved since it stopped."""
        if not state_dict["best_model_path"]:
            super().load_state_dict(state_dict | {"dirpath": self.dirpath})
            return
        best = str(Path(self.dirpath or "") / Path(state_dict["best_model_path"]).name)
        scores = dict.fromkeys([best], state_dict["best_model_score"])
        paths = {"dirpath": self.dirpath, "best_model_path": best, "kth_best_model_path": best}
        super().load_state_dict(state_dict | paths | {"best_k_models": scores})


class LastCheckpoint(_InRunFolder):
    """The whole state after every epoch, from which a stopped run is resumed.

    It stands after :class:`BestCheckpoint` in the list of callbacks, so that it knows the best so far; Lightning's own
    ``save_last`` skips epochs without a new best.
    """

    def __init__(self) -> None:
        super().__init__(LAST)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Where the budget of steps ends inside an epoch, validate there, as Lightning does for one of time."""
        super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)
        if 0 <= trainer.max_steps <= trainer.global_step:
            trainer.should_stop = True
