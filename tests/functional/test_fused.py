"""When Liger's kernels compute the cross entropy, and with what; a stand-in for them has their signature."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from seqrec.functional import losses
from seqrec.functional.softmax import fused

M, C, D = 40, 70, 16


class Liger:
    """The formula of the library, without its kernels; counts its calls."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []

    def __call__(
        self, input: Tensor, weight: Tensor, target: Tensor, reduction: str, accum_dtype: torch.dtype, **options: int
    ) -> Tensor:
        assert input.dtype == weight.dtype == torch.bfloat16 and accum_dtype == torch.float32 and reduction == "none"
        assert not torch.is_autocast_enabled("cpu")
        self.calls.append(options)
        return F.cross_entropy((input @ weight.T).float(), target, reduction="none")


@pytest.fixture
def liger(monkeypatch: pytest.MonkeyPatch) -> Iterator[Liger]:
    """The library is there, the CPU is its device, and small products are worth it."""
    function, module = Liger(), ModuleType(fused.LIBRARY)
    setattr(module, fused.FUNCTION, function)
    monkeypatch.setitem(sys.modules, fused.LIBRARY, module)
    monkeypatch.setattr(fused, "DEVICE", "cpu")
    monkeypatch.setattr(fused, "LEAST_LOGITS", M * C)
    monkeypatch.setattr(fused, "LOGITS", 10 * M * D)
    fused.library.cache_clear()
    yield function
    fused.library.cache_clear()


def positions() -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(0)
    return torch.randn(M, D).requires_grad_(), torch.randn(C, D).requires_grad_(), torch.randint(0, C, (M,))


def computed(weight: Tensor | None = None) -> tuple[Tensor, tuple[Tensor, ...]]:
    states, classes, target = positions()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = losses.cross_entropy(states, classes, target, weight)
    return loss, torch.autograd.grad(loss, [states, classes])


@pytest.mark.parametrize("weight", [None, torch.arange(M) / M])
def test_values_and_gradients_are_ours_within_the_rounding_of_logits(liger: Liger, weight: Tensor | None) -> None:
    states, classes, target = positions()
    plain = losses.cross_entropy(states, classes, target, weight)  # in float32
    assert not liger.calls
    loss, gradients = computed(weight)
    assert liger.calls == [{"chunk_mem_const": 10}]
    torch.testing.assert_close(loss, plain, rtol=5e-3, atol=0)
    for mine, theirs in zip(gradients, torch.autograd.grad(plain, [states, classes]), strict=True):
        assert mine.dtype == torch.float32
        assert (mine - theirs).norm() < 2e-2 * theirs.norm()


@pytest.mark.parametrize(("name", "value"), [("DEVICE", "cuda"), ("LEAST_LOGITS", M * C + 1), ("LIBRARY", "absent")])
def test_elsewhere_it_is_not_asked(liger: Liger, monkeypatch: pytest.MonkeyPatch, name: str, value: object) -> None:
    """On another device, for small products, where it is not installed."""
    monkeypatch.setattr(fused, name, value)
    computed()
    assert not liger.calls


def test_a_compiled_step_is_not_interrupted(liger: Liger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    computed()
    assert not liger.calls


def test_soft_labels_are_ours(liger: Liger) -> None:
    states, classes, target = positions()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        losses.soft_label_cross_entropy(states, classes, target[:, None], torch.ones(M, 1))
    assert not liger.calls
