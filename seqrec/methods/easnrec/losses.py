"""Losses: what a step of EASNRec descends and logs; equation numbers are the paper's."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class Losses(NamedTuple):
    """Scalar terms of a training step, and what shows whether they do anything.

    Attributes:
        recommendation: L_rec (2).
        contrast, positive_cosine: L_cl (10), see :class:`seqrec.methods.easnrec.contrast.Contrasted`.
        generator: L_gen (14).
        discriminator: L_disc (16).
        similarity: the mean of (13).
        read_variance: see :func:`seqrec.methods.easnrec.memory.read_variance`; None without a memory.
    """

    recommendation: Tensor
    contrast: Tensor
    positive_cosine: Tensor
    generator: Tensor
    discriminator: Tensor
    similarity: Tensor
    read_variance: Tensor | None
