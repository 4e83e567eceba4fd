"""The configuration of a model for a catalogue of another size: a stored one holds numbers, no references to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def resized(node: Any, stored: Mapping[str, int], new: Mapping[str, int]) -> Any:
    """A copy of a node in which the sizes of the catalogue are new ones.

    Args:
        node: plain values, lists and mappings.
        stored: sizes by key, such as ``num_items``; where the key stands for something else, so does its value.
        new: the sizes to put in their place.
    """
    if isinstance(node, list):
        return [resized(part, stored, new) for part in node]
    if not isinstance(node, Mapping):
        return node
    return {
        key: new[key] if key in stored and value == stored[key] else resized(value, stored, new)
        for key, value in node.items()
    }
