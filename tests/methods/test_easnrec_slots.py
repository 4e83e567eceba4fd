"""Readings of EASNRec's memory against a second derivation: what its slots hold, and after which layers it is read."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from seqrec.methods.easnrec.memory import ExternalMemory, first_reads, keep_from_decay, read_variance, written
from seqrec.nn.packing import Packing
from tests.methods.small_easnrec import BATCHES, DIM, MEMORY, gradients, plain, same

BATCH = BATCHES[0]
VALID = BATCH.items != 0


@pytest.mark.parametrize("slots", ["written", "learned"])
def test_slots(slots: Any) -> None:
    memory = ExternalMemory(DIM, 5, 0.0, slots=slots).double()
    first, states = (torch.randn(4, DIM, dtype=torch.float64) for _ in range(2))
    memory.remember(first)
    start = memory.memory.clone()
    with written(memory), first_reads(memory) as seen:
        read = memory(states)
    weight = torch.randn_like(read)
    actual = gradients(memory, (read * weight).sum())

    weights = torch.softmax(first @ memory.w_w, 1)
    value = torch.stack([(weights[:, n, None] * first).sum(0) / (weights[:, n].sum() + 1e-8) for n in range(5)])
    both = torch.cat([start, value], 1)
    update, reset = torch.sigmoid(both @ memory.w_u.T), torch.sigmoid(both @ memory.w_r.T)
    candidate = torch.tanh(torch.cat([reset * start, value], 1) @ memory.w_c.T)
    slot = update * candidate + (1 - update) * start + (0.0 if memory.slots is None else memory.slots)
    alpha = torch.softmax(states @ memory.addressing.w_a, 1)
    rows = [sum((alpha[t, n] * slot[n] for n in range(5)), torch.zeros(DIM)) for t in range(4)]
    found = torch.stack(rows)
    expected = memory.fusion.norm(states + found)
    torch.testing.assert_close(read, expected)
    same(memory, actual, gradients(memory, (expected * weight).sum()))
    variance = read_variance(seen, memory)
    assert variance is not None
    torch.testing.assert_close(variance, (found.var(0, False).sum() / states.var(0, False).sum()).detach())


def test_learned_slots_vary_from_the_start() -> None:
    torch.manual_seed(0)
    states = F.layer_norm(torch.randn(2000, 64), (64,))
    share = {}
    for slots in ("written", "learned"):
        memory: Any = ExternalMemory(64, 256, 0.0, slots=slots)
        with first_reads(memory) as seen:
            memory(states)
        share[slots] = float(seen[memory].variance())
    assert share["written"] < 1e-4 and share["learned"] > 0.01


def test_memories_do_not_decay() -> None:
    network = torch.nn.Sequential(torch.nn.Linear(DIM, DIM), ExternalMemory(DIM, 5, 0.0, slots="learned"))
    before = {name: value.clone() for name, value in network.named_parameters()}
    optimizer = keep_from_decay(torch.optim.AdamW(network.parameters(), lr=0.1, weight_decay=0.5), network)
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    for name, value in network.named_parameters():
        torch.testing.assert_close(value, before[name] * (0.95 if name.startswith("0.") else 1.0))


def test_without_decay_there_is_one_group() -> None:
    memory = ExternalMemory(DIM, 5, 0.0)
    assert len(keep_from_decay(torch.optim.Adam(memory.parameters()), memory).param_groups) == 1


def test_a_memory_after_every_layer() -> None:
    model: Any = plain(memory=partial(MEMORY, dropout=0.0), memory_layers="every")
    trunk = model.backbone.trunk
    packing = Packing(VALID)
    embedded = packing.pack(model.backbone.item_embedding(BATCH.items))
    tokens = trunk._embedded(embedded, packing)
    first = trunk.inner_memories[0](trunk.layers[0](tokens, packing))
    last = trunk.memory(trunk.layers[1](first, packing))
    torch.testing.assert_close(trunk(embedded, packing), last)
    with torch.no_grad():
        newest = trunk.eval()(embedded, packing, newest=True)
        torch.testing.assert_close(newest, model.backbone.newest(BATCH.items))
        torch.testing.assert_close(newest, packing.in_batch_order(trunk(embedded, packing)[packing.newest]))
    start = [memory.memory.clone() for memory in (trunk.memory, trunk.inner_memories[0])]
    trunk.train()
    for i, batch in enumerate(BATCHES[:2]):
        model.training_step(batch, i)
    for memory, before in zip((trunk.memory, trunk.inner_memories[0]), start, strict=True):
        assert not torch.equal(memory.memory, before) and memory.pending is not None
