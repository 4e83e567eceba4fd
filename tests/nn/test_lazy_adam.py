"""LazyAdam against torch's Adam."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqrec.nn.lazy_adam import LazyAdam

ROWS, DIM = 9, 4


def network() -> nn.ParameterDict:
    table, matrix = torch.randn(ROWS, DIM), torch.randn(DIM, DIM)
    return nn.ParameterDict({"table": table.double(), "matrix": matrix.double()})


def step(model: nn.ParameterDict, optimizer: torch.optim.Optimizer, ids: Tensor, sparse: bool) -> None:
    """One step on the rows ``ids``, some of them more than once, through a closure as Lightning does it."""

    def closure() -> float:
        optimizer.zero_grad()
        loss = (F.embedding(ids, model["table"], sparse=sparse) @ model["matrix"]).square().sum()
        loss.backward()
        return loss.item()

    assert optimizer.step(closure) > 0


@pytest.mark.parametrize("fused", [True, False])
def test_equals_adam_where_every_row_is_used(fused: bool) -> None:
    lazy = network()
    plain = deepcopy(lazy)
    ours = LazyAdam(lazy.parameters(), lr=0.1, betas=(0.8, 0.95), fused=fused)
    theirs = torch.optim.Adam(plain.parameters(), lr=0.1, betas=(0.8, 0.95))
    for _ in range(5):
        ids = torch.cat([torch.randperm(ROWS), torch.randint(ROWS, (6,))])
        step(lazy, ours, ids, sparse=True)
        step(plain, theirs, ids, sparse=False)
    for name, parameter in plain.items():
        torch.testing.assert_close(lazy[name], parameter)


def test_rows_that_were_not_used_stay() -> None:
    model = network()
    optimizer = LazyAdam(model.parameters(), lr=0.1)
    step(model, optimizer, torch.arange(ROWS), sparse=True)
    before = model["table"].detach().clone()
    step(model, optimizer, torch.tensor([2, 5, 5]), sparse=True)
    moved = (model["table"] != before).any(1)
    assert moved.nonzero().flatten().tolist() == [2, 5]


def test_it_goes_on_from_a_state_dict() -> None:
    whole = network()
    optimizer = LazyAdam(whole.parameters(), lr=0.1, fused=True)
    step(whole, optimizer, torch.tensor([1, 2, 3]), sparse=True)
    other = deepcopy(whole)
    resumed = LazyAdam(other.parameters(), lr=0.5, fused=True)
    resumed.load_state_dict(deepcopy(optimizer.state_dict()))
    for model, its in ((whole, optimizer), (other, resumed)):
        step(model, its, torch.tensor([3, 4]), sparse=True)
    for name, parameter in whole.items():
        assert torch.equal(other[name], parameter)
