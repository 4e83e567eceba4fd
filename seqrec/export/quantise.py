"""Smaller graphs: constants folded, and products with weights in 8 bits."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path

from seqrec.export.to_onnx import check_installed


def fold(path: str | Path) -> None:
    """Compute once, in place, what follows from the weights alone; the graph keeps to operators of ONNX itself.

    Args:
        path: of a graph. Slices of weights, which :func:`quantise` would not see as weights, are weights afterwards.

    Raises:
        ValueError: a package is missing.
    """
    check_installed()
    import onnx
    import onnxruntime

    options = onnxruntime.SessionOptions()
    # Higher levels write operators of this runtime, for the instructions of this machine.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = 3
    with tempfile.TemporaryDirectory(dir=Path(path).parent) as folder:
        folded = Path(folder) / "folded.onnx"
        options.optimized_model_filepath = str(folded)
        onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        model = onnx.load(folded)
    used = {node.domain for node in model.graph.node}
    kept = [versions for versions in model.opset_import if versions.domain in used]
    del model.opset_import[:]  # the runtime declares all that it knows
    model.opset_import.extend(kept)
    del model.graph.value_info[:]  # shapes of what is between, which quantise would have to keep right
    onnx.save(model, path)


def quantise(path: str | Path, target: str | Path) -> None:
    """Write a graph whose weights of matrix products are int8, a scale for each output; inputs are scaled as they come.

    The weights use 7 of the 8 bits: x86 processors without VNNI add two products in 16 bits, which 8 bits would
    overflow without a sign of it, and nobody knows where a bundle will be used.

    Args:
        path: of a graph after :func:`fold`.
        target: of the file to write.

    Raises:
        ValueError: a package is missing.
    """
    check_installed()
    from onnxruntime.quantization import QuantType, quantize_dynamic

    before = logging.root.manager.disable
    logging.disable(logging.WARNING)  # it suggests another preparation than fold
    try:
        quantize_dynamic(str(path), str(target), weight_type=QuantType.QInt8, per_channel=True, reduce_range=True)
    finally:
        logging.disable(before)
