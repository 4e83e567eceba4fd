"""How similar to its anchor a contrast's negatives are, epoch after epoch (FENRec, Figure 2)."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from seqrec.functional.in_batch.hard_negatives import hard_products
from seqrec.functional.in_batch.info_nce import negatives
from seqrec.functional.precision import at_least_float
from seqrec.methods.contrastive import HardNegativeContrast, PairContrast
from seqrec.training.callbacks.diagnosed import check_steps, diagnosed

QUANTILES = (5, 25, 50, 75, 95)
"""Per cent."""

ANCHORS = 256
"""Of a batch, at most: the newest histories of the first of them stand for all."""


class NegativeSimilarity(pl.Callback):
    """Logs how inner products of anchors with their negatives are distributed: means over the looks of an epoch.

    ``negatives/batch_q50`` is the median of the other examples of the batch, ``negatives/hard_q50`` that of the
    negatives mixed with the anchor, once the warm-up is over; so for each of :data:`QUANTILES`. Of a step with several
    contrasts, it is that of two histories. It reads what the contrast is given, draws nothing and changes no gradient.

    Args:
        every_n_steps: batches between two looks; the first batch of each epoch is one.

    Raises:
        ValueError: the number is below 1.
    """

    def __init__(self, every_n_steps: int = 50) -> None:
        self.every_n_steps = check_steps("negatives", every_n_steps)
        self.hook: Any = None
        self.found: dict[str, Tensor] | None = None
        self.due = False

    def on_fit_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Watch the contrast.

        Raises:
            ValueError: the model has none of this kind.
        """
        contrast = getattr(diagnosed(trainer, module, "negatives"), "pair_contrast", None)
        if not isinstance(contrast, PairContrast):
            raise ValueError(
                f"callbacks=negatives looks at model.pair_contrast, which {type(module).__name__} does not have; "
                "choose fenrec, icsrec, duorec or cl4srec, or leave it out"
            )
        self.hook = contrast.register_forward_hook(self._look)

    def teardown(self, trainer: pl.Trainer, module: pl.LightningModule, stage: str) -> None:
        """Watch no longer."""
        if self.hook is not None:
            self.hook.remove()
            self.hook = None

    def on_train_batch_start(self, trainer: pl.Trainer, module: pl.LightningModule, batch: Any, batch_idx: int) -> None:
        """Decide whether to look at this step."""
        self.due, self.found = batch_idx % self.every_n_steps == 0, None

    def on_train_batch_end(self, trainer: pl.Trainer, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Log what was seen."""
        self.due = False
        if self.found is not None:
            module.epoch_means.add(self.found, len(batch.row))

    def _look(self, contrast: nn.Module, given: tuple[Any, ...], loss: Tensor) -> None:
        if not self.due or self.found is not None:
            return
        first, second, labels, noise = given
        if first.dim() == 3:  # several contrasts in one call
            first, second, labels = first[0], second[0], labels[0] if labels is not None else None
        mix_ratio = contrast.mix_ratio if isinstance(contrast, HardNegativeContrast) and noise is not None else None
        self.found = similarities(first, second, labels, mix_ratio)


@torch.no_grad()
def similarities(first: Tensor, second: Tensor, labels: Tensor | None, mix_ratio: float | None) -> dict[str, Tensor]:
    """Quantiles of the inner products of anchors with their negatives, scalars by their names in the log.

    Args:
        first, second: ``(B, D)``, two views of each example; the first ones are the anchors.
        labels: ``(B,)``, examples of one are no negatives of one another; None gives each its own.
        mix_ratio: of hard negatives; None where there are none.
    """
    with torch.autocast(first.device.type, enabled=False):
        both = at_least_float(torch.cat([first, second]))
        anchors = slice(min(ANCHORS, len(first)))
        allowed = negatives(labels, len(first), both.device)[anchors]
        kinds = {"batch": both[anchors] @ both.T}
        if mix_ratio is not None:
            kinds["hard"] = hard_products(both, mix_ratio)[anchors]
        found = {}
        for kind, products in kinds.items():
            ordered = products[allowed].sort().values
            for share in QUANTILES if len(ordered) else ():
                found[f"negatives/{kind}_q{share:02d}"] = ordered[round(share / 100 * (len(ordered) - 1))]
    return found
