"""The linear recurrence: any length, real and complex, against a plain loop; streaming against the whole history."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from seqrec.backbones.lru.lru import LRU
from seqrec.backbones.lru.unit import LinearRecurrentUnit, linear_recurrence


def loop(x: Tensor, decay: Tensor) -> Tensor:
    state, states = torch.zeros_like(x[:, 0]), []
    for t in range(x.shape[1]):
        state = decay * state + x[:, t]
        states.append(state)
    return torch.stack(states, 1)


@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
@pytest.mark.parametrize("length", [*range(1, 19), 50])
def test_the_scan_is_the_recurrence(length: int, dtype: torch.dtype) -> None:
    torch.manual_seed(length)
    x = torch.randn(3, length, 5, dtype=dtype, requires_grad=True)
    decay = torch.randn(5, dtype=dtype).mul_(0.4).requires_grad_()
    probe = torch.randn(3, length, 5, dtype=dtype)
    results = []
    for function in (linear_recurrence, loop):
        states = function(x, decay)
        gradients = torch.autograd.grad((states * probe).sum().abs(), (x, decay))
        results.append((states.detach(), *gradients))
    torch.testing.assert_close(*results)


def test_the_scan_leaves_its_input_alone() -> None:
    x = torch.randn(2, 9, 3)
    before = x.clone()
    linear_recurrence(x, torch.rand(3))
    assert torch.equal(x, before)


def test_a_new_state_decays_within_the_ring() -> None:
    modulus = LinearRecurrentUnit(4, 1000).decay().abs()
    assert 0.8 <= modulus.min() < 0.82
    assert 0.98 < modulus.max() <= 0.99


def test_one_step_at_a_time_is_the_whole_history() -> None:
    torch.manual_seed(0)
    model = LRU(30, 8, 2, 16, 32, 0.2, 0.2).double().eval()
    items = torch.randint(1, 31, (4, 21))
    whole, memory = model(items), None
    for t in range(items.shape[1]):
        states, memory = model.step(items[:, t], memory)
        torch.testing.assert_close(states, whole[:, t])


def test_states_are_float32_under_mixed_precision() -> None:
    torch.manual_seed(0)
    model = LRU(30, 8, 2, 16, 32, 0.0, 0.0)
    items = torch.randint(1, 31, (4, 21))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = model(items)
    torch.testing.assert_close(mixed.float(), model(items), rtol=0.05, atol=0.05)
