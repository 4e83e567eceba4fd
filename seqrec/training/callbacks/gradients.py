"""How much each term of a loss moves the encoder and the item table, which all of them share."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from seqrec.functional.softmax import fused
from seqrec.training.callbacks.diagnosed import check_steps, diagnosed

WHOLE = "loss"
"""The name of what is descended itself."""


class GradientShares(pl.Callback):
    """Logs whose gradient it is: the norm of each weighted term's, divided by the sum of these norms.

    ``gradients/encoder/contrast`` is the share of the contrast at the backbone without its item table,
    ``gradients/items/contrast`` that at the table; means over the looks of an epoch. Where players take turns, norms of
    all turns of a batch are added. A look takes a backward pass for each term, leaves the gradients of the parameters
    alone and draws nothing. A method with one term logs nothing.

    Args:
        every_n_steps: batches between two looks; the first batch of each epoch is one.

    Raises:
        ValueError: the number is below 1.
    """

    def __init__(self, every_n_steps: int = 50) -> None:
        self.every_n_steps = check_steps("gradients", every_n_steps)
        self.norms: dict[str, dict[str, Tensor]] = {}

    def on_fit_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Refuse a model into which one cannot look, and kernels that scale a gradient where it lies.

        Raises:
            ValueError: see :func:`~seqrec.training.callbacks.diagnosed.diagnosed`; or Liger's kernels may be used,
                whose gradients a second backward pass would scale twice.
        """
        diagnosed(trainer, module, "gradients")
        if trainer.strategy.root_device.type == fused.DEVICE and fused.library() is not None:
            raise ValueError(
                "callbacks=gradients takes several backward passes of a step, and Liger's kernels bear one; uninstall "
                "liger-kernel for this run, or leave it out"
            )

    def on_train_batch_start(self, trainer: pl.Trainer, module: Any, batch: Any, batch_idx: int) -> None:
        """Ask for the terms where this step is to be looked at."""
        module.watched = {} if batch_idx % self.every_n_steps == 0 else None
        self.norms = defaultdict(dict)

    def on_before_backward(self, trainer: pl.Trainer, module: Any, loss: Tensor) -> None:
        """Add the norms of the terms of one backward pass."""
        if not module.watched:
            return
        terms = {name: term for name, term in module.watched.items() if name != WHOLE and term.requires_grad}
        module.watched.clear()
        table = {id(parameter) for parameter in module.backbone.item_embedding.parameters()}
        learning = [parameter for parameter in module.backbone.parameters() if parameter.requires_grad]
        of_table = [id(parameter) in table for parameter in learning]
        weights = torch.autograd.grad(loss, list(terms.values()), retain_graph=True, allow_unused=True) if terms else ()
        for (name, term), weight in zip(terms.items(), weights, strict=True):
            if weight is None or not learning:  # it is logged, not descended
                continue
            found = torch.autograd.grad(term, learning, weight, retain_graph=True, allow_unused=True)
            for part, wanted in (("encoder", False), ("items", True)):
                own = [x for x, is_table in zip(found, of_table, strict=True) if is_table is wanted and x is not None]
                norm = _norm(own, loss)
                self.norms[part][name] = self.norms[part].get(name, torch.zeros_like(norm)) + norm

    def on_train_batch_end(self, trainer: pl.Trainer, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Log the shares."""
        module.watched = None
        shares: dict[str, Tensor] = {}
        for part, norms in self.norms.items():
            whole = torch.stack(list(norms.values())).sum().clamp(min=1e-30)
            shares |= {f"gradients/{part}/{name}": norm / whole for name, norm in norms.items() if len(norms) > 1}
        if shares:
            module.epoch_means.add(shares, len(batch.row))


def _norm(gradients: Sequence[Tensor], like: Tensor) -> Tensor:
    """Of all of them together; 0 of none."""
    values = [gradient.coalesce().values() if gradient.is_sparse else gradient for gradient in gradients]
    squares = [value.detach().float().square().sum() for value in values]
    return torch.stack(squares).sum().sqrt() if squares else like.new_zeros((), dtype=torch.float32)
