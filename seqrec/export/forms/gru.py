"""GRU as the operator of ONNX.

The exporter unrolls the recurrence for the length of its example, or exports it with another meaning of the reset gate
(pytorch issue 189225); so the operator is written out. Its gates are in another order than those of PyTorch.
"""

from __future__ import annotations

import torch
from torch import Tensor

from seqrec.backbones.gru import GRU


class GRUOperator(GRU):
    """See :class:`~seqrec.backbones.gru.GRU`; padding is newer than all items, so their states do not know it."""

    def newest_of(self, x: Tensor, valid: Tensor) -> Tensor:
        """See :meth:`Backbone.newest_of`."""
        steps = x.transpose(0, 1)
        for weights in self.gru.all_weights:
            steps = self._layer(steps, *weights)
        row = torch.arange(x.shape[0], device=x.device)
        newest: Tensor = self.output(steps[valid.sum(1) - 1, row])
        return newest

    def _layer(self, x: Tensor, input_weight: Tensor, state_weight: Tensor) -> Tensor:
        """States ``(L, B, H)`` of inputs ``(L, B, D)``."""
        width = self.gru.hidden_size
        weights = [_update_reset_new(weight) for weight in (input_weight, state_weight)]
        states: Tensor = torch.onnx.ops.symbolic(
            "GRU", (x, *weights), attrs={"hidden_size": width, "linear_before_reset": 1},
            dtype=x.dtype, shape=(x.shape[0], 1, x.shape[1], width), version=14,
        )  # fmt: skip
        return states.squeeze(1)


def _update_reset_new(weight: Tensor) -> Tensor:
    """``(3 * H, D)`` with gates reset, update, new -> ``(1, 3 * H, D)`` with gates update, reset, new."""
    reset, update, new = weight.chunk(3)
    return torch.cat([update, reset, new])[None]
