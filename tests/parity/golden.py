"""Golden files: inputs, parameters, outputs and gradients of a reference, and how to compare with them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

OUTPUT = 1e-5


class Golden:
    """One golden file; floating arrays come as float64 so that rounding stays out of the comparison.

    Attributes:
        meta: what the file was made with: sizes, temperatures, weights. A file whose ``meta`` names a ``tolerance``
            is compared up to that one, any other up to 1e-5; gradients up to twice as much.
        text, arrays: the file's strings and tensors by name.
    """

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
        if expected.is_floating_point():
            self.close(name, actual, expected, 2.0 if name.startswith("grad/") else 1.0)
        else:
            assert torch.equal(actual, expected), f"{name}: {int((actual != expected).sum())} entries differ"

    def close(self, name: str, actual: Tensor, expected: Tensor, times: float = 1.0) -> None:
        """Compare two tensors up to ``times`` the file's tolerance, relative to the largest finite entry expected."""
        tolerance = times * float(self.meta.get("tolerance", OUTPUT))
        finite = expected[expected.isfinite()].abs()
        largest = finite.max().item() if finite.numel() else 0.0
        torch.testing.assert_close(
            actual.detach().double(),
            expected.double(),
            rtol=tolerance,
            atol=tolerance * largest,
            msg=lambda text: f"{name}: {text}",
        )


def gradients(model: nn.Module) -> dict[str, Tensor]:
    """The gradient of each parameter that has one, by name."""
    return {name: parameter.grad for name, parameter in model.named_parameters() if parameter.grad is not None}
