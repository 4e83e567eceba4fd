"""xLSTM blocks: mLSTM over packed histories, sLSTM over short windows; both pre-norm and residual.

Source: Beck et al., xLSTM: Extended Long Short-Term Memory, NeurIPS 2024, as in the authors' package.

Shapes: N packed tokens, A windows of K items, D width, H heads, E = D / H; P inner width of the mLSTM block.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqrec.backbones.xlstm.mlstm import MatrixMemory, chunkwise, empty_memory, parallel, recurrent
from seqrec.backbones.xlstm.slstm import scalar_memory
from seqrec.nn.dropout import Dropout
from seqrec.nn.packing import Packing

LONG, CHUNK = 512, 128  # beyond LONG positions the mLSTM goes in chunks of CHUNK
WEIGHTS = 1 << 22  # weights of the parallel form alive at a time: 16 MB


class Norm(nn.Module):
    """Layer norm of each of ``heads`` equal parts, times ``1 + weight``, without a bias."""

    def __init__(self, dim: int, heads: int = 1) -> None:
        super().__init__()
        self.heads = heads
        self.weight = nn.Parameter(torch.zeros(dim))

    def forward(self, x: Tensor) -> Tensor:
        """``(..., D)`` -> ``(..., D)``."""
        parts = x.unflatten(-1, (self.heads, -1))
        return F.layer_norm(parts, parts.shape[-1:], eps=1e-5).flatten(-2) * (1 + self.weight)


class BlockDiagonal(nn.Module):
    """A linear map without bias whose groups of inputs reach their own outputs only.

    Args:
        dim: inputs.
        group_size: inputs of a group.
        outputs: maps side by side; the result holds all outputs of the first, then of the second.
        std: of the initial weights ``(outputs, groups, group_size out, group_size in)``.
    """

    def __init__(self, dim: int, group_size: int, outputs: int, std: float) -> None:
        super().__init__()
        if dim % group_size:
            raise ValueError(f"a width of {dim} has no groups of {group_size}; choose a divisor of the width")
        self.weight = nn.Parameter(torch.empty(outputs, dim // group_size, group_size, group_size))
        nn.init.normal_(self.weight, std=std)

    def forward(self, x: Tensor) -> Tensor:
        """``(..., D)`` -> ``(..., outputs * D)``."""
        grouped = x.unflatten(-1, self.weight.shape[1:3])
        return torch.einsum("...gi,pgoi->...pgo", grouped, self.weight).flatten(-3)


class CausalConvolution(nn.Module):
    """Each feature's own convolution over time, ``y_t = sum_s kernel[s] x_{t-s} + bias``, zero before the start."""

    def __init__(self, dim: int, size: int) -> None:
        super().__init__()
        self.kernel = nn.Parameter(torch.empty(size, dim).uniform_(-(size**-0.5), size**-0.5))
        self.bias = nn.Parameter(torch.empty(dim).uniform_(-(size**-0.5), size**-0.5))

    def forward(self, x: Tensor, place: Tensor | None = None) -> Tensor:
        """``(N, D)`` -> ``(N, D)``; ``place`` ``(N,)`` numbers the tokens of each history from 0.

        Without it ``(A, K, D)`` -> ``(A, K, D)``, each row a history of its own.
        """
        if place is None:
            return self._windows(x)
        y = torch.addcmul(self.bias, x, self.kernel[0])
        for s in range(1, self.kernel.shape[0]):
            older = F.pad(x, (0, 0, s, 0))[: x.shape[0]] * (place >= s)[:, None]
            y = torch.addcmul(y, older, self.kernel[s])
        return y

    def _windows(self, x: Tensor) -> Tensor:
        y = torch.addcmul(self.bias, x, self.kernel[0])
        for s in range(1, min(self.kernel.shape[0], x.shape[1])):
            y = torch.addcmul(y, F.pad(x, (0, 0, s, 0))[:, : x.shape[1]], self.kernel[s])
        return y

    def step(self, x: Tensor, recent: Tensor) -> tuple[Tensor, Tensor]:
        """Output ``(B, D)`` and the next recent inputs, newest first, from x ``(B, D)`` and ``(B, size - 1, D)``."""
        inputs = torch.cat([x[:, None], recent], dim=1)
        return (inputs * self.kernel).sum(1) + self.bias, inputs[:, :-1]


class MLSTMState(NamedTuple):
    """What an mLSTM block keeps of a history: recent inputs ``(B, size - 1, P)`` and the matrix memory."""

    recent: Tensor
    memory: MatrixMemory


