"""The emulated device at work: values are real, and devices are kept apart as CUDA keeps them apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from tests.device import rules
from tests.device.functions import Functions
from tests.device.record import Record
from tests.device.tensor import NAME, OnDevice, on_host

CHOSEN_ROWS = {"embedding", "gather", "index", "index_select"}  # read as much as they write


class Emulation(TorchDispatchMode):
    """Runs every operator on tensors of the emulated device on those of the host inside them.

    It refuses what CUDA refuses, and notes waits, copies from the host, launches, bytes and operations. It cannot see
    what CUDA's own kernels refuse (types that one lacks, assertions on the device), which types autocast chooses on
    CUDA, memory that runs out, or races of streams. One is active at a time, in one process.

    Args:
        lines: see :class:`~tests.device.record.Record`.
    """

    def __init__(self, lines: bool = False) -> None:
        super().__init__()
        self.record = Record(lines)
        self.functions = Functions(self.record)
        self.contexts = ExitStack()

    def __enter__(self) -> Emulation:
        OnDevice.operator = self.run
        self.contexts.enter_context(parameters_stay_the_same())
        # In this thread, so that the order of operators, and with it their number, is the same each time.
        self.contexts.enter_context(torch.autograd.grad_mode.set_multithreading_enabled(False))
        super().__enter__()
        self.functions.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self.functions.__exit__(*error)
        super().__exit__(*error)
        self.contexts.close()
        OnDevice.operator = None

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return self.run(func, args, kwargs or {})

    def run(self, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        """One operator."""
        tensors = [*leaves(args), *leaves(kwargs.values())]
        ours = [x for x in tensors if isinstance(x, OnDevice)]
        device = kwargs.get("device")
        to_device = device is not None and torch.device(device).type == NAME
        if not ours and not to_device:
            return func(*args, **kwargs)
        name = func._overloadpacket.__name__
        if name == "_to_copy" and device is not None and to_device != bool(ours):
            return self._copied(func, args, kwargs, to_device)
        if name == "copy_" and len(ours) == 1:
            return self._copied_into(func, *args, **kwargs)
        self._check(name, args, kwargs, tensors if ours else [])
        if device is not None:
            kwargs = kwargs | {"device": "cpu"}
        held = {key: exchanged(on_host, value) for key, value in kwargs.items()}
        found = func(*exchanged(on_host, args), **held)
        if device is not None and not to_device:
            return found
        known = {id(x.held): x for x in ours} if _kind(func) == "changes" else {}
        result = exchanged(lambda x: known[id(x)] if id(x) in known else OnDevice(x), found)
        self._count(func, name, args, kwargs, ours, result)
        return result

    def _check(self, name: str, args: Any, kwargs: dict[str, Any], tensors: list[Tensor]) -> None:
        """Refuse what CUDA refuses, note what the host waits for."""
        reason = rules.mixed(name, args, tensors) if tensors else ""
        generator = kwargs.get("generator")
        if generator is not None and generator.device.type != NAME:
            reason = "a generator of the host"
        if reason:
            self.record.refuse(f"{name} with {reason}")
        waits = rules.wait(name, args, kwargs)
        if waits:
            self.record.wait(waits)

    def _copied(self, func: Any, args: Any, kwargs: dict[str, Any], to_device: bool) -> Tensor:
        """A copy on the other side."""
        self._note_copy(args[0], to_device, bool(kwargs.get("non_blocking")))
        copy: Tensor = func(on_host(args[0]), *args[1:], **(kwargs | {"device": "cpu"}))
        return OnDevice(copy) if to_device else copy

    def _copied_into(self, func: Any, target: Tensor, source: Tensor, non_blocking: bool = False) -> Tensor:
        """``target`` with the values of ``source``, which is on the other side."""
        self._note_copy(source, isinstance(target, OnDevice), non_blocking)
        func(on_host(target), on_host(source), non_blocking)
        return target

    def _note_copy(self, source: Tensor, to_device: bool, non_blocking: bool) -> None:
        # A copy that may not block waits for all that the device still has to do before.
        if not to_device:
            self.record.wait("copy to the host")
        elif not non_blocking:
            self.record.wait("blocking copy from the host")
        else:
            self.record.copy("pinned" if getattr(source, "pinned", False) else "pageable")

    def _count(
        self, func: Any, name: str, args: Any, kwargs: dict[str, Any], ours: list[OnDevice], result: Any
    ) -> None:
        """Note launches, bytes and operations."""
        now = self.record.now
        now.operators[name] += 1
        if _kind(func) == "looks":
            return
        self.record.launch(rules.kernels(name, args))
        if name in rules.NO_KERNEL:
            return
        written = [x for x in leaves([result]) if isinstance(x, OnDevice)]
        read = written if name in CHOSEN_ROWS else ours
        now.bytes += sum(x.held.nbytes for x in (*read, *written) if x.held.layout == torch.strided)
        if func._overloadpacket in flop_registry:
            now.flops += flop_registry[func._overloadpacket](*args, **kwargs, out_val=result)


@contextmanager
def parameters_stay_the_same() -> Iterator[None]:
    """A parameter that is moved stays the same object, as on CUDA, where each has an owner or two that share it."""
    original = nn.Module._apply

    def apply(module: nn.Module, *args: Any, **kwargs: Any) -> nn.Module:
        torch.__future__.set_swap_module_params_on_conversion(True)
        try:
            return original(module, *args, **kwargs)
        finally:
            torch.__future__.set_swap_module_params_on_conversion(False)

    with patch.object(nn.Module, "_apply", apply):
        yield


@cache
def _kind(func: Any) -> str:
    """Whether an operator ``changes`` an argument, only ``looks`` at its memory in another way, or ``makes`` new."""
    if any(argument.alias_info is not None and argument.alias_info.is_write for argument in func._schema.arguments):
        return "changes"
    return "looks" if any(part.alias_info is not None for part in func._schema.returns) else "makes"


def leaves(values: Any) -> Iterator[Tensor]:
    """The tensors among arguments, and in lists of them."""
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, list | tuple):
            yield from leaves(value)


def exchanged(function: Callable[[Tensor], Tensor], value: Any) -> Any:
    """The same value with ``function`` of its tensors, in lists of them too."""
    if isinstance(value, Tensor):
        return function(value)
    if isinstance(value, list | tuple):
        return type(value)([exchanged(function, part) for part in value])
    return value
