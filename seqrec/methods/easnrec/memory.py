"""ExternalMemory: slots that all users share, read after the last layer of a trunk and written once a step.

Source: EASNRec (see :mod:`.uncertainty`), eqs. (21)-(27). Shapes: T tokens, D their width, N slots,
S the width of a slot.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Literal, NamedTuple, TypeVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from seqrec.methods.easnrec.fusion import FUSIONS
from seqrec.methods.easnrec.memory_rules import ADDRESSINGS, WRITE_NORMS, WriteRule, updated

Choice = TypeVar("Choice")


class ExternalMemory(nn.Module):
    """A memory that a trunk reads in every pass and that is written from one pass a training step.

    A write is delayed by a step: a step remembers its states, and the next one writes them, with gradient, before it
    reads. So the write weights learn (back-propagation through one step), and no position sees its own future or its
    batch mates. A training step therefore has four parts, all of them visible in the method::

        with written(network), first_reads(network) as seen:  # what the last step remembered is written
            ...                                               # passes read the memory; backward
            remember(seen)                                    # what the next step will write

    Where training pauses, :func:`settle` finishes a write that is pending, without gradient; all ranks must call it
    together.

    Args:
        dim: width of the states D.
        num_slots: N.
        dropout: on what is read, before ``add_norm``.
        slot_dim: S; None is D.
        addressing: how a state picks slots (21): ``direct`` or by ``content``.
        fusion: how state and read vector become one, see :mod:`seqrec.methods.easnrec.fusion`.
        write_norm: how tokens become the value of a slot (24), see the functions of these names.
        slots: ``written``: a slot holds what was written to it; ``learned``: that and a vector of its own that
            gradients train, so that slots have something to keep apart from the start.
        initial_std: of the vectors that are trained.
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
        slots: Literal["written", "learned"] = "written",
        initial_std: float = 4.0,
    ) -> None:
        super().__init__()
        width = dim if slot_dim is None else slot_dim
        self.addressing = _choose("addressing", addressing, ADDRESSINGS)(dim, num_slots, width)
        self.fusion = _choose("fusion", fusion, FUSIONS)(dim, width, dropout)
        self.write_rule: WriteRule = _choose("write_norm", write_norm, WRITE_NORMS)
        self.w_w = nn.Parameter(torch.randn(dim, num_slots) * dim**-0.5)
        self.w_u, self.w_r, self.w_c = (nn.Parameter(torch.randn(width, width + dim) * 0.02) for _ in range(3))
        # Not zero: equal slots would stay equal.
        self.register_buffer("memory", torch.randn(num_slots, width) * 0.02)
        if slots not in ("written", "learned"):
            raise ValueError(f"slots is {slots!r}; choose 'written' or 'learned'")
        learned = slots == "learned"
        self.slots = nn.Parameter(torch.randn(num_slots, width) * initial_std) if learned else None
        self.pending: Tensor | None = None  # states (T, D) that are remembered, not yet written
        self.counted: Tensor | None = None  # which of them are written (T,); None: all
        self.live: Tensor | None = None  # the memory of this step, with its graph to the write weights
        self.noting = False  # whether the next read is noted
        self.first: Reading | None = None  # what was noted

    def forward(self, tokens: Tensor) -> Tensor:
        """See :meth:`read`; a trunk calls it with its last layer's states."""
        return self.read(tokens)

    def read(self, tokens: Tensor) -> Tensor:
        """Packed states ``(T, D)``, each refined by what it reads from the memory (21)-(22); changes nothing."""
        memory = self.memory if self.live is None else self.live
        memory = memory if self.slots is None else memory + self.slots
        with torch.autocast(tokens.device.type, enabled=False):
            states = tokens.to(memory.dtype)
            read = self.addressing(states, memory) @ memory
            if self.noting and self.first is None:
                self.first = Reading(states.detach(), read.detach())
            fused: Tensor = self.fusion(states, read)
        return fused

    def remember(self, tokens: Tensor, counted: Tensor | None = None) -> None:
        """Keep states ``(T, D)`` of this step for the write of the next one; call it after the backward pass.

        The write of this step becomes the memory itself. Before the backward pass that would overwrite what it needs.

        Args:
            tokens: the states.
            counted: ``(n,)`` bool, which of the first n of them are to be written; None: all.
        """
        if self.live is not None:
            self.memory.copy_(self.live.detach())
        self.pending, self.counted = _first(tokens.detach(), counted), counted

    def after_write(self) -> Tensor:
        """The memory ``(N, S)`` after the pending write (23)-(27), with gradient to the write weights."""
        if self.pending is None:
            return self.memory
        with torch.autocast(self.memory.device.type, enabled=False):
            states = self.pending.to(self.memory.dtype)
            _, value = self.write_rule(states, states @ self.w_w, self.counted)
            return updated(self.memory, value, self.w_u, self.w_r, self.w_c)

    @torch.no_grad()
    def settle(self) -> None:
        """Finish a pending write, without gradient."""
        if self.pending is not None:
            self.memory.copy_(self.after_write())
            self.pending = self.counted = None


