"""FENRec's contrast: negatives that stay hard, because they are mixed with the anchor or moved towards it.

Shapes: B examples, D width of a vector, M noise vectors. ``both`` is ``(2B, D)``, the first view over the second; the
positive of row i is row i + B or i - B. Similarities are dot products. Examples of one label are no negatives of one
another; without labels that holds for the two views of an example only.

Source: Huang et al., FENRec, AAAI 2025, as in the released code.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from seqrec.functional.in_batch.info_nce import negatives, positive
from seqrec.functional.in_batch.weighed_log_sum import Block, weighed_log_sum
from seqrec.functional.precision import at_least_float


def enduring_info_nce(
    first: Tensor,
    second: Tensor,
    labels: Tensor | None,
    noise: Tensor,
    temperature: float,
    scale: float,
    margin: float,
    mix_ratio: float,
    hard_weight: float,
) -> Tensor:
    """FENRec's contrast with enduring hard negatives (eq. 11-16, in the form of the released code).

    A dot product x enters as ``x / tau_1 * tanh(x / tau_2)``, for negatives as ``x / tau_1 * (tanh(x / tau_2) + m)``.
    The first form is even in x: strongly negative products are pushed like positive ones, as in the source.

    Args:
        first, second: ``(..., B, D)``.
        labels: ``(..., B)`` or None.
        noise: ``(M, D)`` constant negatives of every row.
        temperature: tau_1.
        scale: tau_2.
        margin: m.
        mix_ratio: lambda, weight of the anchor in a hard negative.
        hard_weight: mu, above 0.

    Returns:
        ``(...)``, the mean over 2B rows, in float32 at least.
    """
    with torch.autocast(first.device.type, enabled=False):
        both = at_least_float(torch.cat([first, second], -2))
        products = both @ both.mT
        own = positive(products)
        removed = ~negatives(labels, first.shape[-2], both.device)
        blocks = [
            Block(own, 0.0),
            Block(products, margin, 0.0, removed),
            Block(both @ at_least_float(noise).T, margin),
            Block(hard_products(both, mix_ratio), margin, math.log(hard_weight), removed),
        ]
        own_weighed = own[..., 0] / temperature * torch.tanh(own[..., 0] / scale)
        return (weighed_log_sum(blocks, temperature, scale) - own_weighed).mean(-1)


def hard_products(both: Tensor, mix_ratio: float) -> Tensor:
    """Dot products ``(..., 2B, 2B)`` of row i with its hard negative ``n_ij``, which gets no gradient (eq. 10).

    ``n_ij`` has the norm of row j and the direction of ``lambda z_i / |z_i| + (1 - lambda) z_j / |z_j|``. It is
    never formed: ``z_i . n_ij = lambda |z_j| / d_ij (z_i . z_i / |z_i|) + (1 - lambda) / d_ij (z_i . z_j)``, where
    ``d_ij`` is the norm of the mixture; value and gradient are the same.
    """
    constant = both.detach()
    unit = F.normalize(constant, dim=-1)
    rest = 1.0 - mix_ratio
    squared = mix_ratio**2 + rest**2 + 2 * mix_ratio * rest * (unit @ unit.mT)
    mixed_norm = squared.clamp(min=1e-12).sqrt()  # opposite rows in equal shares cancel
    with_own = (both * unit).sum(-1, keepdim=True)
    return (mix_ratio * constant.norm(dim=-1)[..., None, :] * with_own + rest * (both @ constant.mT)) / mixed_norm


@torch.no_grad()
def harder_noise(
    noise: Tensor, first: Tensor, second: Tensor, labels: Tensor | None, steps: int, step_size: float
) -> Tensor:
    """Noise ``(M, D)`` after steps of fixed length up the gradient of a cross entropy in which it is a negative.

    A vector whose gradient vanishes makes all of them zero vectors in the next step, as in the source.

    Args:
        noise: ``(M, D)`` at the start.
        first, second: ``(B, D)``.
        labels: ``(B,)`` or None.
        steps: number of steps.
        step_size: their length.
    """
    with torch.autocast(first.device.type, enabled=False):
        anchor = at_least_float(first)
        noise = at_least_float(noise)
        rows = anchor @ at_least_float(second).T
        if labels is not None:
            rows = rows.masked_fill((labels[:, None] == labels).fill_diagonal_(False), -torch.inf)
        for _ in range(steps):
            share = torch.softmax(torch.cat([rows, anchor @ noise.T], 1), 1)[:, len(first) :]
            ascent = share.T @ anchor  # B times the gradient
            noise = torch.addcdiv(noise, ascent, ascent.norm(dim=1, keepdim=True), value=step_size)
        return noise.masked_fill(noise.isnan(), 0.0)
