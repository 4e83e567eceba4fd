"""What the tests of the readers share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seqrec.data.sequences import Sequences
from seqrec.data.windows import last_window


@pytest.fixture
def loading(tmp_path: Path) -> dict[str, Any]:
    """Arguments that every data module takes."""
    return {
        "name": "data",
        "windows": last_window,
        "max_length": 50,
        "batch_size": 8,
        "eval_batch_size": 8,
        "num_workers": 0,
        "seed": 0,
        "cache_dir": str(tmp_path / "cache"),
    }


def raw_histories(sequences: Sequences) -> dict[Any, list[Any]]:
    """Items of each user, both by their ids in the source."""
    raw = sequences.item_ids.to_list()
    bounds = sequences.offsets.tolist()
    items = [raw[i - 1] for i in sequences.items.tolist()]
    return {user: items[bounds[u] : bounds[u + 1]] for u, user in enumerate(sequences.user_ids.to_list())}


@pytest.fixture
def histories() -> Callable[[Sequences], dict[Any, list[Any]]]:
    return raw_histories