def keep_from_decay(optimizer: Optimizer, network: nn.Module) -> Optimizer:
    """The optimizer, whose weight decay, if it has any, leaves the memories of a network alone.

    Decay draws the slots to one point and their addresses to the uniform one, so that in the end all states read the
    same vector.
    """
    own = {id(parameter) for memory in memories(network) for parameter in memory.parameters()}
    group = optimizer.param_groups[0]
    still = [parameter for parameter in group["params"] if id(parameter) in own]
    if still and group.get("weight_decay"):
        group["params"] = [parameter for parameter in group["params"] if id(parameter) not in own]
        optimizer.add_param_group({**group, "params": still, "weight_decay": 0.0})
    return optimizer


def memories(network: nn.Module | None) -> list[ExternalMemory]:
    """All memories of a network; none of None."""
    return [] if network is None else [part for part in network.modules() if isinstance(part, ExternalMemory)]


@contextmanager
def written(network: nn.Module) -> Iterator[None]:
    """Within the block, reads see the memories of a network after their pending writes.

    All passes of the block share one write, so that its gradient is formed once. A memory that remembers nothing in the
    block is as it was afterwards: its write stays pending, and the next block forms it with newer weights.
    """
    for memory in memories(network):
        memory.live = memory.after_write()
    try:
        yield
    finally:
        for memory in memories(network):
            memory.live = None  # the graph of this step is used up


class Reading(NamedTuple):
    """A read without gradient: states ``(T, D)`` and what they read ``(T, S)``."""

    states: Tensor
    read: Tensor

    def variance(self, counted: Tensor | None = None) -> Tensor:
        """Variance over ``counted`` ``(n,)`` of the first n tokens, None: all, of what is read, by that of the states.

        It is 0 where all read the same vector.
        """
        of_read, of_states = _variances([_first(part, counted) for part in (self.read, self.states)], counted)
        return of_read / of_states.clamp(min=1e-12)


def _first(x: Tensor, counted: Tensor | None) -> Tensor:
    """The rows of ``x`` that ``counted`` is about; others are those of a second pass in the same call."""
    return x if counted is None else x[: len(counted)]


def _variances(parts: list[Tensor], counted: Tensor | None) -> list[Tensor]:
    """Of each of some ``(T, C)`` the sum over its columns of their variances over the ``counted`` rows."""
    if counted is None:
        return [x.var(0, correction=0).sum() for x in parts]
    with torch.autocast(counted.device.type, enabled=False):
        x = torch.cat(parts, 1)
        weight = (counted / counted.sum()).to(x.dtype)[None]  # (1, T)
        of_column = weight @ (x - weight @ x).square()
        return [variance.sum() for variance in of_column.split([part.shape[1] for part in parts], 1)]


class FirstReads(Mapping[ExternalMemory, Reading]):
    """What each of some memories read first, until the next :func:`first_reads`; without those that read nothing."""

    def __init__(self, parts: list[ExternalMemory]) -> None:
        self.parts = parts

    def __getitem__(self, memory: ExternalMemory) -> Reading:
        if memory.first is None:
            raise KeyError(memory)
        return memory.first

    def __iter__(self) -> Iterator[ExternalMemory]:
        return (memory for memory in self.parts if memory.first is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)


@contextmanager
def first_reads(network: nn.Module | None) -> Iterator[FirstReads]:
    """The first read of each memory of a network within the block."""
    parts = memories(network)
    for memory in parts:
        memory.noting, memory.first = True, None
    try:
        yield FirstReads(parts)
    finally:
        for memory in parts:
            memory.noting = False


def remember(seen: Mapping[ExternalMemory, Reading], counted: Tensor | None = None) -> None:
    """Let each memory remember its states; see :meth:`ExternalMemory.remember`."""
    for memory, reading in seen.items():
        memory.remember(reading.states, counted)


def read_variance(
    seen: Mapping[ExternalMemory, Reading], network: nn.Module, counted: Tensor | None = None
) -> Tensor | None:
    """:meth:`Reading.variance` of the memories of a network that were read, their mean; None if none was."""
    found = [seen[memory].variance(counted) for memory in memories(network) if memory in seen]
    return torch.stack(found).mean() if found else None


def settle(network: nn.Module) -> None:
    """Finish the pending writes of all memories of a network; see :meth:`ExternalMemory.settle`."""
    for memory in memories(network):
        memory.settle()


def _choose(argument: str, name: str, choices: dict[str, Choice]) -> Choice:
    if name not in choices:
        raise ValueError(f"{argument} is {name!r}; choose one of {', '.join(choices)}")
    return choices[name]
