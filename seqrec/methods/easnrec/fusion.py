"""Fusions: a state and the vector it read from a memory become one state.

Shapes: states ``(T, D)``, read vectors ``(T, S)``. Where S differs from D a map without bias brings the read
vector to width D.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from seqrec.nn.dropout import Dropout


def _to_width(slot_dim: int, dim: int) -> nn.Module:
    """W_o, needed only where the widths differ."""
    if slot_dim == dim:
        return nn.Identity()
    linear = nn.Linear(slot_dim, dim, bias=False)
    nn.init.normal_(linear.weight, std=0.02)
    return linear


class AddNorm(nn.Module):
    """``LN(h + Drop(W_o m))``, as in all sub-layers: keeps the scale that tied scores expect."""

    def __init__(self, dim: int, slot_dim: int, dropout: float) -> None:
        super().__init__()
        self.w_o = _to_width(slot_dim, dim)
        self.norm = nn.LayerNorm(dim, 1e-12)
        self.dropout = Dropout(dropout)

    def forward(self, states: Tensor, read: Tensor) -> Tensor:
        """``(T, D), (T, S)`` -> ``(T, D)``."""
        fused: Tensor = self.norm(states + self.dropout(self.w_o(read)))
        return fused


class Add(nn.Module):
    """``h + W_o m``."""

    def __init__(self, dim: int, slot_dim: int, dropout: float) -> None:
        super().__init__()
        self.w_o = _to_width(slot_dim, dim)

    def forward(self, states: Tensor, read: Tensor) -> Tensor:
        """``(T, D), (T, S)`` -> ``(T, D)``."""
        fused: Tensor = states + self.w_o(read)
        return fused


class Concat(nn.Module):
    """``W_f [h; m] + b``."""

    def __init__(self, dim: int, slot_dim: int, dropout: float) -> None:
        super().__init__()
        self.w_f = nn.Linear(dim + slot_dim, dim)

    def forward(self, states: Tensor, read: Tensor) -> Tensor:
        """``(T, D), (T, S)`` -> ``(T, D)``."""
        fused: Tensor = self.w_f(torch.cat([states, read], dim=-1))
        return fused


class Gate(nn.Module):
    """``z * h + (1 - z) * W_o m`` with ``z = sigmoid(W_z [h; m] + b)``."""

    def __init__(self, dim: int, slot_dim: int, dropout: float) -> None:
        super().__init__()
        self.w_o = _to_width(slot_dim, dim)
        self.w_z = nn.Linear(dim + slot_dim, dim)

    def forward(self, states: Tensor, read: Tensor) -> Tensor:
        """``(T, D), (T, S)`` -> ``(T, D)``."""
        keep = torch.sigmoid(self.w_z(torch.cat([states, read], dim=-1)))
        mixed: Tensor = torch.lerp(self.w_o(read), states, keep)
        return mixed


FUSIONS: dict[str, Callable[[int, int, float], nn.Module]] = {
    "add_norm": AddNorm,
    "add": Add,
    "concat": Concat,
    "gate": Gate,
}
