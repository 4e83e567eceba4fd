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

    def state_shapes(self) -> dict[str, tuple[int, ...]]:
        """See :class:`~seqrec.export.forms.Stepwise`: the states of all layers."""
        return {"state": (self.gru.num_layers, self.gru.hidden_size)}

    def step_of(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """See :class:`~seqrec.export.forms.Stepwise`; the state is ``(B, layers, H)``."""
        states = []
        for layer, (input_weight, state_weight) in enumerate(self.gru.all_weights):
            before = state[:, layer]
            reset, update, new = (x @ input_weight.T).chunk(3, 1)
            kept_reset, kept_update, kept_new = (before @ state_weight.T).chunk(3, 1)
            candidate = torch.tanh(new + torch.sigmoid(reset + kept_reset) * kept_new)
            x = candidate + torch.sigmoid(update + kept_update) * (before - candidate)
            states.append(x)
        return self.output(x), torch.stack(states, 1)

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
