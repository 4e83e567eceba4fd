"""Mistakes that the emulated device must notice: a line of the project is another one for a while."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra.utils import get_method

from tests.device.audit import Found, audit


def audit_changed(name: str, cache_dir: Path, function: str, before: str, after: str) -> Found:
    """What :func:`audit` finds while ``before`` reads ``after`` in the source of a function of this name."""
    with changed(get_method(function), before, after):
        return audit(name, cache_dir)


@contextmanager
def changed(function: Callable[..., Any], before: str, after: str) -> Iterator[None]:
    """Exchange a text that occurs once in a function; lines keep their numbers."""
    function = inspect.unwrap(function)  # of decorators
    lines, first = inspect.getsourcelines(function)
    source = textwrap.dedent("".join(lines))
    assert source.count(before) == 1, f"{function.__qualname__} has {source.count(before)} times {before!r}"
    tree = ast.parse(source.replace(before, after))
    ast.increment_lineno(tree, first - 1)
    made: dict[str, Any] = {}
    exec(compile(tree, inspect.getfile(function), "exec"), dict(function.__globals__), made)
    original = function.__code__
    function.__code__ = inspect.unwrap(made[function.__name__]).__code__
    try:
        yield
    finally:
        function.__code__ = original
