"""Compare each ``_target_`` node of a configuration with the callable that it names."""

from __future__ import annotations

from collections.abc import Sequence
from inspect import isclass
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import InterpolationKeyError, InterpolationToMissingValueError, OmegaConfBaseException

from seqrec.cli.schema import LATER, unknown_names, wrong_values
from seqrec.cli.signatures import Arguments, target_arguments
from seqrec.runs.targets import find, suggestion

INSTRUCTIONS = {"_target_", "_partial_", "_recursive_", "_convert_", "_args_"}

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
    for key in keys(node):
        below = f"{path}.{key}" if path else str(key)
        value = value_at(node, key, below)
        if isinstance(value, Node) and not OmegaConf.is_interpolation(node, key):
            check_targets(value, below)


def keys(node: Node) -> Sequence[Any]:
    """The keys of a mapping, the places of a list."""
    return list(node) if isinstance(node, DictConfig) else range(len(node))


def value_at(node: Node, key: Any, path: str) -> Any:
    """The value under ``key``; a marker that fits everything if only the task can know it.

    Raises:
        ValueError: a required value (``???``) is missing, or a reference leads nowhere.
    """
    if OmegaConf.is_missing(node, key):
        raise ValueError(f"{path} is required: add {path}=<value>")
    try:
        value = node[key]
    except InterpolationKeyError as error:
        raise ValueError(f"{path} is {_as_written(node, key)}: {error.msg}") from None
    except InterpolationToMissingValueError:
        return LATER  # reported where the missing value stands
    except OmegaConfBaseException:
        return LATER  # a resolver that works only inside a job, such as hydra:
    return LATER if value is None and OmegaConf.is_interpolation(node, key) else value


def _plain(value: Any, path: str) -> Any:
    """A value as plain Python; what a node builds is there later."""
    if not isinstance(value, Node):
        return value
    if "_target_" in value:
        return LATER
    below = {key: _plain(value_at(value, key, f"{path}.{key}"), f"{path}.{key}") for key in keys(value)}
    return below if isinstance(value, DictConfig) else list(below.values())


def _as_written(node: Node, key: Any) -> Any:
    """The value under ``key``, a reference as its text."""
    written: Any = OmegaConf.to_container(node, resolve=False)
    return written[key]


def _check_call(node: DictConfig, path: str) -> None:
    target = value_at(node, "_target_", f"{path}._target_")
    if not isinstance(target, str):
        raise ValueError(f"{path}._target_ is {_as_written(node, '_target_')!r}; write the dotted name of a callable")
    name = target.rpartition(".")[2]
    takes = target_arguments(target, path)
    given = {str(key): LATER for key in node if key not in INSTRUCTIONS}
    for key in [] if takes.anything else unknown_names(given, takes.types):
        raise ValueError(f"{path}.{key}: {no_argument(name, key, takes)}")
    missing = [key for key in takes.required[path == "task" :] if key not in given]
    if missing and not node.get("_partial_", False) and "_args_" not in node:
        raise ValueError(f"{path}: {name} needs a value for {', '.join(missing)}; the configuration gives none")
    values = {key: _plain(value_at(node, key, f"{path}.{key}"), f"{path}.{key}") for key in given}
    for key in given:
        _check_class(node, key, takes.types.get(key, Any), f"{path}.{key}", name)
    for key, must in wrong_values(values, takes.types).items():
        # A reference is named by the key that it comes from, which is the one to change.
        as_written = f"{path}.{key}"
        if OmegaConf.is_interpolation(node, key):
            as_written = f"{_as_written(node, key)[2:-1]} (as {path}.{key})"
        raise ValueError(f"{as_written} is {values[key]!r}; {must}")


def no_argument(name: str, key: str, takes: Arguments) -> str:
    """What is wrong with an argument that ``name`` does not have, with the nearest that it has."""
    valid = sorted(takes.types)
    return f"{name} has no argument {key!r}{suggestion(key, valid) or ';'} it takes {', '.join(valid)}"


class WrongClass(ValueError):
    """A part of a configuration is of one class where another is needed.

    Attributes:
        path: dotted name of the part.
        needed: the class.
    """

    def __init__(self, message: str, path: str, needed: type) -> None:
        super().__init__(message)
        self.path, self.needed = path, needed


def _check_class(node: DictConfig, key: str, expected: Any, path: str, name: str) -> None:
    """Refuse a part whose class is not the one that ``name`` is annotated with."""
    if OmegaConf.is_interpolation(node, key) or not isclass(expected):
        return
    part = value_at(node, key, path)
    if not (isinstance(part, DictConfig) and "_target_" in part):
        return
    target = value_at(part, "_target_", path)
    if not isinstance(target, str):
        return  # refused where the part itself is looked at
    made = find(target, path)
    if isclass(made) and not part.get("_partial_", False) and not issubclass(made, expected):
        raise WrongClass(f"{path} is a {made.__name__}, but {name} needs a {expected.__name__}", path, expected)
