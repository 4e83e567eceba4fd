"""Where two configurations, stored or asked for, say different things."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

CHANGEABLE = (
    "trainer", "callbacks", "patience", "logger", "task", "resume", "data.root", "data.cache_dir", "data.num_workers",
)  # fmt: skip
"""What a resumed run may have other than the stored one: its budget, its machine, its log."""


def differences(asked: Any, stored: Any, path: str = "") -> list[str]:
    """Dotted keys at which two plain configurations differ; :data:`CHANGEABLE` ones do not count.

    Args:
        asked, stored: dicts, lists and plain values.
        path: dotted key at which both stand, empty for whole configurations.
    """
    if path in CHANGEABLE or asked == stored:
        return []
    if not (isinstance(asked, Mapping) and isinstance(stored, Mapping)):
        return [path]
    keys = dict.fromkeys([*asked, *stored])
    below = [(str(key), asked.get(key), stored.get(key)) for key in keys]
    return [found for key, one, other in below for found in differences(one, other, f"{path}.{key}" if path else key)]
