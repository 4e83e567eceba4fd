"""seqrec: sequential recommendation, every model equal to its original, all judged under one protocol."""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """``seqrec.load``, see :func:`seqrec.opening.load`: it is imported when it is asked for, which takes seconds."""
    if name == "load":
        return import_module("seqrec.opening").load
    raise AttributeError(f"module 'seqrec' has no attribute {name!r}")
