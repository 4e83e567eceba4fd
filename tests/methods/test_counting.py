"""Popularity and Markov against the published anchors, on all data sets, through the real evaluation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from seqrec.data.datamodule import SequenceDataModule
from seqrec.data.sets.amazon import Amazon
from seqrec.data.sets.custom import Custom
from seqrec.data.sets.movielens import MovieLens
from seqrec.data.sets.yelp import Yelp
from seqrec.data.windows import last_window
from seqrec.methods.counting import Counting, Markov, Popularity
from seqrec.methods.evaluation import evaluate
from seqrec.metrics import Protocol
from tests.choice import thorough_but

NAMES = [
    "Beauty",
    "Sports_and_Outdoors",
    "Toys_and_Games",
    "Musical_Instruments",
    "Yelp",
    "ml-1m",
    "ml-1m_ties_by_movie_id",
    "ml-100k_5core",
    "LastFM",
]
LARGE = {"Sports_and_Outdoors", "Toys_and_Games", "Yelp"}
MODELS: dict[str, type[Counting]] = {"popularity": Popularity, "markov1": Markov}
SPLITS = {"valid": "val", "test": "test"}


def data_module(name: str, root: Path, cache: Path, seed: int = 0) -> SequenceDataModule:
    """The data set under its own data module where it has one, else as a sequence file."""
    base: dict[str, Any] = {
        "name": name, "windows": last_window, "max_length": 50, "batch_size": 64, "eval_batch_size": 256,
        "num_workers": 0, "seed": seed, "cache_dir": str(cache),
    }  # fmt: skip
    if name in ("ml-1m", "ml-100k_5core"):
        return MovieLens(variant=name.removesuffix("_5core"), root=str(root), **base)
    if name == "Yelp":
        return Yelp(root=str(root), **base)
    if name in ("LastFM", "ml-1m_ties_by_movie_id"):
        path = str(root / "sequences" / f"{name}.txt.gz")
        return Custom(path=path, columns={}, min_user=1, min_item=1, **base)
    return Amazon(category=name, root=str(root), **base)


def results(data: SequenceDataModule) -> dict[str, dict[str, dict[str, float]]]:
    """Metrics by split and anchor name."""
    found: dict[str, dict[str, dict[str, float]]] = {split: {} for split in SPLITS}
    for name, kind in MODELS.items():
        model = kind(data.sequences.num_items)
        model.count(data.sequences)
        for suffix, remove_seen in (("", False), ("_history_masked", True)):
            for anchor, split in SPLITS.items():
                metrics = evaluate(model.score, data, split, Protocol("test", remove_seen))
                found[anchor][name + suffix] = metrics.compute()[0]
    return found


def test_the_list_is_complete(data_root: Path) -> None:
    assert sorted(json.loads((data_root / "anchors.json").read_text())) == sorted(NAMES)


@pytest.mark.parametrize("name", thorough_but([name for name in NAMES if name not in LARGE], NAMES))
def test_anchors(name: str, data_root: Path, tmp_path: Path) -> None:
    anchors = json.loads((data_root / "anchors.json").read_text())[name]
    data = data_module(name, data_root, tmp_path)
    data.setup()
    found = results(data)
    for split in SPLITS:
        for model, expected in anchors[split].items():
            for metric, value in expected.items():
                assert found[split][model][metric] == pytest.approx(value, abs=5e-7), (split, model, metric)


def test_renumbering_changes_nothing(data_root: Path, tmp_path: Path) -> None:
    first, second = (data_module("Musical_Instruments", data_root, tmp_path, seed) for seed in (1, 2))
    first.setup()
    second.setup()
    assert not torch.equal(first.sequences.items, second.sequences.items)
    assert results(first) == results(second)
