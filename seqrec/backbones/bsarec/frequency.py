"""BSARec's layer: self-attention mixed with a filter over time, on whole left-padded windows.

Source: Shin et al., An Attentive Inductive Bias for Sequential Recommendation beyond the Self-Attention, AAAI
2024, as released. A window has W positions, padding on the left and the newest item last. Padding takes part:
the filter mixes all positions, and a padding query, whose keys are all masked alike, sees all of them.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqrec.nn.dropout import Dropout


def low_pass(length: int, cutoff: int) -> Tensor:
    """The matrix ``(W, W)``, float64, that keeps the ``cutoff // 2 + 1`` lowest frequencies of W positions.

    ``F[t, s] = 1/W sum_f w_f cos(2 pi f (t - s) / W)``, where w_f is 1 for the mean and for the highest frequency of
    an even W, else 2: a real Fourier transform, its higher bins set to zero, and the inverse, as one product.
    """
    position = torch.arange(length, dtype=torch.float64)
    frequency = torch.arange(min(cutoff, length) // 2 + 1)
    weight = torch.where((frequency == 0) | (2 * frequency == length), 1.0, 2.0).double()
    turns = frequency * (position[:, None, None] - position[None, :, None]) / length
    return (weight * torch.cos(2 * math.pi * turns)).sum(-1) / length


class FrequencyBranch(nn.Module):
    """``LN(x + Drop(low + beta^2 * high))`` of the low and the high frequencies of x over time (eqs. 7-8).

    Args:
        dim: width D.
        max_length: positions W.
        cutoff: c, see :func:`low_pass`.
        dropout: of the filtered states.
        norm_eps: of the layer norm.
    """

    matrix: Tensor

    def __init__(self, dim: int, max_length: int, cutoff: int, dropout: float, norm_eps: float) -> None:
        super().__init__()
        self.register_buffer("matrix", low_pass(max_length, cutoff).float(), persistent=False)
        self.sqrt_beta = nn.Parameter(torch.randn(dim))
        self.dropout = Dropout(dropout)
        self.norm = nn.LayerNorm(dim, norm_eps)

    def forward(self, x: Tensor, newest: int) -> Tensor:
        """``(B, W, D)`` -> ``(B, newest, D)``, the last positions."""
        low = self.matrix[-newest:] @ x
        x = x[:, -newest:]
        return self.norm(x + self.dropout(low + self.sqrt_beta**2 * (x - low)))


class WindowAttention(nn.Module):
    """``LN(x + Drop(W_o attention(x)))`` on padded windows.

    Args:
        dim: width D.
        num_heads: heads H; they must divide D.
        dropout: of the output.
        attention_dropout: of attention weights.
        norm_eps: of the layer norm.
    """

    def __init__(self, dim: int, num_heads: int, dropout: float, attention_dropout: float, norm_eps: float) -> None:
        super().__init__()
        if dim % num_heads:
            raise ValueError(f"dim is {dim}, which {num_heads} heads do not divide; choose a multiple of num_heads")
        self.num_heads = num_heads
        self.query, self.key_value = nn.Linear(dim, dim), nn.Linear(dim, 2 * dim)
        self.output = nn.Linear(dim, dim)
        self.dropout, self.attention_dropout = Dropout(dropout), Dropout(attention_dropout)
        self.norm = nn.LayerNorm(dim, norm_eps)

    def forward(self, x: Tensor, mask: Tensor, newest: int) -> Tensor:
        """``(B, W, D)`` and a mask ``(B, 1, W, W)`` that is added to the scores -> ``(B, newest, D)``."""
        key, value = self.key_value(x).unflatten(-1, (2, self.num_heads, -1)).permute(2, 0, 3, 1, 4)  # (B, H, W, D / H)
        x = x[:, -newest:]
        query = self.query(x).unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
        scores = (query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2)
        weights = torch.softmax(scores.float() + mask[..., -newest:, :], dim=-1)
        context = self.attention_dropout(weights).to(value.dtype) @ value
        return self.norm(x + self.dropout(self.output(context.transpose(1, 2).flatten(2))))


class FrequencyLayer(nn.Module):
    """``z = alpha * frequency(x) + (1 - alpha) * attention(x)``, then ``LN(z + Drop(W_2 gelu(W_1 z)))`` (eq. 9).

    Args:
        frequency: the first branch.
        attention: the second one.
        frequency_weight: alpha.
        ffn_dim: inner width of the feed-forward part.
        dropout: of its output.
        norm_eps: of its layer norm.
    """

    def __init__(
        self,
        frequency: FrequencyBranch,
        attention: WindowAttention,
        frequency_weight: float,
        ffn_dim: int,
        dropout: float,
        norm_eps: float,
    ) -> None:
        super().__init__()
        if not 0.0 <= frequency_weight <= 1.0:
            raise ValueError(f"frequency_weight is {frequency_weight}; it must be between 0 and 1")
        self.frequency, self.attention, self.frequency_weight = frequency, attention, frequency_weight
        dim = attention.output.out_features
        self.ffn_in, self.ffn_out = nn.Linear(dim, ffn_dim), nn.Linear(ffn_dim, dim)
        self.ffn_norm = nn.LayerNorm(dim, norm_eps)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor, newest: int) -> Tensor:
        """See :class:`WindowAttention`."""
        mixed = torch.lerp(self.attention(x, mask, newest), self.frequency(x, newest), self.frequency_weight)
        return self.ffn_norm(mixed + self.dropout(self.ffn_out(F.gelu(self.ffn_in(mixed)))))
