"""The mLSTM cell in three forms of one function: parallel, chunkwise and recurrent.

Source: Beck et al., xLSTM: Extended Long Short-Term Memory, NeurIPS 2024, eq. 19-27 and appendix A.

Shapes: B rows, H heads, L positions, E entries a head. Queries, keys and values are ``(B, H, L, E)``, the input
and forget gates before their activation ``(B, H, L)``. All exponents are taken relative to their largest, in
float32 at least.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from seqrec.functional.precision import at_least_float

EPS = 1e-6


class MatrixMemory(NamedTuple):
    """What the cell remembers of a history.

    Attributes:
        values: C, ``(B, H, E, E)``, keys by values.
        normaliser: n, ``(B, H, E)``.
        stabiliser: m, ``(B, H)``; C and n are stored times ``exp(-m)``.
    """

    values: Tensor
    normaliser: Tensor
    stabiliser: Tensor


def empty_memory(like: Tensor) -> MatrixMemory:
    """The memory before the first item, for queries, keys or values ``like``."""
    rows, heads, _, width = like.shape
    zeros = like.new_zeros(rows, heads, width, width, dtype=torch.promote_types(like.dtype, torch.float32))
    return MatrixMemory(zeros, zeros[..., 0], zeros[..., 0, 0])


def parallel(query: Tensor, key: Tensor, value: Tensor, input_gate: Tensor, forget_gate: Tensor) -> Tensor:
    """Outputs ``(B, H, L, E)`` in one go, at a cost that grows with L * L."""
    return weighted(query, key, value, exponents(input_gate, F.logsigmoid(at_least_float(forget_gate)))[1])


def weighted(query: Tensor, key: Tensor, value: Tensor, exponent: Tensor) -> Tensor:
    """:func:`parallel` of the second result of :func:`exponents`."""
    largest = exponent.amax(-1)
    weights = (query @ key.transpose(-1, -2)) * query.shape[-1] ** -0.5 * torch.exp(exponent - largest[..., None])
    return weights @ value / _divisor(weights.sum(-1), largest)


def chunkwise(
    query: Tensor, key: Tensor, value: Tensor, input_gate: Tensor, forget_gate: Tensor, chunk: int
) -> tuple[Tensor, MatrixMemory]:
    """Outputs ``(B, H, L, E)`` and the final memory, ``chunk`` positions at a time; the cost grows with L * chunk.

    Within a chunk it is :func:`parallel`; what came before the chunk enters through the memory alone, as one more
    term of numerator and divisor. The result is the same for every size of the chunks.
    """
    memory, outputs = empty_memory(query), []
    parts = [x.split(chunk, 2) for x in (query, key * query.shape[-1] ** -0.5, value, input_gate, forget_gate)]
    for q, k, v, i, f in zip(*parts, strict=True):
        forgotten, exponent = exponents(i, F.logsigmoid(at_least_float(f)))
        # Both sources, positions of the chunk and memory, are scaled by the larger of their two largest exponents.
        from_memory = forgotten + memory.stabiliser[..., None]
        largest = torch.maximum(exponent.amax(-1), from_memory)
        weights = (q @ k.transpose(-1, -2)) * torch.exp(exponent - largest[..., None])
        old = torch.exp(from_memory - largest)
        numerator = weights @ v + old[..., None] * (q @ memory.values)
        total = weights.sum(-1) + old * (q @ memory.normaliser[..., None])[..., 0]
        outputs.append(numerator / _divisor(total, largest))
        # The memory after the chunk: its weights are those of the last position, which has seen all others.
        new = k * torch.exp(exponent[..., -1, :] - largest[..., -1:])[..., None]
        kept = old[..., -1:]
        memory = MatrixMemory(
            kept[..., None] * memory.values + new.transpose(-1, -2) @ v,
            kept * memory.normaliser + new.sum(-2),
            largest[..., -1],
        )
    return torch.cat(outputs, dim=2), memory


def recurrent(
    query: Tensor, key: Tensor, value: Tensor, input_gate: Tensor, forget_gate: Tensor, memory: MatrixMemory
) -> tuple[Tensor, MatrixMemory]:
    """Outputs ``(B, H, E)`` and the next memory for one position: arguments without L, and the memory before it."""
    return advanced(query, key, value, input_gate, F.logsigmoid(at_least_float(forget_gate)), memory)


def advanced(
    query: Tensor, key: Tensor, value: Tensor, input_gate: Tensor, log_forget: Tensor, memory: MatrixMemory
) -> tuple[Tensor, MatrixMemory]:
    """:func:`recurrent` of the logarithm ``(B, H)`` of the forget gate after its activation."""
    forgotten = log_forget + memory.stabiliser
    stabiliser = torch.maximum(forgotten, at_least_float(input_gate))
    kept, written = torch.exp(forgotten - stabiliser)[..., None], torch.exp(input_gate - stabiliser)[..., None]
    key = key * query.shape[-1] ** -0.5
    values = kept[..., None] * memory.values + (written * key)[..., None] * value[..., None, :]
    normaliser = kept * memory.normaliser + written * key
    numerator = (query[..., None, :] @ values)[..., 0, :]
    output = numerator / _divisor((query * normaliser).sum(-1), stabiliser)
    return output, MatrixMemory(values, normaliser, stabiliser)


def exponents(input_gate: Tensor, log_forget: Tensor) -> tuple[Tensor, Tensor]:
    """Logarithms of two factors: ``(B, H, L)`` of what precedes the sequence, at each position, and ``(B, H, L, L)``
    of each older position; -inf for newer ones.

    Args:
        input_gate: ``(B, H, L)``, before its activation.
        log_forget: ``(B, H, L)``, logarithm of the forget gate after its activation.
    """
    forgotten = log_forget.cumsum(-1)
    exponent = forgotten[..., :, None] + (at_least_float(input_gate) - forgotten)[..., None, :]
    newer = torch.ones(exponent.shape[-2:], dtype=torch.bool, device=exponent.device).triu(1)
    return forgotten, exponent.masked_fill(newer, -torch.inf)


def _divisor(total: Tensor, stabiliser: Tensor) -> Tensor:
    """``max(|n q|, 1)`` in the scale of the stabiliser, with a last dimension of 1."""
    return (torch.maximum(total.abs(), torch.exp(-stabiliser)) + EPS)[..., None]
