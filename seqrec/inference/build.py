"""Objects from a stored configuration, whose references are resolved: all that is left of it are ``_target_`` nodes."""

from __future__ import annotations

from functools import partial
from typing import Any

from seqrec.runs.targets import find

INSTRUCTIONS = ("_target_", "_partial_", "_args_", "_recursive_", "_convert_")


def build(node: Any, path: str, **more: Any) -> Any:
    """What a node of a stored configuration stands for, made from the inside to the outside.

    Args:
        node: plain values, lists and mappings; a mapping with ``_target_`` is a call, or with ``_partial_`` a function
            that waits for further arguments.
        path: dotted name of the node, for messages.
        **more: arguments of the outermost call that the configuration does not hold.

    Raises:
        ValueError: a ``_target_`` does not exist, may not be called, or does not take what the node gives it.
    """
    if isinstance(node, list):
        return [build(part, f"{path}.{place}") for place, part in enumerate(node)]
    if not isinstance(node, dict):
        return node
    named = {key: build(part, f"{path}.{key}") for key, part in node.items() if key not in INSTRUCTIONS}
    if "_target_" not in node:
        return named
    target = find(node["_target_"], path)
    positional = build(node.get("_args_", []), path)
    if node.get("_partial_"):
        return partial(target, *positional, **named, **more)
    try:
        return target(*positional, **named, **more)
    except TypeError as error:
        raise ValueError(
            f"{path}: {node['_target_']} cannot be made from what the configuration stores ({error}); it was stored by "
            "another version"
        ) from error
