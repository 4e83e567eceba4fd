"""xLSTM on padded rows: convolutions within each row, the parallel mLSTM, and sLSTM steps over a window of K items."""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor

from seqrec.backbones.xlstm import XLSTM
from seqrec.backbones.xlstm.blocks import CausalConvolution, MLSTMBlock, SLSTMBlock
from seqrec.backbones.xlstm.mlstm import exponents, weighted
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
