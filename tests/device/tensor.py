"""A tensor of the emulated device: a tensor of the host in a wrapper that says it is on CUDA."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

NAME = "emulated"
AUTOCAST: list[torch.library.Library] = []  # under autocast operators stay as they are, instead of failing


class Backend:
    """The module ``torch.emulated``, which PyTorch asks about the device."""

    _initialized = False  # activation checkpointing then leaves the generators of the device alone

    def is_initialized(self) -> bool:
        return True

    def is_available(self) -> bool:
        return True

    def current_device(self) -> int:
        return 0

    def device_count(self) -> int:
        return 1

    def manual_seed_all(self, seed: int) -> None: ...

    def _is_in_bad_fork(self) -> bool:
        return False

    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.bfloat16, torch.float16]


@cache
def device() -> torch.device:
    """The emulated device, which is registered for the rest of the process when it is first asked for."""
    _setup_privateuseone_for_python_backend(NAME, backend_module=Backend())
    AUTOCAST.append(torch.library.Library("_", "IMPL", "AutocastPrivateUse1"))
    AUTOCAST[0].fallback(torch.library.fallthrough_kernel)
    return torch.device(NAME, 0)


class OnDevice(Tensor):
    """A tensor of the emulated device; its values are those of ``held``, which is on the host."""

    held: Tensor
    operator: ClassVar[Callable[[Any, Any, dict[str, Any]], Any] | None] = None
    """Runs operators while the emulation is active."""

    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    @staticmethod
    def __new__(cls: type[OnDevice], held: Tensor) -> OnDevice:
        places: dict[str, Any] = {}
        if held.layout == torch.strided:
            places = {"strides": held.stride(), "storage_offset": held.storage_offset()}
        made = Tensor._make_wrapper_subclass(
            cls, held.size(), dtype=held.dtype, layout=held.layout, device=device(), **places
        )
        made.held = held
        return made

    @property
    def is_cuda(self) -> bool:  # type: ignore[override]
        """True, so that the branches for CUDA are taken."""
        return True

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        assert cls.operator is not None, f"{func} on the emulated device outside of the emulation"
        return cls.operator(func, args, kwargs or {})

    def __reduce_ex__(self, protocol: Any) -> Any:
        """A checkpoint holds values."""
        return on_host(self.detach()).__reduce_ex__(protocol)

    def __format__(self, form: str) -> str:
        return format(on_host(self.detach()) if self.dim() else self.item(), form)

    def __repr__(self, *, tensor_contents: Any = None) -> str:  # type: ignore[override]
        return f"OnDevice({self.held!r})"


def on_host(x: Any) -> Any:
    """What is in a tensor of the device; anything else as it is."""
    return x.held if isinstance(x, OnDevice) else x
