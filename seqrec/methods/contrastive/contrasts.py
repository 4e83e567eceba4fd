"""Contrasts of two views as modules: with the other examples of the batch, and with harder negatives (FENRec).

They hold the numbers of a contrast, not its state: no parameters and no buffers. The mathematics is in
:mod:`seqrec.functional.in_batch.info_nce`, :mod:`seqrec.functional.in_batch.hard_negatives` and
:mod:`seqrec.functional.in_batch.printed_hard_negatives`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from seqrec.functional.in_batch.hard_negatives import enduring_info_nce, harder_noise
from seqrec.functional.in_batch.info_nce import info_nce
from seqrec.functional.in_batch.printed_hard_negatives import printed_info_nce
from seqrec.functional.ranks import of_first_rank
from seqrec.nn.packing import static_shapes


class Pair(NamedTuple):
    """Two vectors ``(B, D)`` of each example, and labels ``(B,)``; examples of one label are no negatives."""

    first: Tensor
    second: Tensor
    labels: Tensor


class PairContrast(nn.Module, ABC):
    """Loss that draws together two vectors of each example of a batch.

    A method calls :meth:`negatives` once a batch and then the contrast itself, or :meth:`of_each` where it has several
    pairs.

    Shapes: B examples, those of all ranks, D width of a vector, M additional negatives.

    Args:
        temperature: tau, divides the products.
    """

    def __init__(self, temperature: float) -> None:
        super().__init__()
        self.temperature = temperature

    @abstractmethod
    def negatives(self, first: Tensor, second: Tensor, labels: Tensor | None, epoch: int) -> Tensor | None:
        """Additional negatives ``(M, D)`` of all pairs of this batch; None where there are none in this epoch.

        Args:
            first, second: ``(B, D)``, two views of each example.
            labels: ``(B,)``; examples of one label are no negatives of one another. None gives each its own.
            epoch: number of the epoch, from 0.
        """

    @abstractmethod
    def forward(self, first: Tensor, second: Tensor, labels: Tensor | None, noise: Tensor | None) -> Tensor:
        """The loss ``(...)`` of pairs ``(..., B, D)`` with labels ``(..., B)``.

        ``noise`` is the result of :meth:`negatives` for this batch.
        """

    def of_each(self, pairs: Sequence[Pair], noise: Tensor | None) -> Sequence[Tensor]:
        """The losses of several pairs: on a GPU in one call, on the CPU one after the other, in its cache."""
        if not static_shapes(pairs[0].first):
            losses: list[Tensor] = [self(*pair, noise) for pair in pairs]
            return losses
        together: Tensor = self(*(torch.stack(part) for part in zip(*pairs, strict=True)), noise)
        return together.unbind()

    def extra_repr(self) -> str:
        """The numbers of the contrast, for ``print(model)``."""
        numbers = {name: value for name, value in vars(self).items() if isinstance(value, int | float)}
        return ", ".join(f"{name}={value}" for name, value in numbers.items() if name != "training")


class InBatchContrast(PairContrast):
    """InfoNCE: the negatives are the other examples of the batch (CL4SRec, DuoRec, ICSRec)."""

    def negatives(self, first: Tensor, second: Tensor, labels: Tensor | None, epoch: int) -> None:
        """The examples of the batch are the only negatives."""

    def forward(self, first: Tensor, second: Tensor, labels: Tensor | None, noise: Tensor | None) -> Tensor:
        """See :func:`seqrec.functional.in_batch.info_nce.info_nce`."""
        return info_nce(first, second, labels, self.temperature)


class HardNegativeContrast(PairContrast):
    """FENRec's contrast: after the warm-up, negatives are mixed with the anchor, and noise is made harder.

    Source: Huang et al., FENRec, AAAI 2025. During the warm-up it is :class:`InBatchContrast`.

    Args:
        temperature: tau_1.
        warmup_epochs: epochs without hard negatives; infinity for ever.
        noise_ratio: M / B; 0 for no noise.
        noise_steps, noise_step_size: see :func:`seqrec.functional.in_batch.hard_negatives.harder_noise`.
        scale, margin, mix_ratio, hard_weight: see :func:`seqrec.functional.in_batch.hard_negatives.enduring_info_nce`.
    """

    def __init__(
        self,
        temperature: float,
        warmup_epochs: float,
        noise_ratio: int,
        noise_steps: int,
        noise_step_size: float,
        scale: float,
        margin: float,
        mix_ratio: float,
        hard_weight: float,
    ) -> None:
        super().__init__(temperature)
        self.warmup_epochs = warmup_epochs
        self.noise_ratio, self.noise_steps, self.noise_step_size = noise_ratio, noise_steps, noise_step_size
        self.scale, self.margin, self.mix_ratio, self.hard_weight = scale, margin, mix_ratio, hard_weight

    def negatives(self, first: Tensor, second: Tensor, labels: Tensor | None, epoch: int) -> Tensor | None:
        """Normal noise, made harder for these examples; None during the warm-up."""
        if epoch < self.warmup_epochs:
            return None
        noise = torch.randn(self.noise_ratio * len(first), first.shape[1], dtype=first.dtype, device=first.device)
        return harder_noise(of_first_rank(noise), first, second, labels, self.noise_steps, self.noise_step_size)

    def forward(self, first: Tensor, second: Tensor, labels: Tensor | None, noise: Tensor | None) -> Tensor:
        """Without noise, as during the warm-up, the plain loss; ``(0, D)`` leaves out the noise alone."""
        if noise is None:
            return info_nce(first, second, labels, self.temperature)
        return enduring_info_nce(
            first,
            second,
            labels,
            noise,
            self.temperature,
            self.scale,
            self.margin,
            self.mix_ratio,
            self.hard_weight,
        )


class PrintedContrast(HardNegativeContrast):
    """FENRec's contrast as its paper prints it; :class:`HardNegativeContrast` is that of its released code.

    Labels are not used: all other examples are negatives. The warm-up is one without hard negatives and noise, but
    with the weights ``s`` and the margin. The paper names noise in a sentence only; here it counts as other rows do.
    """

    def forward(self, first: Tensor, second: Tensor, labels: Tensor | None, noise: Tensor | None) -> Tensor:
        """See :func:`seqrec.functional.in_batch.printed_hard_negatives.printed_info_nce`; None is the warm-up."""
        hard_weight = 0.0 if noise is None else self.hard_weight
        return printed_info_nce(
            first,
            second,
            first.new_empty(0, first.shape[-1]) if noise is None else noise,
            self.temperature,
            self.scale,
            self.margin,
            self.mix_ratio,
            hard_weight,
        )
