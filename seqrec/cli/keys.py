"""Keys of a composed configuration: which exist, and which one a misspelt one may mean."""

from __future__ import annotations

from difflib import get_close_matches
from types import NoneType
from typing import Any

from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, ListConfig

from seqrec.cli.annotations import describe, fits
from seqrec.cli.groups import Groups
from seqrec.runs.targets import suggestion


def check_key(config: DictConfig, argument: str, key: str, value: Any, groups: Groups) -> None:
    """Refuse a key that ``config`` does not have, or a plain value in the place of a whole node.

    Args:
        config: composed, without the value.
        argument: as written on the command line, for messages.
        key: dotted.
        value: new value; of a mapping each key is checked.
        groups: see :func:`seqrec.cli.groups.list_groups`.

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
    elif "_target_" not in parent and not node._is_interpolation() and value is not None and "${" not in str(value):
        kind = list if isinstance(node, ListConfig) else type(node._value())
        if kind is not NoneType and not fits(value, kind):
            raise ValueError(f"{argument}: {key} is {value!r}; it must be {describe(kind)}")


def chosen_groups(primary: Any) -> list[str]:
    """The groups of which the primary file's defaults list chooses an option."""
    keys = [str(key) for entry in primary.defaults if isinstance(entry, DictConfig) for key in entry]
    return [key.removeprefix("optional ") for key in keys]


def check_top_level(config: DictConfig, primary: Any) -> None:
    """Refuse top-level keys that neither the primary file nor one of its groups declares (a typo in a YAML file).

    Args:
        config: composed.
        primary: the primary file as it stands.

    Raises:
        ValueError: with the nearest key.
    """
    declared = [*chosen_groups(primary), *(key for key in primary if key not in ("defaults", "hydra"))]
    for key, node in config.items():
        if key == "hydra":
            continue
        if key not in declared:
            near = suggestion(str(key), declared) or ";"
            raise ValueError(f"a configuration file sets {key!r} at the top{near} it may set {', '.join(declared)}")
        if isinstance(primary.get(key), DictConfig) and not set(node) <= set(primary[key]):
            wrong = next(str(name) for name in node if name not in primary[key])
            raise ValueError(f"a configuration file sets {key!s}.{wrong}; it may set {', '.join(primary[key])} there")


def not_addable(argument: str, override: Override, config: DictConfig, groups: Groups) -> ValueError:
    """Why ``+key=value`` or ``group@package=option`` is refused."""
    key = override.key_or_group
    parent, _, last = key.rpartition(".")
    try:
        check_key(config, argument, key, {}, groups)
    except ValueError as error:
        if parent or override.package is not None:
            return error
        addable = [group for group in groups if "/" not in group and group not in config.hydra.runtime.choices]
        near = _nearest(last, {name: name for name in [*addable, *_dotted(config)]})
        hint = f"did you mean {near}?" if near else "a value of the configuration is set without +"
        return ValueError(
            f"{argument}: + adds an option of {' or '.join(addable) or 'a group'}, {key!r} is none; {hint}"
        )
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
