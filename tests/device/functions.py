"""Functions that are caught before they become operators of the device.

Some build their tensors outside of PyTorch's dispatcher, and some have fused kernels on CUDA that the wrapper's device
lacks: these run on the host, as one kernel.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map

from tests.device.record import Record
from tests.device.tensor import NAME, OnDevice

FUSED = {"scaled_dot_product_attention": 1, "gru": 6, "lstm": 6, "rnn_tanh": 6, "rnn_relu": 6}
"""Kernels of a forward pass, about; a backward pass has three times as many."""


CAUGHT = {
    *FUSED,
    "__getitem__",
    "__setitem__",
    "as_tensor",
    "is_pinned",
    "new_tensor",
    "pin_memory",
    "tensor",
    "tolist",
}


class Functions(TorchFunctionMode):
    """See the module."""

    def __init__(self, record: Record) -> None:
        super().__init__()
        self.record = record

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = getattr(func, "__name__", "")
        if name not in CAUGHT:
            return func(*args, **(kwargs or {}))
        kwargs = dict(kwargs or {})
        if func in (torch.tensor, torch.as_tensor) and not isinstance(args[0], OnDevice):
            device = kwargs.pop("device", None)
            made = func(*args, **kwargs)
            return made if device is None else made.to(device)
        if func is Tensor.new_tensor and isinstance(args[0], OnDevice):
            values = torch.tensor(args[1], dtype=kwargs.get("dtype", args[0].dtype))
            return values.to(kwargs.get("device", args[0].device))
        if func in (Tensor.__getitem__, Tensor.__setitem__) and isinstance(args[0], OnDevice):
            index = tree_map(self._as_index, args[1], is_leaf=lambda x: isinstance(x, list))
            args = (args[0], index, *args[2:])
        if func is Tensor.tolist and isinstance(args[0], OnDevice):
            return args[0].cpu().tolist()
        if func is Tensor.pin_memory:
            pinned = args[0].clone()
            pinned.pinned = True  # a copy to the device asks for it
            return pinned
        if func is Tensor.is_pinned:
            return getattr(args[0], "pinned", False)
        if name in FUSED and any(isinstance(x, OnDevice) for x in tree_leaves((args, kwargs))):
            return self._fused(func, args, kwargs, FUSED[name])
        return func(*args, **kwargs)

    def _as_index(self, x: Any) -> Any:
        return torch.tensor(x).to(NAME) if isinstance(x, list) else x

    def _fused(self, func: Any, args: Any, kwargs: Any, kernels: int) -> Any:
        """The function on the host, and what its kernels would read and write."""
        tensors = [x for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)]
        if not all(isinstance(x, OnDevice) for x in tensors):
            self.record.refuse(f"{func.__name__} with tensors of two devices")
        args, kwargs = tree_map(_down, args), tree_map(_down, kwargs)
        result = tree_map(lambda x: Up.apply(x) if isinstance(x, Tensor) else x, func(*args, **kwargs))
        passes = 1 + 3 * (torch.is_grad_enabled() and any(x.requires_grad for x in tensors))
        self.record.now.operators[func.__name__] += 1
        self.record.launch(passes * kernels)
        self.record.now.bytes += passes * sum(x.numel() * x.element_size() for x in tensors)
        return result


class Down(torch.autograd.Function):
    """What is in a tensor of the device; its gradient is on the device again."""

    @staticmethod
    def forward(ctx: Any, x: OnDevice) -> Tensor:
        return x.held.detach()

    @staticmethod
    def backward(ctx: Any, *gradient: Tensor) -> Tensor:
        return OnDevice(gradient[0])


class Up(torch.autograd.Function):
    """The reverse of :class:`Down`."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return OnDevice(x.detach())

    @staticmethod
    def backward(ctx: Any, *gradient: OnDevice) -> Tensor:
        return gradient[0].held


def _down(x: Any) -> Any:
    return Down.apply(x) if isinstance(x, OnDevice) else x
