"""Graph: what a runner must know of an encoder graph to put a history into it."""

from __future__ import annotations

from typing import NamedTuple


class Graph(NamedTuple):
    """How a history of item numbers becomes the inputs of an encoder graph.

    A runner takes the newest :attr:`keep` items, leaves out the oldest of those if :attr:`drop_oldest`, puts number
    I + 1, the mask token, behind them if :attr:`append_mask`, and gives their rows of the input table to the graph. All
    that is left counts as the length, the mask token too; it is at least 1 and at most :attr:`max_length`.

    Attributes:
        inputs: names in order: ``x (B, L, D)`` float32, ``length (B,)`` int64 and, for models that know users and
            histories, ``user (B, D_u)`` float32, rows of the user table. ``user`` alone: there is no file, the vector
            is the user's row.
        dim: D, width of the input table; 0 without ``x``.
        vector_dim: D', width of ``vector (B, D')`` float32, the graph's one output.
        max_length: longest history that the graph takes.
        keep: newest items of a history that the model sees.
        append_mask, drop_oldest: see above.
    """

    inputs: tuple[str, ...]
    dim: int
    vector_dim: int
    max_length: int
    keep: int
    append_mask: bool
    drop_oldest: bool
