"""A data set of one's own, as the docstring of SequenceDataModule shows it, and what a faulty one is told."""

from __future__ import annotations

import inspect
import textwrap
from dataclasses import replace
from itertools import takewhile
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch

from seqrec.data.datamodule import SequenceDataModule
from seqrec.data.errors import DataError
from seqrec.data.interactions import to_sequences
from seqrec.data.readers.tables import read_table
from seqrec.data.sequences import Sequences

LOG = "visitor,page,when\n" + "".join(f"{u},{p},2024-01-0{9 - d}\n" for u in "ab" for d, p in enumerate("xyz"))


@pytest.fixture
def visits() -> Any:
    """The class in the docstring."""
    text = inspect.getdoc(SequenceDataModule) or ""
    lines = text.partition("For example::\n")[2].splitlines()
    code = list(takewhile(lambda line: not line or line.startswith("    "), lines))
    names: dict[str, Any] = {"SequenceDataModule": SequenceDataModule, "Sequences": Sequences, "Path": Path, "Any": Any}
    names |= {"read_table": read_table, "to_sequences": to_sequences}
    exec(textwrap.dedent("\n".join(code)), names)
    return names["Visits"]


def test_the_example_of_the_docstring_works(
    visits: Any, loading: dict[str, Any], tmp_path: Path, histories: Any
) -> None:
    (tmp_path / "visits.csv").write_text(LOG)
    data = visits(path=str(tmp_path / "visits.csv"), core=2, **loading)
    data.prepare_data()
    data.setup()
    assert histories(data.sequences) == {"a": ["z", "y", "x"], "b": ["z", "y", "x"]}
    assert len(next(iter(data.test_dataloader())).row) == 2


def test_no_file_is_one_line(visits: Any, loading: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"data=data: .*gone\.csv is no file"):
        visits(path=str(tmp_path / "gone.csv"), core=2, **loading).setup()
    assert not list((tmp_path / "cache").iterdir())


@pytest.mark.parametrize("name", ["../evil", "a/b", "", ".."])
def test_a_name_that_is_no_folder_is_refused(name: str, visits: Any, loading: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"data\.name is .*; it is part of the names of folders"):
        visits(path="visits.csv", core=2, **{**loading, "name": name})


GOOD = Sequences(
    items=torch.tensor([1, 2, 2, 1], dtype=torch.int32),
    offsets=torch.tensor([0, 3, 4]),
    user_ids=pl.Series(["a", "b"]),
    item_ids=pl.Series(["x", "y"]),
    source_order=torch.tensor([2, 1]),
)
FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"items": GOOD.items.long()}, "items must be int32"),
    ({"items": GOOD.items - 1}, r"items must be 1\.\.I"),
    ({"items": GOOD.items + 1}, r"items must be 1\.\.I"),
    ({"offsets": torch.tensor([0, 4])}, r"offsets must be int64 of shape \(U \+ 1,\)"),
    ({"offsets": torch.tensor([0, 5, 4])}, "offsets must rise from 0 to nnz"),
    ({"offsets": torch.tensor([0, 3, 3])}, "offsets must rise from 0 to nnz"),
    ({"user_ids": pl.Series(["a", "a"])}, "no id of a user may occur twice"),
    ({"item_ids": pl.Series(["x", "x"])}, "no id of an item may occur twice"),
    ({"source_order": torch.tensor([0, 1])}, r"source_order must hold each of 1\.\.I once"),
    ({"attributes": torch.zeros(3, 1, dtype=torch.int32)}, "attributes must have a row for each item"),
]


@pytest.mark.parametrize(("change", "message"), FAULTS)
def test_sequences_that_break_a_rule_are_refused(
    loading: dict[str, Any], tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    class Faulty(SequenceDataModule):
        def source(self) -> None:
            return None

        def read(self, source: Path | None) -> Sequences:
            return replace(GOOD, **change)

        def recipe(self) -> dict[str, Any]:
            return {}

    assert GOOD.fault() is None
    with pytest.raises(ValueError, match=f"data=data: .* break a rule: {message}"):
        Faulty(**loading).setup()
    assert not list((tmp_path / "cache").iterdir())
