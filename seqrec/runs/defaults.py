"""What an argument of a configuration is where nothing is said of it: so runs of versions that did not know it ran."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any

from seqrec.runs.targets import find

NO_DEFAULT = object()


def is_default(node: Mapping[str, Any], key: str, path: str) -> bool:
    """Whether a node of a configuration gives an argument the value that its callable gives it by itself.

    Args:
        node: with ``_target_``, else it has no defaults.
        key: of the argument.
        path: dotted key of the node.
    """
    found = _callable(node, path)
    return found is not None and _stands_for(node[key], _default(found, key), path)


def _callable(node: Mapping[str, Any], path: str) -> Callable[..., Any] | None:
    """What a node calls; None where it calls nothing that may be called."""
    target = node.get("_target_")
    if not isinstance(target, str):
        return None
    try:
        return find(target, path)
    except ValueError:
        return None


def _default(found: Callable[..., Any], key: str) -> Any:
    """Of an argument of a function, or of a class or the first of its bases that names it."""
    if is_dataclass(found):
        made = {field.name: field.default_factory for field in fields(found) if field.default_factory is not MISSING}
        if key in made:
            return made[key]()
    chain = [found]
    if inspect.isclass(found):
        chain = [vars(base)["__init__"] for base in found.__mro__ if "__init__" in vars(base)]
    for function in chain:
        try:
            parameter = inspect.signature(function).parameters.get(key)
        except ValueError:  # of a function that is not written in Python
            continue
        if parameter is not None:
            return NO_DEFAULT if parameter.default is parameter.empty else parameter.default
    return NO_DEFAULT


def _stands_for(value: Any, default: Any, path: str) -> bool:
    """Whether a plain value of a configuration is a default; that may be an object or a function that it builds."""
    if isinstance(value, Mapping):
        found = _callable(value, path)
        given = {key: value[key] for key in value if key not in ("_target_", "_partial_")}
        if found is None or not (found is default or found is type(default)):
            return False
        return all(_stands_for(one, getattr(default, key, NO_DEFAULT), path) for key, one in given.items())
    if isinstance(value, list):
        return isinstance(default, list | tuple) and value == list(default)
    return bool(value == default)
