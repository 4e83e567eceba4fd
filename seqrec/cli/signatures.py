"""What a callable takes by name, read off its signature."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, NamedTuple, get_type_hints

from seqrec.runs.targets import find, is_own


class Arguments(NamedTuple):
    """What a callable takes by name.

    Attributes:
        types: annotation of each argument, ``Any`` where there is none.
        required: arguments without a default, in their order.
        anything: it also takes names that cannot be known from its signature.
    """

    types: Mapping[str, Any]
    required: tuple[str, ...]
    anything: bool


@cache
def target_arguments(target: str, path: str) -> Arguments:
    """What the callable takes that ``target`` names, see :func:`seqrec.runs.targets.find`."""
    return arguments(find(target, path))


def arguments(found: Callable[..., Any]) -> Arguments:
    """The arguments of a function or class.

    ``**base`` of a class of this project, or of a package that the user allows, stands for the arguments of the next
    base class. Where such a class annotates an attribute that has the name of an argument with a class, the argument
    is of that class.
    """
    if not inspect.isclass(found):
        return _own(found, skip=0)
    chain = []
    for base in found.__mro__:
        if "__init__" not in vars(base) or base is object:
            continue
        chain.append(_own(vars(base)["__init__"], skip=1))
        if not (chain[-1].anything and is_own(base.__module__)):
            break
    if not chain:
        return Arguments({}, (), False)
    types = {name: kind for own in reversed(chain) for name, kind in own.types.items()}
    narrower = _hints(found) if is_own(found.__module__) else {}
    types |= {name: narrower[name] for name in types if inspect.isclass(types[name]) and name in narrower}
    return Arguments(types, chain[0].required, chain[-1].anything)


def _own(function: Callable[..., Any], skip: int) -> Arguments:
    """Arguments of one function, without its first ``skip`` ones."""
    function = inspect.unwrap(function)
    hints = _hints(function)
    parameters = list(inspect.signature(function).parameters.values())[skip:]
    named = [p for p in parameters if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
    return Arguments(
        {p.name: hints.get(p.name, Any) for p in named},
        tuple(p.name for p in named if p.default is p.empty),
        any(p.kind is p.VAR_KEYWORD for p in parameters),
    )


def _hints(found: Any) -> dict[str, Any]:
    try:
        return get_type_hints(found, include_extras=True)
    except (NameError, TypeError, AttributeError):  # names that only type checkers import
        return {}
