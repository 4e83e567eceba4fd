"""What makes a configuration that of another run, and the hash by which results know theirs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from seqrec.runs.defaults import is_default
from seqrec.runs.files import changed

CHANGEABLE = (
    "trainer", "callbacks", "patience", "patience_steps", "logger", "task", "resume",
    "data.root", "data.cache_dir", "data.num_workers", "data.on_device",
)  # fmt: skip
"""What a resumed run may have other than the stored one: its budget, its machine, its log."""


def differences(asked: Any, stored: Any, path: str = "") -> list[str]:
    """Dotted keys at which two plain configurations differ; :data:`CHANGEABLE` ones do not count.

    What an older version did not store is equal to what its callable does by itself.

    Args:
        asked, stored: dicts, lists and plain values.
        path: dotted key at which both stand, empty for whole configurations.
    """
    if path in CHANGEABLE or asked == stored:
        return []
    if not (isinstance(asked, Mapping) and isinstance(stored, Mapping)):
        return [path]
    keys = [key for key in asked if key in stored or not is_default(asked, key, path)]
    keys += [key for key in stored if key not in asked]
    below = [(str(key), asked.get(key), stored.get(key)) for key in keys]
    return [found for key, one, other in below for found in differences(one, other, f"{path}.{key}" if path else key)]


def configuration_hash(path: Path, seeds: bool = True) -> str:
    """SHA-256 of a stored configuration without what :data:`CHANGEABLE` names: the same for a run resumed elsewhere.

    Args:
        path: of the stored configuration.
        seeds: those count; without them it is the same for runs that differ in nothing else.
    """
    try:
        stored = _without_changeable(yaml.safe_load(path.read_text(encoding="utf-8")), seeds)
    except (ValueError, yaml.YAMLError):
        raise changed(path) from None
    return hashlib.sha256(json.dumps(stored, sort_keys=True, default=str).encode()).hexdigest()


def _without_changeable(node: Any, seeds: bool, path: str = "") -> Any:
    if not isinstance(node, Mapping):
        return node
    inside = {str(key): (f"{path}.{key}" if path else str(key), value) for key, value in node.items()}
    kept = {key: found for key, found in inside.items() if found[0] not in CHANGEABLE and (seeds or key != "seed")}
    return {key: _without_changeable(value, seeds, at) for key, (at, value) in kept.items()}
