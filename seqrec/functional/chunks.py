"""How many rows of a large matrix are made at a time.

What suits a CPU is little, so that it stays in the cache from one operator to the next. A GPU has to be told of every
operator, which costs more than the work of a small one: there, all that memory allows.
"""

from __future__ import annotations

from torch import Tensor

DEVICE_ELEMENTS = 1 << 28  # 1 GB of float32


def rows_at_a_time(columns: int, cached: int, like: Tensor) -> int:
    """Rows of so many ``columns`` that are made together, at least 1.

    Args:
        columns: elements of a row.
        cached: elements that suit a CPU.
        like: a tensor on the device that does the work.
    """
    return max(1, (DEVICE_ELEMENTS if like.is_cuda else cached) // max(1, columns))
