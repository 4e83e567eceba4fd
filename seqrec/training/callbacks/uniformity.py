"""How evenly vectors lie on the sphere, epoch after epoch (FENRec, Figure 5)."""

from __future__ import annotations

import math

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from pytorch_lightning.trainer.states import TrainerFn
from torch import Tensor

from seqrec.data.batch import Histories
from seqrec.functional.precision import at_least_float
from seqrec.methods.base import Recommender
from seqrec.training.callbacks.diagnosed import diagnosed

MOST = 2048
"""Vectors that are compared with one another: two million pairs."""


class Uniformity(pl.Callback):
    """Logs the uniformity of item vectors and of user vectors at each validation; smaller is more uniform.

    ``uniformity/items`` is about the item table, ``uniformity/users`` about what validation users ask with. Of more
    than :data:`MOST`, as many at equal distances stand for all; items are numbered at random. It draws nothing.
    """

    def on_fit_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Refuse a model without vectors.

        Raises:
            ValueError: see :func:`~seqrec.training.callbacks.diagnosed.diagnosed`.
        """
        diagnosed(trainer, module, "uniformity")

    def on_validation_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Compare, with the weights that were validated."""
        if trainer.state.fn != TrainerFn.FITTING or trainer.sanity_checking or not isinstance(module, Recommender):
            return
        table = module.backbone.item_matrix.detach()
        vectors = {"items": table[evenly(len(table))], "users": user_vectors(module)}
        values = {f"uniformity/{name}": uniformity(x) for name, x in vectors.items()}
        module.log_dict(values, on_step=False, on_epoch=True, batch_size=1)


@torch.no_grad()
def user_vectors(model: Recommender) -> Tensor:
    """What validation users ask with, ``(n, D)`` of n of them."""
    data, found = model.data, []
    windows = data.splits["val"]
    for rows in evenly(len(windows)).split(data.eval_batch_size):
        items = windows.histories(rows, data.max_length).to(model.device)
        with torch.autocast(model.device.type, enabled=False):
            found.append(model.query(Histories(items, windows.user[rows].to(model.device))))
    return torch.cat(found)


def evenly(count: int) -> Tensor:
    """At most :data:`MOST` of the numbers below ``count``, at equal distances."""
    chosen = min(count, MOST)
    return torch.arange(chosen) * count // max(chosen, 1)


@torch.no_grad()
def uniformity(x: Tensor) -> Tensor:
    """``log mean exp(-2 |a - b|^2)`` over all pairs of different rows of ``(n, D)``, each divided by its length.

    It is 0 where all are the same, and NaN of fewer than two rows. Source: Wang and Isola, Understanding Contrastive
    Representation Learning through Alignment and Uniformity on the Hypersphere, ICML 2020, with t = 2.
    """
    distances = torch.pdist(F.normalize(at_least_float(x), dim=-1)).square()
    return torch.logsumexp(-2 * distances, 0) - math.log(len(distances)) if len(distances) else x.new_tensor(math.nan)
