"""xLSTM: the three forms of the mLSTM cell agree, streaming is the whole history, windows are what they claim."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from seqrec.backbones.xlstm import blocks
from seqrec.backbones.xlstm import xlstm as backbone
from seqrec.backbones.xlstm.mlstm import chunkwise, empty_memory, parallel, recurrent
from seqrec.backbones.xlstm.slstm import scalar_memory
from seqrec.backbones.xlstm.xlstm import XLSTM


def cell_inputs(length: int) -> list[Tensor]:
    torch.manual_seed(length)
    vectors = [torch.randn(3, 2, length, 4).double() for _ in range(3)]
    return [*vectors, 3 * torch.randn(3, 2, length).double(), 3 * torch.randn(3, 2, length).double()]


def step_by_step(inputs: list[Tensor]) -> tuple[Tensor, tuple[Tensor, ...]]:
    memory, outputs = empty_memory(inputs[0]), []
    for t in range(inputs[0].shape[2]):
        output, memory = recurrent(*(x[:, :, t] for x in inputs), memory)  # type: ignore[call-arg, arg-type]
        outputs.append(output)
    return torch.stack(outputs, 2), memory


@pytest.mark.parametrize("chunk", [1, 4, 7, 100])
def test_the_three_forms_of_the_cell_agree(chunk: int) -> None:
    inputs = [x.requires_grad_() for x in cell_inputs(18)]
    by_step, memory = step_by_step(inputs)
    by_chunk, chunk_memory = chunkwise(*inputs, chunk)  # type: ignore[call-arg, arg-type]
    at_once = parallel(*inputs)
    torch.testing.assert_close(by_chunk, by_step)
    torch.testing.assert_close(chunk_memory, memory)
    torch.testing.assert_close(at_once, by_step, rtol=1e-4, atol=1e-5)  # 1e-6 in the divisor has another scale
    probe = torch.randn_like(by_step)
    gradients = [torch.autograd.grad((y * probe).sum(), inputs) for y in (by_step, by_chunk, at_once)]
    torch.testing.assert_close(gradients[1], gradients[0])
    torch.testing.assert_close(gradients[2], gradients[0], rtol=1e-3, atol=1e-4)


def test_extreme_gates_stay_finite() -> None:
    inputs = [x.float() for x in cell_inputs(40)]
    inputs[3] *= 100
    inputs[4] *= 100
    for y in (parallel(*inputs), chunkwise(*inputs, 16)[0], step_by_step(inputs)[0]):  # type: ignore[call-arg, arg-type]
        assert bool(torch.isfinite(y).all())
    gates, kernel = 300 * torch.randn(9, 4, 2, 3, 5), torch.randn(4, 2, 5, 5)
    gates.requires_grad_()
    y = scalar_memory(gates, kernel)[0]
    y.sum().backward()
    assert gates.grad is not None
    assert bool(torch.isfinite(y).all() & torch.isfinite(gates.grad).all())


def plain_scalar_memory(gates: Tensor, recurrent: Tensor) -> Tensor:
    """xLSTM, eq. 8-18, with the stabiliser of its appendix and autograd."""
    y = c = n = m = torch.zeros_like(gates[0, 0])
    outputs = []
    for k, of_input in enumerate(gates):
        i, f, z, o = of_input + torch.einsum("hae,ghef->ghaf", y, recurrent)
        before = m + torch.nn.functional.logsigmoid(f)
        m = torch.maximum(i, before) if k else i
        c = torch.exp(before - m) * c + torch.exp(i - m) * torch.tanh(z)
        n = torch.exp(before - m) * n + torch.exp(i - m)
        y = torch.sigmoid(o) * c / n
        outputs.append(y)
    return torch.stack(outputs)


@pytest.mark.parametrize("steps", [1, 2, 7])
def test_the_scalar_memory_and_its_gradient(steps: int) -> None:
    torch.manual_seed(steps)
    gates = (2 * torch.randn(steps, 4, 2, 3, 5)).double().requires_grad_()
    kernel = torch.randn(4, 2, 5, 5).double().requires_grad_()
    probe = torch.randn(steps, 2, 3, 5).double()
    results = []
    for function in (plain_scalar_memory, lambda *inputs: scalar_memory(*inputs)[0]):
        y = function(gates, kernel)
        gradients = torch.autograd.grad((y * probe).sum(), (gates, kernel), allow_unused=steps == 1)
        results.append([y.detach(), gradients[0], *(gradients[1:] if steps > 1 else ())])
    torch.testing.assert_close(results[1], results[0])


@pytest.fixture
def model() -> XLSTM:
    torch.manual_seed(0)
    made = XLSTM(
        30, 8, long_layers=2, short_layers=2, num_heads=2, inner_dim=16, ffn_dim=12, short_window=5,
        kernel_size=4, group_size=4, dropout=0.2,
    )  # fmt: skip
    for parameter in made.parameters():  # no gate or norm may start where it does nothing
        parameter.data += 0.2 * torch.randn_like(parameter)
    return made.double().eval()


@pytest.fixture
def items() -> Tensor:
    lengths = torch.tensor([1, 21, 3, 5, 6, 12])
    return torch.randint(1, 31, (6, 21)) * (torch.arange(21) < lengths[:, None])


def test_one_step_at_a_time_is_the_whole_history(model: XLSTM) -> None:
    items = torch.randint(1, 31, (4, 13))
    whole, state = model(items), None
    for t in range(items.shape[1]):
        states, state = model.step(items[:, t], state)
        torch.testing.assert_close(states, whole[:, t], rtol=1e-4, atol=1e-5)


def test_each_state_is_that_of_its_prefix(model: XLSTM) -> None:
    items = torch.randint(1, 31, (3, 13))
    whole = model(items)
    for t in range(items.shape[1]):
        torch.testing.assert_close(model(items[:, : t + 1])[:, t], whole[:, t])


def test_the_newest_state_alone(model: XLSTM, items: Tensor) -> None:
    whole = model(items)[torch.arange(len(items)), (items != 0).sum(1) - 1]
    torch.testing.assert_close(model.newest(items), whole)


def test_sizes_of_pieces_change_nothing(model: XLSTM, items: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    results = []
    for pieces in (False, True):
        if pieces:
            monkeypatch.setattr(backbone, "CACHED_ELEMENTS", 300)
            monkeypatch.setattr(backbone, "KEPT_ELEMENTS", 0)
            monkeypatch.setattr(blocks, "WEIGHTS", 1000)
        states = model(items)
        model.zero_grad()
        states.square().sum().backward()
        results.append((states.detach(), {name: p.grad.clone() for name, p in model.named_parameters()}))
    torch.testing.assert_close(*results)


def test_long_histories_go_in_chunks(model: XLSTM, items: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    at_once = model(items)
    monkeypatch.setattr(blocks, "LONG", 4)
    monkeypatch.setattr(blocks, "CHUNK", 5)
    torch.testing.assert_close(model(items), at_once, rtol=1e-4, atol=1e-5)


def test_windows_hold_the_newest_tokens() -> None:
    index = backbone.windows(torch.tensor([7, 3]), torch.tensor([2, 0]), 4)
    assert index.tolist() == [[5, 6, 7, 7], [3, 3, 3, 3]]


def test_mixed_precision_stays_close(model: XLSTM, items: Tensor) -> None:
    model.float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = model(items)
    torch.testing.assert_close(mixed.float(), model(items), rtol=0.1, atol=0.1)
