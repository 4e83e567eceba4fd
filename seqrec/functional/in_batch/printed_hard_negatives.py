"""FENRec's contrast as its paper prints it, which is not what the released code computes.

Unlike in :func:`seqrec.functional.in_batch.hard_negatives.enduring_info_nce`, the margin is added instead of
multiplied by the product; hard negatives have no margin; all other rows of the batch are negatives, whatever their
label; and the stop of the gradient covers the hard negative itself but not its weight ``s``. Shapes: B examples, D
width of a vector. ``both`` is ``(2B, D)``, the first view over the second. Source: Huang et al., FENRec, AAAI 2025,
eq. (9)-(16). In eq. (10) both vectors are normalised, as in the appendix.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from seqrec.functional.in_batch.hard_negatives import hard_products
from seqrec.functional.in_batch.info_nce import negatives, positive
from seqrec.functional.precision import at_least_float


def printed_info_nce(
    first: Tensor,
    second: Tensor,
    noise: Tensor,
    temperature: float,
    scale: float,
    margin: float,
    mix_ratio: float,
    hard_weight: float,
) -> Tensor:
    """``L'_cl`` of both directions, the mean of 2B rows: half of the bracket of eq. (16).

    A product x of an anchor with its positive enters as ``x s(x) / tau_1``, one with another row as
    ``(x s(x) + m) / tau_1``, one with a hard negative as ``x s(x) / tau_1 + log mu``, where ``s(x) = tanh(x / tau_2)``.

    Args:
        first, second: ``(..., B, D)``.
        noise: ``(M, D)`` constant negatives of every row, with the margin of other rows; the equations have none.
        temperature: tau_1.
        scale: tau_2.
        margin: m.
        mix_ratio: lambda, weight of the anchor in a hard negative.
        hard_weight: mu; 0 leaves out the hard negatives, which is eq. (13).

    Returns:
        ``(...)``, in float32 at least.
    """
    with torch.autocast(first.device.type, enabled=False):
        both = at_least_float(torch.cat([first, second], -2))
        products = both @ both.mT
        with_noise = torch.cat([products, both @ at_least_float(noise).T], -1)
        removed = ~negatives(None, first.shape[-2], both.device)
        own = positive(products)
        own = own * torch.tanh(own / scale) / temperature
        others = (with_noise * torch.tanh(with_noise / scale) + margin) / temperature
        blocks = [own, others.masked_fill(F.pad(removed, (0, len(noise))), -torch.inf)]
        if hard_weight > 0:
            weight = torch.tanh(moving_hard_products(both, mix_ratio) / scale)
            hard = hard_products(both, mix_ratio) * weight / temperature + math.log(hard_weight)
            blocks.append(hard.masked_fill(removed, -torch.inf))
        return (torch.logsumexp(torch.cat(blocks, -1), -1) - own[..., 0]).mean(-1)


def moving_hard_products(both: Tensor, mix_ratio: float) -> Tensor:
    """The values of :func:`hard_products`, with the gradient that passes through the hard negatives."""
    unit, rest = F.normalize(both, dim=-1), 1.0 - mix_ratio
    cosine = unit @ unit.mT
    squared = mix_ratio**2 + rest**2 + 2 * mix_ratio * rest * cosine
    mixed_norm = squared.clamp(min=1e-12).sqrt()  # opposite rows in equal shares cancel
    norm = both.norm(dim=-1)
    return norm[..., None] * norm[..., None, :] * (mix_ratio + rest * cosine) / mixed_norm
