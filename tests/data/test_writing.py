"""What NumPy and Polars make is written as any other file is: whole, or with the error of the disk."""

from __future__ import annotations

from collections.abc import Callable
from errno import EFBIG
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from seqrec.data.writing import write_array, write_csv, write_parquet
from tests.disk import full_disk

TABLE = pl.DataFrame({"id": [f"number {n}" for n in range(9000)], "number": range(9000)})
ARRAY = np.arange(9000, dtype=np.int32)


@pytest.mark.parametrize("array", [ARRAY, ARRAY.reshape(-1, 3), ARRAY[::2], np.empty((0, 2)), np.array(True)], ids=str)
def test_an_array_comes_back(tmp_path: Path, array: np.ndarray[Any, Any]) -> None:
    write_array(tmp_path / "a.npy", array)
    stored = np.load(tmp_path / "a.npy", mmap_mode=None if array.size < 2 else "c")
    assert stored.dtype == array.dtype and stored.shape == array.shape and np.array_equal(stored, array)


def test_a_table_comes_back(tmp_path: Path) -> None:
    write_parquet(tmp_path / "a.parquet", TABLE)
    write_csv(tmp_path / "a.csv", TABLE)
    assert pl.read_parquet(tmp_path / "a.parquet").equals(TABLE)
    assert pl.read_csv(tmp_path / "a.csv").equals(TABLE)


@pytest.mark.parametrize("limit", [0, 200, 9000])
@pytest.mark.parametrize(
    ("write", "content"),
    [(write_array, ARRAY), (write_parquet, TABLE), (write_csv, TABLE)],
    ids=lambda x: getattr(x, "__name__", ""),
)
def test_a_full_disk_is_the_system_s_error(
    tmp_path: Path, write: Callable[[Path, Any], None], content: Any, limit: int
) -> None:
    with full_disk(limit), pytest.raises(OSError) as error:
        write(tmp_path / "file", content)
    assert error.value.errno == EFBIG
