"""Compare each ``_target_`` node of a configuration with the callable that it names."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from inspect import isclass
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import InterpolationKeyError, InterpolationToMissingValueError, OmegaConfBaseException

from seqrec.cli.annotations import Arguments, arguments, describe, fits
from seqrec.runs.targets import find, suggestion

INSTRUCTIONS = {"_target_", "_partial_", "_recursive_", "_convert_", "_args_"}
_LATER: Any = object()  # a value that is filled in when the task runs

Node = DictConfig | ListConfig


def check_targets(node: Node, path: str) -> None:
    """Check ``node`` and all below it: names, required arguments and the types of plain values.

    Args:
        node: part of a composed configuration.
        path: its dotted name, for messages; empty for the whole. The node ``task`` gets its first argument
            from the command line itself.

    Raises:
        ValueError: naming the node, what is wrong and what is allowed.
    """
    if isinstance(node, DictConfig) and "_target_" in node:
        _check_call(node, path)
    keys: Sequence[Any] = list(node) if isinstance(node, DictConfig) else range(len(node))
    for key in keys:
        below = f"{path}.{key}" if path else str(key)
        value_at(node, key, below)
        child = node._get_node(key)
        if isinstance(child, Node) and not child._is_none() and not child._is_interpolation():
            check_targets(child, below)


def value_at(node: Node, key: Any, path: str) -> Any:
    """The value under ``key`` as plain Python; a marker that fits everything if only the task can know it.

    Raises:
        ValueError: a required value (``???``) is missing, or a reference leads nowhere.
    """
    child: Any = node._get_node(key)
    if child._is_missing():
        raise ValueError(f"{path} is required: add {path}=<value>")
    try:
        value = node[key]
    except InterpolationKeyError as error:
        raise ValueError(f"{path} is {child._value()}: {error.msg}") from None
    except InterpolationToMissingValueError:
        return _LATER  # reported where the missing value stands
    except OmegaConfBaseException:
        return _LATER  # a resolver that works only inside a job, such as hydra:
    if value is None and child._is_interpolation():
        return _LATER
    if isinstance(value, Node):
        return _LATER if "_target_" in value else OmegaConf.to_container(value)
    return value


def _check_call(node: DictConfig, path: str) -> None:
    name = str(node["_target_"]).rpartition(".")[2]
    takes = target_arguments(str(node["_target_"]), path)
    given = [str(key) for key in node if key not in INSTRUCTIONS]
    for key in given:
        if key not in takes.types and not takes.anything:
            valid = sorted(takes.types)
            near = suggestion(key, valid)
            raise ValueError(f"{path}.{key}: {name} has no argument {key!r}{near or ';'} it takes {', '.join(valid)}")
    missing = [key for key in takes.required[path == "task" :] if key not in set(node.keys())]
    if missing and not node.get("_partial_", False) and "_args_" not in node:
        raise ValueError(f"{path}: {name} needs a value for {', '.join(missing)}; the configuration gives none")
    for key in given:
        value = value_at(node, key, f"{path}.{key}")
        expected = takes.types.get(key, Any)
        _check_class(node._get_node(key), expected, f"{path}.{key}", name)
        if value is not _LATER and not fits(value, expected):
            child: Any = node._get_node(key)
            # A reference is named by the key that it comes from, which is the one to change.
            source = f"{child._value()[2:-1]} (as {path}.{key})" if child._is_interpolation() else f"{path}.{key}"
            raise ValueError(f"{source} is {value!r}; it must be {describe(expected)}")


class WrongClass(ValueError):
    """A part of a configuration is of one class where another is needed.

    Attributes:
        path: dotted name of the part.
        needed: the class.
    """

    def __init__(self, message: str, path: str, needed: type) -> None:
        super().__init__(message)
        self.path, self.needed = path, needed


def _check_class(child: Any, expected: Any, path: str, name: str) -> None:
    """Refuse a part whose class is not the one that ``name`` is annotated with."""
    if not (isinstance(child, DictConfig) and "_target_" in child and isclass(expected)):
        return
    made = find(str(child["_target_"]), path)
    if isclass(made) and not child.get("_partial_", False) and not issubclass(made, expected):
        raise WrongClass(f"{path} is a {made.__name__}, but {name} needs a {expected.__name__}", path, expected)


@cache
def target_arguments(target: str, path: str) -> Arguments:
    """What the callable takes that ``target`` names, see :func:`seqrec.runs.targets.find`."""
    return arguments(find(target, path))
