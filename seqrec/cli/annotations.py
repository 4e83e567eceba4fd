"""What a callable takes by name, and whether a plain configured value fits an annotation."""

from __future__ import annotations

import collections.abc
import inspect
from collections.abc import Callable, Mapping
from types import NoneType, UnionType
from typing import Any, Literal, NamedTuple, TypeVar, Union, get_args, get_origin, get_type_hints

PLAIN: Mapping[Any, str] = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "text",
    NoneType: "null",
}
LISTS = (list, tuple, set, collections.abc.Sequence, collections.abc.Iterable, collections.abc.Collection)
MAPPINGS = (dict, collections.abc.Mapping, collections.abc.MutableMapping)


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


def arguments(found: Callable[..., Any]) -> Arguments:
    """The arguments of a function or class.

    ``**base`` of our own classes stands for the arguments of the next base class. Where a class annotates an
    attribute that has the name of an argument with a class, the argument is of that class.
    """
    if not inspect.isclass(found):
        return _own(found, skip=0)
    chain = []
    for base in found.__mro__:
        if "__init__" not in vars(base) or base is object:
            continue
        chain.append(_own(vars(base)["__init__"], skip=1))
        if not (chain[-1].anything and base.__module__.startswith("seqrec.")):
            break
    if not chain:
        return Arguments({}, (), False)
    types = {name: kind for own in reversed(chain) for name, kind in own.types.items()}
    narrower = get_type_hints(found) if found.__module__.startswith("seqrec.") else {}
    types |= {name: narrower[name] for name in types if inspect.isclass(types[name]) and name in narrower}
    return Arguments(types, chain[0].required, chain[-1].anything)


def _own(function: Callable[..., Any], skip: int) -> Arguments:
    """Arguments of one function, without its first ``skip`` ones."""
    function = inspect.unwrap(function)
    try:
        hints = get_type_hints(function)
    except (NameError, TypeError):  # names that only type checkers import
        hints = {}
    parameters = list(inspect.signature(function).parameters.values())[skip:]
    named = [p for p in parameters if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
    return Arguments(
        {p.name: hints.get(p.name, Any) for p in named},
        tuple(p.name for p in named if p.default is p.empty),
        any(p.kind is p.VAR_KEYWORD for p in parameters),
    )


def fits(value: Any, annotation: Any) -> bool:
    """Whether a value of plain Python (numbers, text, lists, dicts) is one that ``annotation`` allows.

    Text never stands for an object or a function; annotations that say nothing definite allow everything.
    """
    if annotation is Any or isinstance(annotation, TypeVar | str):
        return True
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        return any(fits(value, one) for one in inner)
    if origin is Literal:
        return any(value == one and type(value) is type(one) for one in inner)
    if annotation is None:
        return value is None
    if annotation is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if annotation is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if (origin or annotation) in LISTS:
        if not isinstance(value, list):
            return False
        of = [one for one in inner if one is not Ellipsis]
        return not of or all(any(fits(item, one) for one in of) for item in value)
    if (origin or annotation) in MAPPINGS:
        return isinstance(value, dict)
    return isinstance(annotation, type) and isinstance(value, annotation)


def describe(annotation: Any) -> str:
    """An annotation in words, for error messages."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        return " or ".join(dict.fromkeys(describe(one) for one in inner))
    if origin is Literal:
        return " or ".join(repr(one) for one in inner)
    if (origin or annotation) in LISTS:
        return "a list" + (f" (each {describe(inner[0])})" if inner else "")
    if (origin or annotation) in MAPPINGS:
        return "a mapping"
    return PLAIN.get(NoneType if annotation is None else annotation, "an object with a _target_")
