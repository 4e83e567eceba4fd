"""How an external memory is addressed and what is written to it; state is kept by :mod:`seqrec.methods.easnrec.memory`.

Source: EASNRec (see :mod:`.uncertainty`), eqs. (21) and (23)-(27). Shapes: T tokens, D their width,
N slots, S the width of a slot.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor, nn


class DirectAddressing(nn.Module):
    """Weights of the slots, ``softmax(h W_a)`` (21)."""

    def __init__(self, dim: int, num_slots: int, slot_dim: int) -> None:
        super().__init__()
        self.w_a = nn.Parameter(torch.randn(dim, num_slots) * dim**-0.5)

    def forward(self, states: Tensor, memory: Tensor) -> Tensor:
        """``(T, D), (N, S)`` -> ``(T, N)``."""
        return torch.softmax(states @ self.w_a, dim=-1)


class ContentAddressing(nn.Module):
    """Weights of the slots by likeness, ``softmax((h W_a) M^T / sqrt(S))``."""

    def __init__(self, dim: int, num_slots: int, slot_dim: int) -> None:
        super().__init__()
        self.w_a = nn.Parameter(torch.randn(dim, slot_dim) * dim**-0.5)

    def forward(self, states: Tensor, memory: Tensor) -> Tensor:
        """``(T, D), (N, S)`` -> ``(T, N)``."""
        return torch.softmax(states @ self.w_a @ memory.T * memory.shape[1] ** -0.5, dim=-1)


class _AllReduce(torch.autograd.Function):
    """Sum over ranks; its gradient is the sum over ranks too, since each has its own loss of the sum."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        total = x.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *grad: Tensor) -> Tensor:
        total = grad[0].clone()
        dist.all_reduce(total)
        return total


def _over_ranks(x: Tensor) -> Tensor:
    """Sum over all ranks, with gradient."""
    if dist.is_available() and dist.is_initialized():
        x = _AllReduce.apply(x)
    return x


def _over_slots(scores: Tensor, counted: Tensor | None) -> Tensor:
    """Weights ``(T, N)`` over slots (23), 0 at tokens that do not count."""
    weights = torch.softmax(scores, dim=1)
    return weights if counted is None else weights * counted[:, None]


def slot_mean(states: Tensor, scores: Tensor, counted: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Values of the slots (24), each divided by its mass, so that neither B nor L matters.

    Args:
        states: ``(T, D)``.
        scores: ``(T, N)``, ``h W_w``.
        counted: ``(T,)`` bool, the tokens that are written; None: all.

    Returns:
        Weights ``(T, N)``, over slots (23), and values ``(N, D)`` over the tokens of all ranks.
    """
    weights = _over_slots(scores, counted)
    mass = _over_ranks(weights.sum(0))
    return weights, _over_ranks(weights.T @ states) / (mass + 1e-8)[:, None]


def slot_sum(states: Tensor, scores: Tensor, counted: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Literal (24), a sum over tokens; arguments as in :func:`slot_mean`."""
    weights = _over_slots(scores, counted)
    return weights, _over_ranks(weights.T @ states)


def token_softmax(states: Tensor, scores: Tensor, counted: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Weights over tokens, for each slot; arguments as in :func:`slot_mean`."""
    if counted is not None:
        scores = scores.masked_fill(~counted[:, None], -torch.inf)
    top = scores.detach().amax(0)
    if dist.is_available() and dist.is_initialized():
        dist.all_reduce(top, dist.ReduceOp.MAX)
    weights = torch.exp(scores - top)
    weights = weights / _over_ranks(weights.sum(0))
    return weights, _over_ranks(weights.T @ states)


class Update(NamedTuple):
    """A write: gates and candidate of eqs. (25)-(26) and the new memory (27), all ``(N, S)``."""

    update: Tensor
    reset: Tensor
    candidate: Tensor
    memory: Tensor


def gated_update(memory: Tensor, value: Tensor, w_u: Tensor, w_r: Tensor, w_c: Tensor) -> Update:
    """Eqs. (25)-(27): memory ``(N, S)``, values ``(N, D)``, three weights ``(S, S + D)``."""
    both = torch.cat([memory, value], dim=1)
    update, reset = torch.sigmoid(both @ w_u.T), torch.sigmoid(both @ w_r.T)
    candidate = torch.tanh(torch.cat([reset * memory, value], dim=1) @ w_c.T)
    return Update(update, reset, candidate, update * candidate + (1 - update) * memory)


def updated(memory: Tensor, value: Tensor, w_u: Tensor, w_r: Tensor, w_c: Tensor) -> Tensor:
    """The memory of :func:`gated_update`, which itself gets no gradient."""
    if memory.is_cuda and not torch.compiler.is_compiling():
        written: Tensor = _Updated.apply(memory, value, w_u, w_r, w_c)
        return written
    return gated_update(memory, value, w_u, w_r, w_c).memory


class _Updated(torch.autograd.Function):
    """With few kernels, as a GPU needs longer to start one than to work on so small matrices."""

    @staticmethod
    def forward(ctx: Any, memory: Tensor, value: Tensor, w_u: Tensor, w_r: Tensor, w_c: Tensor) -> Tensor:
        both, w_gates = torch.cat([memory, value], 1), torch.cat([w_u, w_r])
        gates = (both @ w_gates.T).sigmoid_()
        update, reset = gates.chunk(2, 1)
        inner = torch.cat([reset * memory, value], 1)
        candidate = (inner @ w_c.T).tanh_()
        ctx.save_for_backward(memory, both, w_gates, gates, inner, candidate, w_c)
        return torch.lerp(memory, candidate, update)

    @staticmethod
    def backward(ctx: Any, *grad: Tensor) -> tuple[Tensor | None, ...]:
        memory, both, w_gates, gates, inner, candidate, w_c = ctx.saved_tensors
        update, slot = gates.chunk(2, 1)[0], memory.shape[1]
        of_candidate = torch.ops.aten.tanh_backward(grad[0] * update, candidate)
        of_inner = of_candidate @ w_c
        of_gates = torch.cat([grad[0] * (candidate - memory), of_inner[:, :slot] * memory], 1)
        of_gates = torch.ops.aten.sigmoid_backward(of_gates, gates)
        of_value = torch.addmm(of_inner[:, slot:], of_gates, w_gates[:, slot:])
        of_update, of_reset = (of_gates.T @ both).chunk(2)
        return None, of_value, of_update, of_reset, of_candidate.T @ inner


WriteRule = Callable[[Tensor, Tensor, Tensor | None], tuple[Tensor, Tensor]]
ADDRESSINGS: dict[str, Callable[[int, int, int], nn.Module]] = {
    "direct": DirectAddressing,
    "content": ContentAddressing,
}
WRITE_NORMS: dict[str, WriteRule] = {"slot_mean": slot_mean, "sum": slot_sum, "token_softmax": token_softmax}
