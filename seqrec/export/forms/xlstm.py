"""xLSTM on padded rows: convolutions within each row, the parallel mLSTM, and sLSTM steps over a window of K items."""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor

from seqrec.backbones.xlstm import XLSTM
from seqrec.backbones.xlstm.blocks import CausalConvolution, MLSTMBlock, MLSTMState, SLSTMBlock
from seqrec.backbones.xlstm.mlstm import MatrixMemory, advanced, exponents, weighted
from seqrec.backbones.xlstm.xlstm import windows


class RowConvolution(CausalConvolution):
    """See :class:`~seqrec.backbones.xlstm.blocks.CausalConvolution`."""

    def _windows(self, x: Tensor) -> Tensor:
        place = torch.arange(x.shape[1], device=x.device)
        y = torch.addcmul(self.bias, x, self.kernel[0])
        for s in range(1, self.kernel.shape[0]):
            older = x[:, (place - s).clamp(min=0)] * (place >= s).to(x.dtype)[:, None]
            y = torch.addcmul(y, older, self.kernel[s])
        return y


class RowMLSTM(MLSTMBlock):
    """See :class:`~seqrec.backbones.xlstm.blocks.MLSTMBlock`."""

    def of_rows(self, x: Tensor) -> Tensor:
        """``(B, L, D)`` -> ``(B, L, D)``."""
        inner, gate = self.up(self.norm(x)).chunk(2, -1)
        convolved = F.silu(self.convolution(inner))
        query, key, value, input_gate, forget_gate = self.split(self.project(inner, convolved))
        y = weighted(query, key, value, exponents(input_gate, log_sigmoid(forget_gate))[1])
        return self.finish(x, y.transpose(1, 2).flatten(2), convolved, gate)

    def advance(
        self, query: Tensor, key: Tensor, value: Tensor, input_gate: Tensor, forget_gate: Tensor, memory: MatrixMemory
    ) -> tuple[Tensor, MatrixMemory]:
        """See :meth:`MLSTMBlock.advance`."""
        return advanced(query, key, value, input_gate, log_sigmoid(forget_gate), memory)


class StepwiseSLSTM(SLSTMBlock):
    """See :class:`~seqrec.backbones.xlstm.blocks.SLSTMBlock`."""

    def remember(self, gates: Tensor) -> Tensor:
        """See :func:`~seqrec.backbones.xlstm.slstm.scalar_memory`, whose steps are in place."""
        ratio, log_normaliser = torch.zeros_like(gates[0, 0]), None
        outputs: list[Tensor] = []
        for mixed in gates:
            if outputs:
                mixed = mixed + outputs[-1] @ self.recurrent
            i, f, z, o = mixed
            log_normaliser = i if log_normaliser is None else log_add_exp(log_normaliser + log_sigmoid(f), i)
            ratio = torch.lerp(ratio, torch.tanh(z), torch.exp(i - log_normaliser))
            outputs.append(torch.sigmoid(o) * ratio)
        return torch.stack(outputs)


def log_sigmoid(x: Tensor) -> Tensor:
    """As :func:`torch.nn.functional.logsigmoid`, which becomes a logarithm of a sigmoid.

    That of onnxruntime is exact to 1e-7, too little for the logarithm of a small one.
    """
    return x.clamp(max=0.0) - torch.log1p(torch.exp(-x.abs()))


def log_add_exp(x: Tensor, y: Tensor) -> Tensor:
    """As :func:`torch.logaddexp`, which becomes a logarithm of sums that may overflow."""
    return torch.maximum(x, y) + torch.log1p(torch.exp(-(x - y).abs()))


class RowXLSTM(XLSTM):
    """See :class:`~seqrec.backbones.xlstm.XLSTM`."""

    def newest_of(self, x: Tensor, valid: Tensor) -> Tensor:
        """See :meth:`Backbone.newest_of`."""
        row, last = torch.arange(x.shape[0], device=x.device), valid.sum(1) - 1
        older = last.clamp(max=self.short_window - 1)
        recent = x[row[:, None], windows(last, older, self.short_window)]
        for block in self.long_blocks:
            x = cast(RowMLSTM, block).of_rows(x)
        return self.fuse(self.long_norm(x[row, last]), self.read(recent, older))

    def state_shapes(self) -> dict[str, tuple[int, ...]]:
        """See :class:`~seqrec.export.forms.Stepwise`.

        ``count``: items so far, at most K; ``recent``: the newest K embedded items, newest last; of the long stream's
        blocks ``inputs`` of the convolution and the parts of :class:`~seqrec.backbones.xlstm.mlstm.MatrixMemory`.
        """
        blocks = cast("list[RowMLSTM]", list(self.long_blocks))
        size, inner = blocks[0].convolution.kernel.shape
        heads, layers = blocks[0].num_heads, len(blocks)
        width = inner // heads
        memory = {"values": (heads, width, width), "normaliser": (heads, width), "stabiliser": (heads,)}
        of_blocks = {"inputs": (size - 1, inner), **memory}
        shapes = {name: (layers, *shape) for name, shape in of_blocks.items()}
        return {"count": (), "recent": (self.short_window, self.dim), **shapes}

    def step_of(
        self,
        x: Tensor,
        count: Tensor,
        recent: Tensor,
        inputs: Tensor,
        values: Tensor,
        normaliser: Tensor,
        stabiliser: Tensor,
    ) -> tuple[Tensor, ...]:
        """See :class:`~seqrec.export.forms.Stepwise`; states as :meth:`state_shapes` has them, with B first."""
        recent = torch.cat([recent[:, 1:], x[:, None]], 1)
        older = count.clamp(max=self.short_window - 1).long()
        newest = torch.full_like(older, self.short_window - 1)
        row = torch.arange(x.shape[0], device=x.device)
        short = self.read(recent[row[:, None], windows(newest, older, self.short_window)], older)
        states = []
        for i, block in enumerate(cast("list[RowMLSTM]", list(self.long_blocks))):
            memory = MatrixMemory(values[:, i], normaliser[:, i], stabiliser[:, i])
            x, after = block.step(x, MLSTMState(inputs[:, i], memory))
            states.append((after.recent, *after.memory))
        vector = self.fuse(self.long_norm(x), short)
        count = (count + 1).clamp(max=self.short_window)
        return vector, count, recent, *(torch.stack(parts, 1) for parts in zip(*states, strict=True))
