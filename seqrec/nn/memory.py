"""ExternalMemory: slots that all users share, read after the last layer of a trunk and written once a step.

Source: EASNRec (see :mod:`seqrec.nn.uncertainty`), eqs. (21)-(27). Shapes: T tokens, D their width, N slots,
S the width of a slot.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal, NamedTuple, TypeVar

import torch
import torch.distributed as dist
import torch.distributed.nn.functional as differentiable
from torch import Tensor, nn

from seqrec.nn.fusion import FUSIONS, Fusion


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


def _over_ranks(x: Tensor) -> Tensor:
    """Sum over all ranks, with gradient."""
    if dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1:
        x = differentiable.all_reduce(x)
    return x


def slot_mean(states: Tensor, scores: Tensor) -> tuple[Tensor, Tensor]:
    """Values of the slots (24), each divided by its mass, so that neither B nor L matters.

    Args:
        states: ``(T, D)``.
        scores: ``(T, N)``, ``h W_w``.

    Returns:
        Weights ``(T, N)``, over slots (23), and values ``(N, D)`` over the tokens of all ranks.
    """
    weights = torch.softmax(scores, dim=1)
    mass = _over_ranks(weights.sum(0))
    return weights, _over_ranks(weights.T @ states) / (mass + 1e-8)[:, None]


def slot_sum(states: Tensor, scores: Tensor) -> tuple[Tensor, Tensor]:
    """Literal (24), a sum over tokens; arguments as in :func:`slot_mean`."""
    weights = torch.softmax(scores, dim=1)
    return weights, _over_ranks(weights.T @ states)


def token_softmax(states: Tensor, scores: Tensor) -> tuple[Tensor, Tensor]:
    """Weights over tokens, for each slot; arguments as in :func:`slot_mean`."""
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


Choice = TypeVar("Choice")
WriteRule = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
ADDRESSINGS: dict[str, Callable[[int, int, int], nn.Module]] = {
    "direct": DirectAddressing,
    "content": ContentAddressing,
}
WRITE_NORMS: dict[str, WriteRule] = {"slot_mean": slot_mean, "sum": slot_sum, "token_softmax": token_softmax}


class ExternalMemory(nn.Module):
    """A memory that a trunk reads in every pass and that learns from one pass a training step.

    A write is delayed: a step keeps its detached states, and the next step writes them with gradient before
    it reads. So the write weights learn (back-propagation through one step), and no position sees its own
    future or its batch mates. Use :func:`memories_of` around a training step. Leaving the training mode or
    taking the state dict finishes a pending write first, which all ranks must do together.

    Args:
        dim: width of the states D.
        num_slots: N.
        dropout: on what is read, before ``add_norm``.
        slot_dim: S; None is D.
        addressing: how a state picks slots (21): ``direct`` or by ``content``.
        fusion: how state and read vector become one, see :mod:`seqrec.nn.fusion`.
        write_norm: how tokens become the value of a slot (24), see the functions of these names.
    """

    memory: Tensor

    def __init__(
        self,
        dim: int,
        num_slots: int,
        dropout: float,
        slot_dim: int | None = None,
        addressing: Literal["direct", "content"] = "direct",
        fusion: Literal["add_norm", "add", "concat", "gate"] = "add_norm",
        write_norm: Literal["slot_mean", "sum", "token_softmax"] = "slot_mean",
    ) -> None:
        super().__init__()
        width = dim if slot_dim is None else slot_dim
        self.addressing = _choose("addressing", addressing, ADDRESSINGS)(dim, num_slots, width)
        self.fusion: Fusion = _choose("fusion", fusion, FUSIONS)(dim, width, dropout)
        self.write_rule: WriteRule = _choose("write_norm", write_norm, WRITE_NORMS)
        self.w_w = nn.Parameter(torch.randn(dim, num_slots) * dim**-0.5)
        self.w_u, self.w_r, self.w_c = (
            nn.Parameter(torch.randn(width, width + dim) * 0.02) for _ in range(3)
        )
        # Not zero: equal slots would stay equal.
        self.register_buffer("memory", torch.randn(num_slots, width) * 0.02)
        self.pending: Tensor | None = None  # states (T, D) of the last step, not yet written
        self.recorded: Tensor | None = None  # states of this step
        self.live: Tensor | None = None  # the memory of this step, with its graph
        self.recording = False
        self.register_state_dict_pre_hook(_flush)

    def forward(self, tokens: Tensor) -> Tensor:
        """Refine packed states ``(T, D)`` by what they read; the first pass of a writing step is recorded."""
        if self.recording:
            self.recorded, self.recording = tokens.detach(), False
        memory = self.memory if self.live is None else self.live
        with torch.autocast(tokens.device.type, enabled=False):
            states = tokens.to(memory.dtype)
            fused: Tensor = self.fusion(states, self.addressing(states, memory) @ memory)  # (22)
        return fused

    def written(self) -> Tensor:
        """The memory ``(N, S)`` after the pending write, with gradient to the write weights."""
        if self.pending is None:
            return self.memory
        with torch.autocast(self.memory.device.type, enabled=False):
            states = self.pending.to(self.memory.dtype)
            _, value = self.write_rule(states, states @ self.w_w)
            return gated_update(self.memory, value, self.w_u, self.w_r, self.w_c).memory

    def open(self, write: bool) -> None:
        """Begin a training step; its first pass is kept for writing if ``write``."""
        self.live, self.recording = self.written(), write

    def close(self) -> None:
        """End a training step, after its backward passes."""
        if self.recorded is not None and self.live is not None:
            self.memory.copy_(self.live.detach())
            self.pending = self.recorded
        self.live = self.recorded = None
        self.recording = False

    @torch.no_grad()
    def flush(self) -> None:
        """Finish a pending write, without gradient."""
        if self.pending is not None:
            self.memory.copy_(self.written())
            self.pending = None

    def train(self, mode: bool = True) -> ExternalMemory:
        """Switch the mode; evaluation reads a memory without a pending write."""
        if not mode:
            self.flush()
        return super().train(mode)


@contextmanager
def memories_of(module: nn.Module, *writers: nn.Module) -> Iterator[None]:
    """A training step: memories in ``module`` are read, those in ``writers`` also keep their first pass."""
    memories = [m for m in module.modules() if isinstance(m, ExternalMemory)]
    written = {m for writer in writers for m in writer.modules()}
    for memory in memories:
        memory.open(write=memory in written)
    try:
        yield
    finally:
        for memory in memories:
            memory.close()


def flush_memories(module: nn.Module) -> None:
    """Finish the pending writes of all memories in ``module``."""
    for part in module.modules():
        _flush(part)


def _flush(module: nn.Module, *_: object) -> None:
    """Finish a pending write; also a hook of the state dict."""
    if isinstance(module, ExternalMemory):
        module.flush()


def _choose(argument: str, name: str, choices: dict[str, Choice]) -> Choice:
    if name not in choices:
        raise ValueError(f"{argument} is {name!r}; choose one of {', '.join(choices)}")
    return choices[name]
