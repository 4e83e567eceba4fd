"""Readings of h+ in EASNRec's contrast (10): what is augmented, and whether it is encoded once more.

Each maps the newest k states ``(B, k, D)`` of the anchors, newest first, items ``(B, L)``, their validity, the backbone
that made the states and an augmentation to states ``(B, k, D)``, zero where a history is shorter. In the paper's words:

* :class:`SamePass`: "we adopt a dynamic random data augmentation strategy for the latent representations" (4.1), the
  ones that (8) has just given.
* :class:`SecondPass`: the same, where "this selection is performed independently for every forward pass" (4.1): the
  positive is a forward pass of its own, under dropout of its own, as in ECL-SR, from whose design the model is built.
* :class:`AugmentedEmbeddings`: "the augmented embedding sequence" of (4), "each embedding vector" of (5) and "the model
  [is forced] to infer missing information from the remaining context" of (7), which only an encoder can do.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor

from seqrec.backbones.base import Backbone
from seqrec.functional.pooling import newest

Change = Callable[[Tensor], Tensor]
"""Augments the newest K states of each history, ``(B, K, D)``, newest first."""


class Positive(ABC):
    """What is augmented.

    Attributes:
        needs_second_pass: it is the states of another pass over the same histories.
    """

    needs_second_pass = False

    @abstractmethod
    def __call__(self, taken: Tensor, items: Tensor, valid: Tensor, backbone: Backbone, change: Change) -> Tensor:
        """Augmented states, see the module."""


class SamePass(Positive):
    """Augmented states of the pass that made the anchors; no other pass is made."""

    def __call__(self, taken: Tensor, items: Tensor, valid: Tensor, backbone: Backbone, change: Change) -> Tensor:
        """See the module."""
        return change(taken)


class SecondPass(Positive):
    """Augmented states of a second pass over the same histories, under fresh dropout and noise."""

    needs_second_pass = True

    def __call__(self, taken: Tensor, items: Tensor, valid: Tensor, backbone: Backbone, change: Change) -> Tensor:
        """See the module."""
        return change(backbone.recent(items, taken.shape[1]))


class AugmentedEmbeddings(Positive):
    """States of a second pass over augmented item embeddings."""

    def __call__(self, taken: Tensor, items: Tensor, valid: Tensor, backbone: Backbone, change: Change) -> Tensor:
        """See the module."""
        length = items.shape[1]
        embedded, _ = newest(backbone.item_embedding(items), valid, length)
        # Augmentations draw from the newest position on; an encoder reads from the oldest.
        newest_first = valid.sum(1, keepdim=True) - 1 - torch.arange(length, device=items.device)
        changed = change(embedded).take_along_dim(newest_first.clamp(min=0)[..., None], 1)
        states, _ = newest(backbone.encode(changed * valid[..., None], valid), valid, taken.shape[1])
        return states
