"""Readings of h+ in EASNRec's contrast (10): what is augmented, and whether it is encoded once more.

Each maps the newest k states ``(B, k, D)`` of the anchors, newest first, items ``(B, L)``, rng_keys ``(B,)``, the
backbone that made the states and an augmentation to user vectors ``(B, D)``, means over the newest k positions (9). In
the paper's words:

* :func:`same_pass`: "we adopt a dynamic random data augmentation strategy for the latent representations" (4.1), the
  ones that (8) has just given.
* :func:`second_pass`: the same, where "this selection is performed independently for every forward pass" (4.1): the
  positive is a forward pass of its own, under dropout of its own, as in ECL-SR, from whose design the model is built.
* :func:`augmented_embeddings`: "the augmented embedding sequence" of (4), "each embedding vector" of (5) and "the model
  [is forced] to infer missing information from the remaining context" of (7), which only an encoder can do.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from seqrec.backbones.base import Backbone
from seqrec.functional.pooling import newest, newest_mean

Augment = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Changes ``(states (B, K, D), valid (B, L), rng_keys (B,))``, see :mod:`seqrec.functional.augment_states`."""

Positive = Callable[[Tensor, Tensor, Tensor, Backbone, Augment], Tensor]
"""User vectors ``(B, D)`` of ``(taken, items, rng_keys, backbone, augment)``."""


def same_pass(taken: Tensor, items: Tensor, rng_keys: Tensor, backbone: Backbone, augment: Augment) -> Tensor:
    """Augmented states of the pass that made the anchors; no other pass is made."""
    valid = items != 0
    return augment(taken, valid, rng_keys).sum(1) / valid.sum(1, keepdim=True).clamp(max=taken.shape[1])


def second_pass(
    taken: Tensor, items: Tensor, rng_keys: Tensor, backbone: Backbone, augment: Augment, again: Tensor | None = None
) -> Tensor:
    """Augmented states of a second pass over the same histories, under fresh dropout and noise.

    ``again`` ``(B, k, D)`` are the newest of its states where it was made in one call with the first.
    """
    if again is None:
        again, _ = newest(backbone(items), items != 0, taken.shape[1])
    return same_pass(again, items, rng_keys, backbone, augment)


def augmented_embeddings(
    taken: Tensor, items: Tensor, rng_keys: Tensor, backbone: Backbone, augment: Augment
) -> Tensor:
    """States of a second pass over augmented item embeddings."""
    valid = items != 0
    length = items.shape[1]
    embedded, _ = newest(backbone.item_embedding(items), valid, length)
    # Augmentations draw from the newest position on; an encoder reads from the oldest.
    newest_first = valid.sum(1, keepdim=True) - 1 - torch.arange(length, device=items.device)
    changed = augment(embedded, valid, rng_keys).take_along_dim(newest_first.clamp(min=0)[..., None], 1)
    return newest_mean(backbone.encode(changed * valid[..., None], valid), valid, taken.shape[1])
