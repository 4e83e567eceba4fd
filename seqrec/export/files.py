"""The tables of a bundle as plain files, in float32 or as 8-bit numbers with a scale for each row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from seqrec.export.score import TableFiles
from seqrec.export.tables import ItemTables
from seqrec.serving.bundle import BIAS, IN_TABLE, ITEMS, OUT_ITEMS, OUT_SCALE, SCALE


def write_tables(folder: Path, tables: ItemTables, quant: str) -> TableFiles:
    """Write the item tables of a model; where both are the same they are one file.

    Args:
        folder: of the bundle.
        tables: of the model.
        quant: one of :data:`seqrec.serving.bundle.QUANTS`.

    Returns:
        Those that score.
    """
    given, made = tables.input.numpy(), tables.output.numpy()
    width, quantised = len(made) + 2, quant == "int8"
    one = made.shape == given[1:-1].shape and np.array_equal(made, given[1:-1])
    _write(folder / ITEMS, folder / SCALE, given, quantised)
    if not one:
        _write(folder / OUT_ITEMS, folder / OUT_SCALE, _framed(made), quantised)
    rows, scale = (ITEMS, SCALE) if one else (OUT_ITEMS, OUT_SCALE)
    if tables.bias is not None:
        write_floats(folder / BIAS, _framed(tables.bias.numpy()))
    bias = None if tables.bias is None else BIAS
    return TableFiles(rows, scale if quantised else None, bias, width, made.shape[1])


def quantised_rows(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A table ``(N, D)`` as int8 and the scale ``(N,)`` of its rows, whose product is the table but for rounding.

    Args:
        table: float32.
    """
    scale = np.abs(table).max(1) / np.float32(IN_TABLE)
    scale[scale == 0] = 1
    return np.rint(table / scale[:, None]).astype(np.int8), scale.astype(np.float32)


def write_floats(path: Path, array: np.ndarray) -> None:
    """Write numbers as plain float32, the first of them first."""
    path.write_bytes(np.ascontiguousarray(array, dtype="<f4").tobytes())


def _framed(rows: np.ndarray) -> np.ndarray:
    """Rows of the items between rows of zeros for padding and mask, which are never recommended."""
    around: Any = [(1, 1)] + [(0, 0)] * (rows.ndim - 1)
    return np.pad(rows, around)


def _write(rows: Path, scale: Path, table: np.ndarray, quantised: bool) -> None:
    if not quantised:
        write_floats(rows, table)
        return
    numbers, scales = quantised_rows(table)
    rows.write_bytes(numbers.tobytes())
    write_floats(scale, scales)
