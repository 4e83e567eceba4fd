"""Which plain values an annotation allows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol, TypeVar

import pytest
from pydantic import Field
from torch import Tensor

from seqrec.cli.schema import LATER, describe, fits, unknown_names, wrong_values

T = TypeVar("T")


class Draw(Protocol):
    """A protocol that only type checkers know."""

    def __call__(self) -> Tensor: ...


@pytest.mark.parametrize(
    ("annotation", "allowed", "refused"),
    [
        (int, [1, -3], [1.5, True, "1", None, [1]]),
        (float, [1, 1.5], [True, "1.5", None]),
        (bool, [True], [1, "true", None]),
        (str, ["a"], [1, None, ["a"]]),
        (int | None, [1, None], [1.5, "none"]),
        (Literal["a", 1], ["a", 1], ["b", 2, None]),
        (list[int], [[], [1]], [[1.5], 1, "12"]),
        (Sequence[float], [[1, 2.5]], ["12", [None]]),
        (Iterable[str], [["a"]], [[1]]),
        (set[int], [[1, 2]], [["a"]]),
        (tuple[float, float], [[0.9, 1]], [[0.9], [1, 2, 3], ["a", "b"], 1]),
        (tuple[int, ...], [[], [1, 2, 3]], [["a"]]),
        (Mapping[str, int], [{"a": 1}], [{"a": "b"}, [1]]),
        (dict, [{"a": 1}], [1]),
        (Any, [1, "a", None], []),
        (T, [1, "a", None], []),
        (object, [1, "a", None], []),
        (Tensor | float, [1.5], ["a"]),
        (Callable[[int], int], [], [1, "torch.relu", None]),
        (Draw, [], [1, "draw"]),
        (str | Path, ["here"], [1]),
        (Path, [], ["here"]),
        (Annotated[float, Field(ge=0, le=1)], [0, 0.5], [-1, 2, "a"]),
    ],
)
def test_values(annotation: Any, allowed: list[Any], refused: list[Any]) -> None:
    assert [value for value in allowed if not fits(value, annotation)] == []
    assert [value for value in refused if fits(value, annotation)] == []
    assert fits(LATER, annotation)


def test_what_is_built_later_fits_inside_of_a_list() -> None:
    assert fits([LATER, 1], list[int])
    assert fits([LATER], Sequence[Tensor])


def test_names_and_messages() -> None:
    types = {"dim": int, "json": float, "rate": Annotated[float, Field(le=1)]}
    assert unknown_names({"dim": 1, "model_config": 2}, types) == ["model_config"]
    assert wrong_values({"dim": "x", "json": 1, "rate": 2, "other": 3}, types) == {
        "dim": "it must be a whole number",
        "rate": "it must be less than or equal to 1",
    }
    assert describe(tuple[float, float]) == "a list of 2 (each a number)"
    assert describe(Annotated[int, Field(ge=0)]) == "a whole number"
