"""Weights that two processes divide: the step of whole ones, half of the bytes each, whole states in and out."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh

from seqrec.nn.clipping import clip_gradients
from seqrec.nn.sharding import load_whole, make_whole, shard
from tests.two_ranks import RANKS, on_both

ROWS, WIDTH = 103, 8  # an odd number of rows: shares of 52 and 51
LIMIT = 0.05  # of the norm of the gradients


class Model(nn.Module):
    """A table and what is made of it, with a buffer that training changes."""

    steps: Tensor

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.table = nn.Embedding(ROWS, WIDTH)
        self.out = nn.Linear(WIDTH, 1)
        self.register_buffer("steps", torch.zeros(()))

    def learn(self, items: Tensor) -> Tensor:
        self.steps += 1 + dist.get_rank()
        states = self.table(items)
        return self.out(states).square().mean() + (states @ self.table.weight.T).logsumexp(1).mean()


def held(rank: int) -> Tensor:
    return torch.randint(ROWS, (16,), generator=torch.Generator().manual_seed(rank))


def divided() -> Model:
    model = Model()
    shard(model, init_device_mesh("cpu", (RANKS,)), ["learn"], "learn")
    return model


def three_steps(rank: int, folder: Path) -> None:
    model, copy = divided(), Model()
    optimizer, plain = (torch.optim.Adam(each.parameters(), lr=0.1, fused=True) for each in (model, copy))
    for _ in range(3):
        optimizer.zero_grad()
        model.learn(held(rank)).backward()
        clip_gradients(model.parameters(), LIMIT)
        optimizer.step()
        plain.zero_grad()
        sum(copy.learn(held(each)) / RANKS for each in range(RANKS)).backward()
        clip_gradients(copy.parameters(), LIMIT)
        plain.step()
    assert model.steps == 3 + rank, "each step begins with the buffer of the first rank"
    rows = (ROWS + 1 - rank) // RANKS
    weight, state = model.table.weight, optimizer.state[model.table.weight]
    for kept in (weight, state["exp_avg"], state["exp_avg_sq"]):
        share = kept.to_local()
        assert share.shape == (rows, WIDTH)
        assert share.untyped_storage().nbytes() <= 4 * WIDTH * (ROWS + 1) // RANKS
    make_whole(model)
    for mine, whole in zip(model.parameters(), copy.parameters(), strict=True):
        torch.testing.assert_close(mine, whole, rtol=0, atol=1e-6)


def load(rank: int, folder: Path) -> None:
    model, other = divided(), Model()
    for parameter in other.parameters():
        nn.init.normal_(parameter)
    load_whole(model, other.state_dict())
    make_whole(model)
    assert torch.equal(model.table.weight, other.table.weight)
    assert torch.equal(model.out.weight, other.out.weight)


def test_a_step_is_that_of_whole_weights_and_each_process_keeps_half(tmp_path: Path) -> None:
    on_both(three_steps, tmp_path)


def test_a_whole_state_is_loaded(tmp_path: Path) -> None:
    on_both(load, tmp_path)
