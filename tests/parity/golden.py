"""Golden files: inputs, parameters, outputs and gradients of a reference, and how to compare with them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

OUTPUT, GRADIENT = 1e-5, 2e-5


class Golden:
    """One golden file; floating arrays come as float64 so that rounding stays out of the comparison."""

    def __init__(self, path: Path) -> None:
        with np.load(path, allow_pickle=False) as stored:
            self.meta: dict[str, Any] = json.loads(str(stored["meta"]))
            loaded = {name: stored[name] for name in stored.files if name != "meta"}
        self.text = {name: str(array) for name, array in loaded.items() if array.dtype.kind == "U"}
        self.arrays = {name: torch.from_numpy(array) for name, array in loaded.items() if name not in self.text}

    def __getitem__(self, name: str) -> Tensor:
        array = self.arrays[name]
        return array.double() if array.is_floating_point() else array

    def __contains__(self, name: str) -> bool:
        return name in self.arrays

    def group(self, prefix: str) -> dict[str, Tensor]:
        """The arrays whose names begin with ``prefix``, without it."""
        return {name.removeprefix(prefix): self[name] for name in self.arrays if name.startswith(prefix)}

    def check(self, name: str, actual: Tensor | None, where: Tensor | None = None) -> None:
        """Compare with array ``name``; ``where`` picks the positions that mean something in both tensors.

        ``None``, a gradient that is missing, equals nothing.
        """
        assert actual is not None, f"{name}: there is none"
        expected, actual = self[name], actual.detach()
        if where is not None:
            expected, actual = expected[where], actual[where]
        assert actual.shape == expected.shape, f"{name}: {tuple(actual.shape)}, not {tuple(expected.shape)}"
        if not expected.is_floating_point():
            assert torch.equal(actual, expected), f"{name}: {int((actual != expected).sum())} entries differ"
            return
        tolerance = GRADIENT if name.startswith("grad/") else OUTPUT
        largest = expected.abs().max().item() if expected.numel() else 0.0
        torch.testing.assert_close(
            actual.double(),
            expected,
            rtol=tolerance,
            atol=tolerance * largest,
            msg=lambda text: f"{name}: {text}",
        )


def gradients(model: nn.Module) -> dict[str, Tensor]:
    """The gradient of each parameter that has one, by name."""
    return {name: parameter.grad for name, parameter in model.named_parameters() if parameter.grad is not None}
