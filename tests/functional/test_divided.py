"""A table that two processes divide: look-ups, scores, losses and gradients of one that each has whole, in float64."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh

from seqrec.backbones.divided_items import DividedItems
from seqrec.functional.losses import next_item, soft_label_cross_entropy, whole_table
from seqrec.functional.softmax import divided
from tests.two_ranks import RANKS, on_both

V, D, M = 13, 4, (9, 6)  # rows, of which the processes hold 7 and 6; width; positions of each process


def whole() -> nn.Embedding:
    torch.manual_seed(0)
    return nn.Embedding(V, D, padding_idx=0, dtype=torch.float64)


def held(rank: int) -> tuple[Tensor, Tensor, Tensor]:
    """States, targets 1..I and K = 3 labels with their probabilities of a process."""
    generator = torch.Generator().manual_seed(1 + rank)
    states = torch.randn(M[rank], D, dtype=torch.float64, generator=generator)
    items = torch.randint(1, V - 1, (M[rank], 3), generator=generator)
    return states, items, torch.rand(M[rank], 3, dtype=torch.float64, generator=generator).softmax(1)


def loss_of(name: str, table: Tensor, states: Tensor, items: Tensor, probabilities: Tensor) -> Tensor:
    if name == "soft":
        return soft_label_cross_entropy(states, table, items, probabilities)
    if name == "whole_table":
        return whole_table(states, items[:, 0], table, items)
    return next_item(states, items[:, 0], table, items, padding_class=name == "with_padding")


LOSSES = ["soft", "whole_table", "with_padding", "without_padding"]


def losses(rank: int, folder: Path) -> None:
    for name in LOSSES:
        embedding = DividedItems(whole(), init_device_mesh("cpu", (RANKS,)))
        states, items, probabilities = held(rank)
        states.requires_grad_()
        loss = loss_of(name, embedding.weight, states, items, probabilities)
        (3 * loss).backward()
        copy = whole()
        parts = [(part[0].requires_grad_(), *part[1:]) for part in map(held, range(RANKS))]
        plain = [loss_of(name, copy.weight, *part) for part in parts]
        (3 * sum(plain)).backward()
        torch.testing.assert_close(loss, plain[rank])
        torch.testing.assert_close(states.grad, parts[rank][0].grad)
        torch.testing.assert_close(embedding.weight.grad.full_tensor(), copy.weight.grad / RANKS)


def small_chunks(rank: int, folder: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(divided, "LOGITS", 2 * -(-V // RANKS))  # two positions at a time
        losses(rank, folder)


def look_ups(rank: int, folder: Path) -> None:
    embedding, copy = DividedItems(whole(), init_device_mesh("cpu", (RANKS,))), whole()
    assert len(divided.part(embedding.weight, 0, V).held) == (7, 6)[rank]
    ids = [torch.tensor([[0, 1, 12], [7, 6, 1]]), torch.tensor([[12, 12, 5]])]
    found = embedding(ids[rank])
    assert torch.equal(found, copy(ids[rank]))
    weights = [torch.arange(1.0, 1 + x.numel() * D, dtype=torch.float64).view(*x.shape, D) for x in ids]
    (found * weights[rank]).sum().backward()
    sum((copy(x) * w).sum() for x, w in zip(ids, weights, strict=True)).backward()
    torch.testing.assert_close(embedding.weight.grad.full_tensor(), copy.weight.grad / RANKS)


def scored(rank: int, folder: Path) -> None:
    embedding, query = DividedItems(whole(), init_device_mesh("cpu", (RANKS,))), held(0)[0]
    found = divided.scores(query, divided.part(embedding.weight, 1, V - 1))
    torch.testing.assert_close(found, F.linear(query, whole().weight[1:-1]))


def without_rows(rank: int, folder: Path) -> None:
    """Of three rows the second process has the mask token alone, so no item."""
    table = nn.Embedding.from_pretrained(torch.tensor([[0.0], [2.0], [5.0]]), freeze=False, padding_idx=0)
    embedding = DividedItems(table, init_device_mesh("cpu", (RANKS,)))
    loss = next_item(torch.ones(1, 1), torch.tensor([1]), embedding.weight, torch.tensor([0]))
    loss.backward()
    assert loss == 0
    assert torch.equal(divided.scores(torch.ones(1, 1), divided.part(embedding.weight, 1, 2)), torch.tensor([[2.0]]))


@pytest.mark.parametrize("task", [losses, small_chunks, look_ups, scored, without_rows])
def test_on_two_processes(task: object, tmp_path: Path) -> None:
    on_both(task, tmp_path)  # type: ignore[arg-type]


def test_a_group_of_one_process_has_all_rows(tmp_path: Path) -> None:
    dist.init_process_group("gloo", init_method=f"file://{tmp_path / 'store'}", rank=0, world_size=1)
    try:
        embedding = DividedItems(whole(), init_device_mesh("cpu", (1,)))
        states, items, probabilities = held(0)
        found = loss_of("soft", embedding.weight, states, items, probabilities)
        torch.testing.assert_close(found, loss_of("soft", whole().weight, states, items, probabilities))
    finally:
        dist.destroy_process_group()
