"""Keys of a composed configuration: which exist, which may be added, and which one a misspelt one may mean."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from types import NoneType
from typing import Any

from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, ListConfig, OmegaConf

from seqrec.cli.advice import FILED
from seqrec.cli.schema import describe, fits
from seqrec.cli.signatures import Arguments, target_arguments
from seqrec.runs.targets import suggestion

Groups = Mapping[str, list[str]]
NOTHING: Any = object()  # null is a value, too

ALIKE, VERY_ALIKE = 0.6, 0.85
"""Similarity from which a name is suggested, and from which it is certain enough not to look at a signature, whose
import takes seconds."""


def check_key(config: DictConfig, argument: str, key: str, value: Any, groups: Groups) -> None:
    """Refuse a key that ``config`` does not have, or a plain value in the place of a whole node.

    Args:
        config: composed, without the value.
        argument: as written on the command line, for messages.
        key: dotted.
        value: new value; of a mapping each key is checked.
        groups: options of each group, see :class:`seqrec.cli.groups.Groups`.

    Raises:
        ValueError: with the nearest key.
    """
    parent, last = _parent(config, argument, key, groups)
    node = _child(parent, last)
    if node is NOTHING:
        raise _unknown(config, argument, key.rpartition(".")[0], last, groups)
    as_group = key.replace(".", "/")
    if isinstance(value, dict):
        for name, inner in value.items():
            if isinstance(node, DictConfig) and "_target_" in node:
                check_key(config, argument, f"{key}.{name}", inner, groups)
    elif isinstance(node, DictConfig) and value is not None:
        where = f"choose an option with {as_group}={value}" if as_group in groups else f"set one of {', '.join(node)}"
        raise ValueError(f"{argument}: {key} has several values; {where}")
    elif "_target_" not in parent and not _refers(parent, last) and value is not None and "${" not in str(value):
        kind = list if isinstance(node, ListConfig) else type(node)
        if kind is not NoneType and not fits(value, kind):
            raise ValueError(f"{argument}: {key} is {value!r}; it must be {describe(kind)}")


def check_addition(config: DictConfig, argument: str, override: Override, groups: Groups) -> None:
    """Refuse ``+key=value`` unless what its node calls takes the key, or the node holds others by name.

    Args:
        config: composed, without the value.
        argument: as written on the command line, for messages.
        override: the same, parsed.
        groups: options of each group.

    Raises:
        ValueError: the key exists already, or with the nearest one that may be added.
    """
    key = override.key_or_group
    above, _, last = key.rpartition(".")
    if not above or override.package is not None:
        raise _not_addable(argument, override, config, groups)
    parent, _ = _parent(config, argument, key, groups)
    if _child(parent, last) is not NOTHING:
        raise ValueError(f"{argument}: {key} exists already; write {argument.lstrip('+')}")
    if _holds_nodes(parent):
        value = override.value()
        if not (isinstance(value, dict) and "_target_" in value):
            raise ValueError(
                f"{argument}: {above} holds nodes by name; write +{above}.<name>={{_target_:package.Class,...}}"
            )
        return
    takes = _arguments(parent, above)
    if takes is None:
        raise _unknown(config, argument, above, last, groups)
    if last not in takes.types and not takes.anything:
        raise _unknown(config, argument, above, last, groups)


def _parent(config: DictConfig, argument: str, key: str, groups: Groups) -> tuple[Any, str]:
    """The node that holds, or would hold, the last part of ``key``, and that part."""
    node: Any = config
    *parts, last = key.split(".")
    for depth, part in enumerate(parts):
        node = _child(node, part)
        if node is NOTHING:
            raise _unknown(config, argument, ".".join(parts[:depth]), part, groups)
    return node, last


def _holds_nodes(node: Any) -> bool:
    """Whether a node is a collection of nodes by name, such as the callbacks."""
    if not isinstance(node, DictConfig) or "_target_" in node:
        return False
    return all(isinstance(_child(node, str(name)), DictConfig) and "_target_" in node[name] for name in node)


def check_top_level(config: DictConfig, primary: DictConfig, groups: list[str]) -> None:
    """Refuse top-level keys that neither the primary file nor a chosen group declares (a typo in a YAML file).

    Args:
        config: composed.
        primary: the primary file as it stands.
        groups: of which an option is chosen.

    Raises:
        ValueError: with the nearest key.
    """
    unpacked = [group for group in FILED if group in config]
    if unpacked:
        raise ValueError(f"a file of {unpacked[0]} must begin with the line '# @package _global_', or it sets nothing")
    declared = [*groups, *(str(key) for key in primary if key != "hydra")]
    for key, node in config.items():
        if key == "hydra":
            continue
        if key not in declared:
            near = suggestion(str(key), declared) or ";"
            raise ValueError(f"a configuration file sets {key!r} at the top{near} it may set {', '.join(declared)}")
        if isinstance(primary.get(key), DictConfig) and not set(node) <= set(primary[key]):
            wrong = next(str(name) for name in node if name not in primary[key])
            raise ValueError(f"a configuration file sets {key!s}.{wrong}; it may set {', '.join(primary[key])} there")


def _not_addable(argument: str, override: Override, config: DictConfig, groups: Groups) -> ValueError:
    """Why ``+key=value`` at the top, or ``group@package=option``, is refused."""
    key = override.key_or_group
    try:
        check_key(config, argument, key, {}, groups)
    except ValueError as error:
        if override.package is not None:
            return error
        addable = [group for group in groups if "/" not in group and group not in config.hydra.runtime.choices]
        near = _nearest(key, {name: name for name in [*addable, *dotted_keys(config)]})
        hint = f"did you mean {near}?" if near else "a value of the configuration is set without +"
        return ValueError(
            f"{argument}: + adds an option of {' or '.join(addable) or 'a group'}, {key!r} is none; {hint}"
        )
    return ValueError(f"{argument}: {key} exists already; write {argument.lstrip('+')}")


def _child(node: Any, part: str) -> Any:
    """The value below, :data:`NOTHING` if there is none; nothing lies below a reference."""
    if isinstance(node, DictConfig) and part in node.keys():  # noqa: SIM118  null is there, too
        return _written(node, part) if _refers(node, part) else node[part]
    if isinstance(node, ListConfig) and part.isdigit() and int(part) < len(node):
        return _written(node, int(part)) if _refers(node, int(part)) else node[int(part)]
    return NOTHING


def _refers(node: Any, key: Any) -> bool:
    """Whether the value is a reference, or one that the user must give (``???``), which cannot be read yet."""
    place = int(key) if isinstance(node, ListConfig) else key
    return OmegaConf.is_interpolation(node, place) or OmegaConf.is_missing(node, place)


def _written(node: Any, key: Any) -> Any:
    written: Any = OmegaConf.to_container(node, resolve=False)
    return written[key]


def _arguments(node: Any, path: str) -> Arguments | None:
    """What the node calls takes; None if it calls nothing."""
    return (
        target_arguments(str(node["_target_"]), path) if isinstance(node, DictConfig) and "_target_" in node else None
    )


def _unknown(config: DictConfig, argument: str, parent: str, part: str, groups: Groups) -> ValueError:
    """The error about ``part``, which ``parent`` does not have, with the key or group that is most likely meant."""
    node: Any = config
    for name in parent.split(".") if parent else []:
        node = _child(node, name)
    names = {f"{parent}.{key}" if parent else key: key for key in _names(node)}
    elsewhere = {name: name.replace("/", ".").rpartition(".")[2] for name in [*dotted_keys(config), *groups]}
    addable: dict[str, str] = {}
    takes: Arguments | None = None
    misspelt = part not in elsewhere.values() and _nearest(part, names | elsewhere, VERY_ALIKE)
    if not misspelt and (takes := _arguments(node, parent)) is not None:
        if part in takes.types:
            return ValueError(f"{argument}: {parent} has no key {part!r} yet, but it may have one: write +{argument}")
        addable = {f"+{parent}.{key}": key for key in takes.types if key not in names.values()}
    near = _nearest(part, names | addable) or _nearest(part, {name: name for name in groups})
    near = near or _nearest(part, elsewhere)
    if near:
        hint = f"did you mean {near}?"
    elif takes is not None and argument.startswith("+"):
        hint = f"with + it takes {', '.join(addable.values()) or 'nothing'}"
    elif names:
        hint = f"it has {', '.join(names.values())}"
    else:
        hint = "it is a single value"
    return ValueError(f"{argument}: {parent or 'the configuration'} has no key {part!r}; {hint}")


def _nearest(part: str, names: Mapping[str, str], alike: float = ALIKE) -> str | None:
    """The key of the value nearest to ``part``; of equals the first."""
    match = get_close_matches(part, list(names.values()), n=1, cutoff=alike)
    return next((name for name, short in names.items() if match and short == match[0]), None)


def _names(node: Any) -> list[str]:
    """Keys of a mapping but Hydra's own; none for anything else."""
    if not isinstance(node, DictConfig):
        return []
    return [str(key) for key in node if not str(key).startswith("_") and key != "hydra"]


def dotted_keys(config: DictConfig, prefix: str = "") -> list[str]:
    """All dotted keys but Hydra's own."""
    found = []
    for key in _names(config):
        found += [f"{prefix}{key}", *dotted_keys(_child(config, key), f"{prefix}{key}.")]
    return found
