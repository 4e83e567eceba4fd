"""What the ``_target_`` of a configuration stands for, and which packages one may call.

A configuration calls what it names, so a stored or a downloaded one could call anything. Allowed is what
:mod:`seqrec.runs.callables` lists of the project, torch and Lightning; other packages are allowed as a whole by name in
``SEQREC_PACKAGES`` (``mylab,otherlab``) or by an entry point of the group ``seqrec.packages`` in an installed package.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, cast

from seqrec.runs.callables import is_allowed_of_library, is_allowed_of_project, may_be_spelt
from seqrec.runs.moved import MOVED

PROJECT, LIBRARIES = "seqrec", ("torch", "torchmetrics", "pytorch_lightning")
VARIABLE, ENTRY_POINTS = "SEQREC_PACKAGES", "seqrec.packages"


def packages() -> tuple[str, ...]:
    """Top-level packages that a configuration may call: the built-in ones and those that the user allows."""
    named = [name.strip() for name in os.environ.get(VARIABLE, "").split(",") if name.strip()]
    return tuple(dict.fromkeys([PROJECT, *LIBRARIES, *named, *_installed()]))


def is_own(module: str) -> bool:
    """Whether a module is of this project, or of a package that the user allows."""
    package = module.partition(".")[0]
    return package in packages() and package not in LIBRARIES


@cache
def _installed() -> tuple[str, ...]:
    return tuple(re.split(r"[.:]", point.value)[0] for point in entry_points(group=ENTRY_POINTS))


def find(target: str, path: str) -> Callable[..., Any]:
    """Import what ``target``, a dotted name, stands for; names of older versions lead to what replaced them.

    Args:
        target: such as ``seqrec.backbones.gru.GRU``.
        path: dotted key of the node, for messages.

    Raises:
        ValueError: the package is not allowed, what was found belongs to another one (a module that an allowed one
            imports) or is not one of the allowed callables, the name does not exist, or it cannot be called.
    """
    return _find(MOVED.get(target, target), path, packages())


def refuse_foreign(config: Any, path: str = "") -> None:
    """Refuse a configuration that would call something which is not allowed, before anything of it is built.

    Args:
        config: plain values, lists and mappings, with references resolved.
        path: dotted name of the node, for messages; empty for the whole.

    Raises:
        ValueError: see :func:`find`.
    """
    if isinstance(config, Mapping):
        if "_target_" in config:
            target = config["_target_"]
            if not isinstance(target, str):
                raise ValueError(f"{_below(path, '_target_')} is {target!r}; it must be the dotted name of a callable")
            find(target, path)
        for key, value in config.items():
            refuse_foreign(value, _below(path, key))
    elif isinstance(config, list | tuple):
        for place, value in enumerate(config):
            refuse_foreign(value, _below(path, place))


def _below(path: str, key: Any) -> str:
    return f"{path}.{key}" if path else str(key)


@cache
def _find(target: str, path: str, allowed: tuple[str, ...]) -> Callable[..., Any]:
    parts = target.split(".")
    refused = f"{path}._target_ is {target!r}; a configuration may only call {', '.join(allowed)}"
    if parts[0] in sys.stdlib_module_names:
        raise ValueError(refused)
    if parts[0] not in allowed:
        raise ValueError(f"{refused}; allow your own package with {VARIABLE}={parts[0]}")
    unlisted = (
        f"{refused}, and of these only models, their parts and losses, data sets, optimizers, schedulers, torch.nn, "
        "and Lightning's callbacks, loggers, strategies, plugins and profilers"
    )
    if any(part.startswith("__") for part in parts) or (parts[0] in LIBRARIES and not may_be_spelt(target)):
        raise ValueError(unlisted)
    found = _attribute(parts, path)
    if not callable(found):
        raise ValueError(f"{path}._target_ is {target!r}, which cannot be called")
    home = str(getattr(found, "__module__", None) or "").partition(".")[0]
    if home == PROJECT:
        if not is_allowed_of_project(found, path):
            raise ValueError(unlisted)
    elif not is_own(home) and not is_allowed_of_library(found, target):
        if home in allowed:
            raise ValueError(unlisted)
        raise ValueError(f"{refused}, and that is {home or 'a built-in'}'s {getattr(found, '__qualname__', found)}")
    return cast(Callable[..., Any], found)


def _attribute(parts: Sequence[str], path: str) -> Any:
    """What a dotted name leads to, importing modules on the way."""
    target = ".".join(parts)
    found: Any = _import(parts[0], path)
    for count, name in enumerate(parts[1:], start=2):
        if not hasattr(found, name):
            module = ".".join(parts[:count])
            try:
                import_module(module)
            except ModuleNotFoundError as error:
                if error.name not in (module, ".".join(parts[: count - 1])):
                    raise  # the module is there, something that it imports is not
                near = suggestion(name, [x for x in vars(found) if not x.startswith("_")])
                raise ValueError(f"{path}._target_ is {target!r}: there is no {module}{near}") from None
        found = getattr(found, name)
    return found


def _import(package: str, path: str) -> Any:
    try:
        return import_module(package)
    except ModuleNotFoundError as error:
        if error.name != package:
            raise
        raise ValueError(f"{path}: the package {package!r} cannot be imported; is it on PYTHONPATH?") from None


def suggestion(name: str, valid: Sequence[str]) -> str:
    """``; did you mean 'x'?`` for the nearest valid name, nothing where none is near."""
    near = get_close_matches(name, valid, n=1, cutoff=0.6)
    return f"; did you mean {near[0]!r}?" if near else ""
