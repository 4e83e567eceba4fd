"""Cross entropy by the kernels of Liger (``pip install seqrec[gpu]``), where it is there and worth it.

They read and write the logits once, in bfloat16, where ours make several passes in float32. Like all of Triton they
exist on GPUs alone, so the library is imported when it is first asked for. It makes the host wait once a step, to count
positions, so small products are left to us. The limit is an estimate; nobody has measured it yet.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import TypeGuard

import torch
from torch import Tensor

from seqrec.functional.precision import factor_type
from seqrec.functional.softmax.divided import is_divided

LIBRARY, FUNCTION = "liger_kernel.transformers.functional", "liger_fused_linear_cross_entropy"
DEVICE = "cuda"
LEAST_LOGITS = 1 << 26  # below, our passes take less than a launch costs
LOGITS = 1 << 28  # in memory at a time: 512 MB

Fused = Callable[..., Tensor]


@cache
def library() -> Fused | None:
    """Liger's function; None where it is not installed, or cannot be used on this machine."""
    try:
        found: Fused = getattr(import_module(LIBRARY), FUNCTION)
    except (ImportError, AttributeError):
        return None
    return found


def wins(classes: object, states: Tensor) -> TypeGuard[Tensor]:
    """Whether :func:`fused_cross_entropy` is there and faster than our own for these classes and states.

    In float32 it is not asked, so that numbers stay those of the CPU; nor in a compiled step, which it would interrupt.
    """
    if (
        torch.compiler.is_compiling()
        or states.device.type != DEVICE
        or not isinstance(classes, Tensor)
        or is_divided(classes)
    ):
        return False
    if torch.compiler.is_compiling():  # its kernels, and the wait, would break the graph
        return False
    large = len(states) * len(classes) >= LEAST_LOGITS
    return large and factor_type(states) == torch.bfloat16 and library() is not None


def fused_cross_entropy(states: Tensor, classes: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """What :func:`~seqrec.functional.losses.cross_entropy` computes, within the rounding of bfloat16 logits.

    Args:
        states: ``(M, D)``.
        classes: ``(C, D)``.
        target: ``(M,)`` int64.
        weight: ``(M,)`` of the positions.

    Raises:
        RuntimeError: the library is not there; ask :func:`wins` first.
    """
    function = library()
    if function is None:
        raise RuntimeError(f"{LIBRARY} is not installed")
    with torch.autocast(states.device.type, enabled=False):
        # As published, it holds as many logits at a time as there are numbers in the states: eight rows of 12,000
        # items of width 64. So it is told how many times as many it may hold.
        times = max(1, LOGITS // states.numel())
        loss = function(
            states.bfloat16(),
            classes.bfloat16(),
            target,
            reduction="none",
            accum_dtype=torch.float32,
            chunk_mem_const=times,
        )
        return (loss.float() * weight).sum()
