"""The values of a node against the signature of what it calls: pydantic judges, the words are for people."""

from __future__ import annotations

import collections.abc
import inspect
from collections.abc import Mapping
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, Strict, ValidationError
from pydantic import WrapValidator as Wrap
from pydantic import create_model as new_model
from pydantic_core import ErrorDetails

PLAIN: Mapping[Any, str] = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "text",
    NoneType: "null",
}
LISTS = (list, tuple, set, collections.abc.Sequence, collections.abc.Iterable, collections.abc.Collection)
MAPPINGS = (dict, collections.abc.Mapping, collections.abc.MutableMapping)
LIMITS = ("greater_than", "less_than", "multiple_of", "string_too", "string_pattern", "finite_number")
"""Errors about a value that is of the right type; pydantic words them as we would."""


class Later:
    """A value that exists only when the task runs, such as an object that a node builds: it fits everywhere."""

    def __repr__(self) -> str:
        return "..."


LATER = Later()


def unknown_names(given: Mapping[str, Any], types: Mapping[str, Any]) -> list[str]:
    """The keys of ``given`` that are no argument."""
    return [str(error["loc"][0]) for error in _errors(given, types) if error["type"] == "extra_forbidden"]


def wrong_values(given: Mapping[str, Any], types: Mapping[str, Any]) -> dict[str, str]:
    """What each value that does not fit must be, by the name of the argument.

    Args:
        given: plain Python (numbers, text, lists, dicts, :data:`LATER`) by argument.
        types: annotation of each argument. Text never stands for an object or a function; annotations that say
            nothing definite allow everything.
    """
    wrong: dict[str, str] = {}
    for error in _errors(given, types):
        name = str(error["loc"][0])
        if error["type"] == "extra_forbidden":
            continue
        limit = error["type"].startswith(LIMITS) and error["msg"].rpartition("should ")[2]
        wrong.setdefault(name, f"it must {limit}" if limit else f"it must be {describe(types[name])}")
    return wrong


def fits(value: Any, annotation: Any) -> bool:
    """Whether one plain value is what ``annotation`` allows, see :func:`wrong_values`."""
    return not wrong_values({"value": value}, {"value": annotation})


def describe(annotation: Any) -> str:
    """An annotation in words, for error messages."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return describe(inner[0])
    if origin in (Union, UnionType):
        return " or ".join(dict.fromkeys(describe(one) for one in inner))
    if origin is Literal:
        return " or ".join(repr(one) for one in inner)
    if (origin or annotation) in LISTS:
        fixed = origin is tuple and Ellipsis not in inner
        return "a list" + (f" of {len(inner)}" if fixed else "") + (f" (each {describe(inner[0])})" if inner else "")
    if (origin or annotation) in MAPPINGS:
        return "a mapping"
    return PLAIN.get(NoneType if annotation is None else annotation, "an object with a _target_")


def _errors(given: Mapping[str, Any], types: Mapping[str, Any]) -> list[ErrorDetails]:
    try:
        _model(tuple(types.items())).model_validate(dict(given))
    except ValidationError as error:
        return error.errors(include_url=False, include_context=False)
    return []


def _model(types: tuple[tuple[str, Any], ...]) -> type[BaseModel]:
    try:
        return _cached_model(types)
    except TypeError:  # an annotation with something in it that has no hash
        return _new_model(types)


def _new_model(types: tuple[tuple[str, Any], ...]) -> type[BaseModel]:
    # An argument may have a name that pydantic keeps for itself, so the fields are numbered.
    fields: dict[str, Any] = {
        f"argument{place}": (_strict(kind), Field(default=None, alias=name)) for place, (name, kind) in enumerate(types)
    }
    return new_model("Arguments", __config__=ConfigDict(extra="forbid", strict=True), **fields)


_cached_model = cache(_new_model)


def _strict(annotation: Any) -> Any:
    """What pydantic is to check for ``annotation``: as a configuration file can say it, and nothing converted."""
    return Annotated[_readable(annotation), Wrap(lambda value, check: value if value is LATER else check(value))]


def _readable(annotation: Any) -> Any:
    origin, inner = get_origin(annotation), get_args(annotation)
    kind = origin or annotation
    if origin is Annotated:
        return Annotated[_strict(inner[0]), *inner[1:]]
    if origin in (Union, UnionType):
        return Union[tuple(_strict(one) for one in inner)]  # noqa: UP007  built from a list
    if origin is Literal or annotation in PLAIN or annotation is None:
        return annotation
    if origin is tuple and Ellipsis not in inner:
        return Annotated[tuple[tuple(_strict(one) for one in inner)], Strict(False)]  # type: ignore[misc]
    if kind in LISTS:
        return list[_strict(inner[0])] if inner else list[Any]  # type: ignore[misc]
    if kind in MAPPINGS:
        return dict[_strict(inner[0]), _strict(inner[1])] if len(inner) == 2 else dict[Any, Any]  # type: ignore[misc]
    if isinstance(annotation, TypeVar | str) or annotation in (Any, object):
        return Any
    return Annotated[Any, PlainValidator(lambda value: _instance(value, annotation))]


def _instance(value: Any, kind: Any) -> Any:
    """``value`` if it is one of ``kind``, which plain values are for hardly any class."""
    try:
        if inspect.isclass(kind) and isinstance(value, kind):
            return value
    except TypeError:  # a Protocol that only type checkers know
        pass
    raise ValueError("not an object")
