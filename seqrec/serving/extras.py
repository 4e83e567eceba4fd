"""Packages that only some commands need, each named by an extra of the installation."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec


def require(packages: Iterable[str], purpose: str, extra: str) -> None:
    """Refuse to start without the packages of an extra.

    Args:
        packages: names under which they are imported.
        purpose: what needs them, the subject of the message.
        extra: that brings them.

    Raises:
        ValueError: one of them is missing.
    """
    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        raise ValueError(f"{purpose} needs {', '.join(missing)}; run: pip install 'seqrec[{extra}]'")
