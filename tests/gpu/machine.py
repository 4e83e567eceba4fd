"""What the machine can do: bandwidth, products in each precision, the cost of a launch."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from functools import partial

import pytorch_lightning as lightning
import torch

from tests.gpu.place import Place
from tests.gpu.report import Row

LAUNCHES = 1000


def rows(place: Place) -> Iterator[Row]:
    """Facts, then figures."""
    yield {
        "what": "versions",
        "value": f"torch {torch.__version__}, Lightning {lightning.__version__}, Python {platform.python_version()}",
    }
    if place.kind == "cuda":
        known = torch.cuda.get_device_properties(0)
        yield {
            "what": "device",
            "value": f"{known.name}, {known.total_memory / 2**30:.0f} GiB, CUDA {torch.version.cuda}",
        }
    else:
        yield {"what": "device", "value": place.kind}
    with place.active():
        yield bandwidth(place)
        yield from products(place)
        yield from launches(place)


def bandwidth(place: Place) -> Row:
    """Of a copy on the device, read and written bytes together."""
    source = torch.empty(place.sized(1 << 28, 1 << 16), device=place.device).normal_()
    target = torch.empty_like(source)
    seconds = place.seconds(lambda: target.copy_(source), repeats=10)
    return {"what": "copy on the device, TB/s", "value": 2 * source.numel() * source.element_size() / seconds / 1e12}


def products(place: Place) -> Iterator[Row]:
    """Rate of a square product."""
    size = place.sized(8192, 64)
    for name, dtype, precision in (
        ("float32", torch.float32, "highest"),
        ("TF32", torch.float32, "high"),
        ("bfloat16", torch.bfloat16, "high"),
    ):
        one, other = (torch.empty(size, size, device=place.device).normal_().to(dtype) for _ in range(2))
        before = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision(precision)
        seconds = place.seconds(partial(torch.matmul, one, other), repeats=5)
        torch.set_float32_matmul_precision(before)
        yield {"what": f"product in {name}, TFLOP/s", "value": 2 * size**3 / seconds / 1e12}


def launches(place: Place) -> Iterator[Row]:
    """Of kernels that do hardly anything: one after the other, and as one graph."""
    x = torch.zeros(1, device=place.device)

    def many() -> None:
        for _ in range(LAUNCHES):
            x.add_(1)

    yield {"what": "a launch, µs", "value": place.seconds(many, repeats=3, warm=1) / LAUNCHES * 1e6}
    if place.kind == "cuda":
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            many()
        yield {"what": "a launch within a graph, µs", "value": place.seconds(graph.replay, repeats=10) / LAUNCHES * 1e6}
    else:
        yield {"what": "a launch within a graph, µs", "value": "not available: CUDA graphs need a GPU"}
