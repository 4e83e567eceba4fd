"""The cross entropy over all items alone, forward and backward, in each form that there is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from importlib import import_module
from unittest.mock import patch

import torch
from torch import Tensor

from seqrec.functional import chunks
from seqrec.functional.losses import cross_entropy
from seqrec.functional.softmax import chunked, fused
from tests.gpu.place import Place
from tests.gpu.report import Row

SHAPES = {"Beauty": (1024, 12_101, 256), "ML-1M": (25_600, 3_416, 256), "a million items": (1024, 1_000_000, 64)}
"""Positions, classes and width."""

CHUNKS = {"chunks of 6 MB": 3 << 19, "chunks of 256 MB": 1 << 26, "one chunk": None}
PRECISIONS = ("float32", "TF32", "bfloat16")
Form = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Mean loss of states ``(M, D)``, classes ``(C, D)`` and targets ``(M,)``."""


def plain(states: Tensor, classes: Tensor, target: Tensor) -> Tensor:
    """All logits at once, as PyTorch has it."""
    return torch.nn.functional.cross_entropy(states @ classes.T, target)


def in_chunks(elements: int | None, states: Tensor, classes: Tensor, target: Tensor) -> Tensor:
    """Ours with chunks of so many logits; None: one of all."""
    number = elements or len(states) * len(classes)
    with (
        patch.object(chunks, "DEVICE_ELEMENTS", number),
        patch.object(chunked, "CHUNK_ELEMENTS", number),
        patch.object(fused, "wins", lambda *_: False),
    ):
        return cross_entropy(states, classes, target)


def by_liger(states: Tensor, classes: Tensor, target: Tensor) -> Tensor:
    """As ``trainer=gpu`` computes large ones, here of any size."""
    return fused.fused_cross_entropy(states, classes, target, states.new_full((len(states),), 1 / len(states)))


def forms() -> dict[str, Form | str]:
    """Each form, or why there is none, by its name."""
    found: dict[str, Form | str] = {"PyTorch, all logits": plain}
    found |= {f"seqrec, {name}": partial(in_chunks, elements) for name, elements in CHUNKS.items()}
    found["seqrec, as it chooses"] = cross_entropy
    found["Liger"] = by_liger if fused.library() is not None else "not available: not installed"
    try:
        found["cut-cross-entropy"] = import_module("cut_cross_entropy").linear_cross_entropy
    except ImportError:
        found["cut-cross-entropy"] = "not available: not installed"
    return found


def rows(place: Place) -> Iterator[Row]:
    """Of one shape, form and precision after the other."""
    for shape, (positions, classes, dim) in SHAPES.items():
        if place.small:
            positions, classes, dim = positions // 64, classes // 2048, dim // 32
        for name, form in forms().items():
            row: Row = {"shape": shape, "form": name}
            if not callable(form):
                yield row | {"precision": "", "ms": form}
                continue
            for precision in PRECISIONS:
                yield row | {"precision": precision} | timed(place, form, (positions, classes, dim), precision)


def timed(place: Place, form: Form, shape: tuple[int, int, int], precision: str) -> Row:
    """Milliseconds, and peak memory on a GPU."""
    positions, classes, dim = shape
    with place.active(), matmul_precision("highest" if precision == "float32" else "high"):
        states, table = (torch.empty(n, dim, device=place.device).normal_(std=0.02) for n in (positions, classes))
        target = torch.empty(positions, device=place.device).uniform_(0, classes).long()
        for x in (states, table):
            x.requires_grad_()

        def both_ways() -> None:
            with autocast(place, precision):
                loss = form(states, table, target)
            loss.backward()
            states.grad = table.grad = None

        try:
            if place.kind == "cuda":
                torch.cuda.reset_peak_memory_stats()
            row: Row = {"ms": place.seconds(both_ways, repeats=place.sized(10, 1), warm=place.sized(3, 0)) * 1e3}
            return row | ({"peak MB": torch.cuda.max_memory_allocated() / 1e6} if place.kind == "cuda" else {})
        except RuntimeError as error:
            return {"ms": f"{type(error).__name__}: {str(error).splitlines()[0][:100]}"}


@contextmanager
def matmul_precision(name: str) -> Iterator[None]:
    """Whether products of float32 may be in TF32."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(name)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def autocast(place: Place, precision: str) -> AbstractContextManager[object]:
    """What ``trainer.precision=bf16-mixed`` does."""
    return torch.autocast(place.device.type, torch.bfloat16) if precision == "bfloat16" else nullcontext()