class MLSTMBlock(nn.Module):
    """Up-projection, causal convolution, mLSTM cell with a gate beside it, down-projection.

    Args:
        dim: D.
        inner_dim: P.
        num_heads: H; they must divide P.
        kernel_size: of the convolution.
        group_size: of the block-diagonal queries, keys and values.
        dropout: of the result.
        num_blocks: of the stack; scales the initial down-projection.
    """

    def __init__(
        self,
        dim: int,
        inner_dim: int,
        num_heads: int,
        kernel_size: int,
        group_size: int,
        dropout: float,
        num_blocks: int,
    ) -> None:
        super().__init__()
        if inner_dim % num_heads:
            raise ValueError(f"inner_dim is {inner_dim}, which {num_heads} heads do not divide; choose a multiple")
        std = math.sqrt(2 / (5 * dim))
        self.num_heads = num_heads
        self.norm, self.head_norm = Norm(dim), Norm(inner_dim, num_heads)
        self.up = nn.Linear(dim, 2 * inner_dim, bias=False)
        self.convolution = CausalConvolution(inner_dim, kernel_size)
        self.query_key = BlockDiagonal(inner_dim, group_size, 2, std)
        self.value = BlockDiagonal(inner_dim, group_size, 1, std)
        self.gates = nn.Linear(3 * inner_dim, 2 * num_heads)  # input, forget
        self.skip = nn.Parameter(torch.ones(inner_dim))
        self.down = nn.Linear(inner_dim, dim, bias=False)
        self.dropout = Dropout(dropout)
        nn.init.normal_(self.up.weight, std=std)
        nn.init.normal_(self.down.weight, std=2 / (num_blocks * math.sqrt(dim)))
        nn.init.zeros_(self.gates.weight)
        nn.init.normal_(self.gates.bias.data[:num_heads], std=0.1)
        self.gates.bias.data[num_heads:] = torch.linspace(3.0, 6.0, num_heads)

    def forward(self, tokens: Tensor, packing: Packing, place: Tensor) -> Tensor:
        """``(N, D)`` -> ``(N, D)``; ``place`` ``(N,)`` numbers the tokens of each history from 0."""
        inner, gate = self.up(self.norm(tokens)).chunk(2, -1)
        convolved = F.silu(self.convolution(inner, place))
        y = packing.by_length(self.remember, self.project(inner, convolved))
        return self.finish(tokens, y, convolved, gate)

    def step(self, x: Tensor, state: MLSTMState | None) -> tuple[Tensor, MLSTMState]:
        """Output ``(B, D)`` and next state of one input ``(B, D)`` and the state before it, None at first."""
        inner, gate = self.up(self.norm(x)).chunk(2, -1)
        if state is None:
            recent = inner.new_zeros(x.shape[0], self.convolution.kernel.shape[0] - 1, inner.shape[-1])
            state = MLSTMState(recent, empty_memory(inner.view(x.shape[0], self.num_heads, 1, -1)))
        convolved, recent = self.convolution.step(inner, state.recent)
        convolved = F.silu(convolved)
        q, k, v, i, f = (part[:, :, 0] for part in self.split(self.project(inner, convolved)[:, None]))
        y, memory = self.advance(q, k, v, i, f, state.memory)
        return self.finish(x, y.flatten(1), convolved, gate), MLSTMState(recent, memory)

    def advance(
        self, query: Tensor, key: Tensor, value: Tensor, input_gate: Tensor, forget_gate: Tensor, memory: MatrixMemory
    ) -> tuple[Tensor, MatrixMemory]:
        """The cell at one position, see :func:`recurrent`."""
        return recurrent(query, key, value, input_gate, forget_gate, memory)

    def project(self, inner: Tensor, convolved: Tensor) -> Tensor:
        """Queries, keys, values and gates side by side, ``(N, 3 * P + 2 * H)``."""
        vectors = torch.cat([self.query_key(convolved), self.value(inner)], -1)
        return torch.cat([vectors, self.gates(vectors)], -1)

    def split(self, projected: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """``(B, L, 3 * P + 2 * H)`` -> queries, keys, values ``(B, H, L, P / H)`` and gates ``(B, H, L)``."""
        vectors, gates = projected[..., : -2 * self.num_heads], projected[..., -2 * self.num_heads :]
        query, key, value = vectors.unflatten(-1, (3, self.num_heads, -1)).permute(2, 0, 3, 1, 4)
        input_gate, forget_gate = gates.unflatten(-1, (2, -1)).permute(2, 0, 3, 1)
        return query, key, value, input_gate, forget_gate

    def remember(self, projected: Tensor, valid: Tensor) -> Tensor:
        """The cell: ``(B, L, 3 * P + 2 * H)`` -> ``(B, L, P)``."""
        length = valid.shape[1]
        if length > LONG:
            y = chunkwise(*self.split(projected), CHUNK)[0]
        else:
            rows = max(1, WEIGHTS // (self.num_heads * length * length))
            y = torch.cat([parallel(*self.split(part)) for part in projected.split(rows)])
        return y.transpose(1, 2).flatten(2)

    def finish(self, x: Tensor, y: Tensor, convolved: Tensor, gate: Tensor) -> Tensor:
        """What follows the cell, whose outputs are y ``(N, P)``; x is the input of the block."""
        y = (self.head_norm(y) + self.skip * convolved) * F.silu(gate)
        return x + self.dropout(self.down(y))


class SLSTMBlock(nn.Module):
    """sLSTM cell with memory mixing within each head, then a gated feed-forward layer.

    Args:
        dim: D.
        num_heads: H; they must divide D.
        kernel_size: of the convolution before the input and forget gates.
        ffn_dim: inner width of the feed-forward layer.
        dropout: of the cell's outputs and of the feed-forward layer's.
        index, num_blocks: which block of how many this is; they set the initial forget gates.
    """

    def __init__(
        self, dim: int, num_heads: int, kernel_size: int, ffn_dim: int, dropout: float, index: int, num_blocks: int
    ) -> None:
        super().__init__()
        if dim % num_heads:
            raise ValueError(f"dim is {dim}, which {num_heads} heads do not divide; choose a multiple of num_heads")
        std, width = math.sqrt(2 / (5 * dim)), dim // num_heads
        self.num_heads = num_heads
        self.norm, self.head_norm, self.ffn_norm = Norm(dim), Norm(dim, num_heads), Norm(dim)
        self.convolution = CausalConvolution(dim, kernel_size)
        self.input_forget = BlockDiagonal(dim, width, 2, std)
        self.value_output = BlockDiagonal(dim, width, 2, std)
        self.recurrent = nn.Parameter(torch.zeros(4, num_heads, width, width))  # input, forget, value, output
        self.bias = nn.Parameter(torch.zeros(4, num_heads, 1, width))
        self.ffn_in = nn.Linear(dim, 2 * ffn_dim, bias=False)
        self.ffn_out = nn.Linear(ffn_dim, dim, bias=False)
        self.dropout = Dropout(dropout)
        nn.init.normal_(self.ffn_in.weight, std=std)
        nn.init.normal_(self.ffn_out.weight, std=2 / (num_blocks * math.sqrt(dim)))
        unit = torch.arange(width) / max(1, width - 1)
        self.bias.data[1, :, 0] = 5 - 12 * unit ** (0.3 + 1.3 * index / max(1, num_blocks - 1))

    def forward(self, x: Tensor, last: Tensor | None = None) -> Tensor:
        """``(A, K, D)`` -> ``(A, K, D)``, each row a history of its own, oldest item first.

        With columns ``last`` ``(A,)`` the outputs there alone, ``(A, D)``.
        """
        y = self.recur(x)
        if last is None:
            return self.finish(x, y)
        row = torch.arange(x.shape[0], device=x.device)
        return self.finish(x[row, last], y[row, last])

    def recur(self, x: Tensor) -> Tensor:
        """Outputs ``(A, K, D)`` of the cell for inputs ``(A, K, D)`` of the block."""
        u = self.norm(x)
        convolved = F.silu(self.convolution(u))
        sources = ((convolved, self.input_forget.weight), (u, self.value_output.weight))
        gates = [torch.einsum("akhi,phoi->kphao", self.by_head(x), weight) for x, weight in sources]
        return self.remember(torch.cat(gates, 1) + self.bias).permute(2, 0, 1, 3).flatten(2)

    def remember(self, gates: Tensor) -> Tensor:
        """The cell: ``(K, 4, H, A, E)`` -> ``(K, H, A, E)``, see :func:`scalar_memory`."""
        return scalar_memory(gates, self.recurrent)[0]

    def by_head(self, x: Tensor) -> Tensor:
        """``(..., D)`` -> ``(..., H, E)``."""
        return x.unflatten(-1, (self.num_heads, -1))

    def finish(self, x: Tensor, y: Tensor) -> Tensor:
        """What follows the cell, whose outputs are y; both ``(..., D)``."""
        x = x + self.head_norm(self.dropout(y))
        gate, inner = self.ffn_in(self.ffn_norm(x)).chunk(2, -1)
        return x + self.dropout(self.ffn_out(F.gelu(gate) * inner))
