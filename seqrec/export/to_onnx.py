"""From a PyTorch module to an ONNX file, without what the exporter prints."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from seqrec.serving.extras import require

OPSET = 20  # the first with GELU; LayerNormalization is there since 17
NEEDED = ("onnx", "onnxscript", "onnxruntime")

Axes = Mapping[int, Any]
"""Dimensions of a tensor that are dynamic, ``torch.export.Dim`` of each."""


def check_installed() -> None:
    """Refuse to start without the packages of the extra.

    Raises:
        ValueError: one of them is missing.
    """
    require(NEEDED, "export", "export")


def write(
    module: nn.Module, name: str, path: str | Path, inputs: Mapping[str, tuple[Tensor, Axes]], outputs: Sequence[str]
) -> None:
    """Write a graph.

    Args:
        module: in evaluation mode.
        name: of what it is made from, for messages.
        path: of the file; an existing one is replaced.
        inputs: for each input its name, an example and its dynamic dimensions; the module is called with all of them,
            as one dictionary.
        outputs: names of the results.

    Raises:
        ValueError: a package is missing, or the module does something that a graph cannot hold.
    """
    check_installed()
    examples = ({name: example for name, (example, _) in inputs.items()},)
    axes = ({name: dict(dynamic) for name, (_, dynamic) in inputs.items()},)
    with torch.no_grad(), _quiet(), _refusals(name):
        # A guard on the example's sizes that holds for all sizes is only found to do so by deferring it.
        program = torch.export.export(
            module, examples, dynamic_shapes=axes, strict=False, prefer_deferred_runtime_asserts_over_guards=True
        )
        onnx = torch.onnx.export(
            program, examples, dynamo=True, opset_version=OPSET, input_names=list(inputs), output_names=list(outputs),
            dynamic_shapes=axes,
        )  # fmt: skip
        assert onnx is not None
        for part in (onnx.model, onnx.model.graph, *onnx.model.graph):
            part.metadata_props.clear()  # where in this installation each operator comes from
        onnx.save(str(path), external_data=False)


@contextlib.contextmanager
def _refusals(name: str) -> Iterator[None]:
    """What the exporter refuses, in one line: its own classes of errors are not public."""
    try:
        yield
    except ImportError:
        raise
    except Exception as error:
        first: BaseException = error
        while first.__cause__ is not None:
            first = first.__cause__
        reason = next((line.strip() for line in str(first).splitlines() if line.strip()), type(first).__name__)
        raise ValueError(
            f"{name} cannot become a graph: {reason}; where shapes or choices depend on values, a part needs a form "
            "of its own, see seqrec/export/forms"
        ) from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)  # what goes wrong is raised as well
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
