"""ExternalMemory: slots that all users share, read after the last layer of a trunk and written once a step.

Source: EASNRec (see :mod:`.uncertainty`), eqs. (21)-(27). Shapes: T tokens, D their width, N slots,
S the width of a slot.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, TypeVar

import torch
from torch import Tensor, nn

from seqrec.methods.easnrec.fusion import FUSIONS, Fusion
from seqrec.methods.easnrec.memory_rules import ADDRESSINGS, WRITE_NORMS, WriteRule, gated_update

Choice = TypeVar("Choice")


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
        fusion: how state and read vector become one, see :mod:`seqrec.methods.easnrec.fusion`.
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
        self.w_u, self.w_r, self.w_c = (nn.Parameter(torch.randn(width, width + dim) * 0.02) for _ in range(3))
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
