"""Keys of a composed configuration: which exist, and which one a misspelt one may mean."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, ListConfig

from seqrec.tasks.annotations import describe, fits
from seqrec.tasks.groups import Groups
from seqrec.tasks.signatures import suggestion

def check_key(config: DictConfig, argument: str, key: str, value: Any, groups: Groups) -> None:
    """Refuse a key that ``config`` does not have, or a plain value in the place of a whole node.

    Args:
        config: composed, without the value.
        argument: as written on the command line, for messages.
        key: dotted.
        value: new value; of a mapping each key is checked.
        groups: see :func:`seqrec.tasks.groups.list_groups`.

    Raises:
        ValueError: with the nearest key.
    """
    node: Any = config
    parts = key.split(".")
    for depth, part in enumerate(parts):
        parent, node = node, _child(node, part)
        if node is None:
            raise _unknown(config, argument, ".".join(parts[:depth]), part, groups)
    as_group = key.replace(".", "/")
    if isinstance(value, dict):
        for name, inner in value.items():
            if isinstance(node, DictConfig) and not node._is_none() and "_target_" in node:
                check_key(config, argument, f"{key}.{name}", inner, groups)
    elif isinstance(node, DictConfig) and not node._is_none() and value is not None:
        where = f"choose an option with {as_group}={value}" if as_group in groups else f"set one of {', '.join(node)}"
        raise ValueError(f"{argument}: {key} has several values; {where}")
    elif "_target_" not in parent and value is not None and "${" not in str(value):
        kind = type(parent[part] if not node._is_interpolation() else value)
        if kind is not type(None) and not fits(value, list if kind is ListConfig else kind):
            raise ValueError(f"{argument}: {key} is {value!r}; it must be {describe(list if kind is ListConfig else kind)}")


def check_top_level(config: DictConfig, primary: Any, groups: Groups) -> None:
    """Refuse top-level keys that neither the primary file nor one of its groups declares (a typo in a YAML file).

    Raises:
        ValueError: with the nearest key.
    """
    declared = {"hydra"} | {key for key in primary if key != "defaults"}
    for entry in primary.defaults:
        declared |= {str(key).removeprefix("override ").lstrip("/") for key in entry} if isinstance(entry, DictConfig) else set()
    for key in config:
        if key not in declared:
            valid = sorted(declared)
            raise ValueError(
                f"a configuration file sets {key!r} at the top{suggestion(str(key), valid) or ';'} it may be {', '.join(valid)}"
            )
    for key, node in config.items():
        expected = primary.get(key)
        if isinstance(expected, DictConfig) and key != "hydra" and set(node) - set(expected):
            wrong = sorted(set(node) - set(expected))[0]
            raise ValueError(f"a configuration file sets {key}.{wrong}; {key} holds {', '.join(expected)} only")


def not_addable(argument: str, override: Override, config: DictConfig, groups: Groups) -> ValueError:
    """Why ``+key=value`` or ``group@package=option`` is refused."""
    key = override.key_or_group
    if override.package is not None:
        return _unknown(config, argument, "", key, groups)
    try:
        check_key(config, argument, key, {}, groups)
    except ValueError:
        addable = [group for group in groups if group not in config and "/" not in group]
        near = suggestion(key, [*groups, *_dotted(config)])
        return ValueError(f"{argument}: + adds an option of {' or '.join(addable) or 'a group'}; {key!r} is no group{near}")
    return ValueError(f"{argument}: {key} exists already; write {argument.lstrip('+')}")


def _child(node: Any, part: str) -> Any:
    """The node below, None if there is none."""
    if isinstance(node, DictConfig) and not node._is_none() and not node._is_interpolation():
        return node._get_node(part) if part in node.keys() else None  # noqa: SIM118  null is there, too
    if isinstance(node, ListConfig) and part.isdigit() and int(part) < len(node):
        return node._get_node(int(part))
    return None


def _unknown(config: DictConfig, argument: str, parent: str, part: str, groups: Groups) -> ValueError:
    """The error about ``part``, which ``parent`` does not have, with the key or group that is most likely meant."""
    node: Any = config
    for name in parent.split(".") if parent else []:
        node = _child(node, name)
    siblings = {f"{parent}.{key}" if parent else key: key for key in _names(node)}
    elsewhere = {name: name.replace("/", ".").rpartition(".")[2] for name in [*_dotted(config), *groups]}
    near = _nearest(part, siblings) or _nearest(part, {name: name for name in groups}) or _nearest(part, elsewhere)
    if near:
        hint = f"did you mean {near}?"
    elif siblings:
        hint = f"it has {', '.join(siblings.values())}"
    else:
        hint = "it is a single value"
    return ValueError(f"{argument}: {parent or 'the configuration'} has no key {part!r}; {hint}")


def _nearest(part: str, names: dict[str, str]) -> str | None:
    """The key of the value nearest to ``part``; of equals the first."""
    match = get_close_matches(part, list(names.values()), n=1, cutoff=0.6)
    return next((name for name, short in names.items() if match and short == match[0]), None)


def _names(node: Any) -> list[str]:
    """Keys of a mapping but Hydra's own; none for anything else."""
    if not isinstance(node, DictConfig) or node._is_none() or node._is_interpolation():
        return []
    return [str(key) for key in node if not str(key).startswith("_") and key != "hydra"]


def _dotted(config: DictConfig, prefix: str = "") -> list[str]:
    """All dotted keys but Hydra's own."""
    found = []
    for key in _names(config):
        found += [f"{prefix}{key}", *_dotted(_child(config, key), f"{prefix}{key}.")]
    return found
