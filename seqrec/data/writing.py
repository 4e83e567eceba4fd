"""Arrays and tables in files, with the system's own error where one cannot be written.

NumPy and Polars write large parts by themselves and report a full disk in words of their own, Polars not even as an
``OSError``. What they make is therefore handed to Python's files, which report it as they report any other file.
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl


def write_array(path: Path, array: np.ndarray[Any, Any]) -> None:
    """Write an array of any shape as ``.npy``.

    Raises:
        OSError: with its number, as of a full disk.
    """
    with path.open("wb") as file:
        np.save(SimpleNamespace(write=file.write), array)  # no file to write to by itself


def write_parquet(path: Path, table: pl.DataFrame) -> None:
    """Write a table as Parquet.

    Raises:
        OSError: with its number, as of a full disk.
    """
    content = BytesIO()
    table.write_parquet(content)
    path.write_bytes(content.getbuffer())


def write_csv(path: Path, table: pl.DataFrame) -> None:
    """Write a table as CSV.

    Raises:
        OSError: with its number, as of a full disk.
    """
    content = BytesIO()
    table.write_csv(content)
    path.write_bytes(content.getbuffer())
