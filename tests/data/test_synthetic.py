"""The synthetic data module: histories, options, and the known optimum under any numbering of the items."""

from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor

from seqrec.data.sets.markov_world import predictive
from seqrec.data.sets.synthetic import Synthetic
from seqrec.data.windows import last_window

NUM_ITEMS = 40


@pytest.fixture
def synthetic(tmp_path: Path) -> partial[Synthetic]:
    """A small data set; keyword arguments replace its options."""
    return partial(
        Synthetic,
        num_users=200,
        shortest=2,
        longest=12,
        num_items=NUM_ITEMS,
        num_types=3,
        branching=3,
        period=4,
        noise=0.1,
        world_seed=0,
        name="synthetic",
        windows=last_window,
        max_length=5,
        batch_size=16,
        eval_batch_size=64,
        num_workers=0,
        seed=1,
        cache_dir=str(tmp_path),
    )


def prepared(data: Synthetic) -> Synthetic:
    data.prepare_data()
    data.setup()
    return data


def target_ranks(scores: Tensor, target: Tensor) -> Tensor:
    return (scores > scores.gather(1, target[:, None] - 1)).sum(1)


def test_renumbering_changes_ids_but_no_rank(synthetic: partial[Synthetic]) -> None:
    one, other = prepared(synthetic(seed=1)), prepared(synthetic(seed=2))
    assert not torch.equal(one.sequences.items, other.sequences.items)
    assert one.sequences.digest() == other.sequences.digest()
    for split in ("val", "test"):
        rows = torch.arange(len(one.splits[split]))
        target = [data.splits[split].batch(rows, 99).target for data in (one, other)]
        scores = [data.optimal_scores(split, rows) for data in (one, other)]
        assert torch.equal(target_ranks(scores[0], target[0]), target_ranks(scores[1], target[1]))


def test_optimal_scores_use_the_whole_history_of_each_window(synthetic: partial[Synthetic]) -> None:
    """Against the filter run on the unrenumbered sample, user by user; max_length=5 must not matter."""
    data = prepared(synthetic())
    raw = data.read(None)
    for split, held_out in (("val", 2), ("test", 1)):
        windows = data.splits[split]
        rows = torch.tensor([7, 0, 31])
        scores = data.optimal_scores(split, rows)
        assert scores.shape == (3, NUM_ITEMS)
        torch.testing.assert_close(scores.sum(1), torch.ones(3, dtype=torch.float64))
        for row, score in zip(rows, scores, strict=True):
            user = windows.user[row]
            history = raw.items[raw.offsets[user] : raw.offsets[user + 1] - held_out].long()
            expected = predictive(data.world, history[None], torch.tensor([len(history)]))[0]
            world_item = torch.tensor([int(item) for item in data.sequences.item_ids])
            torch.testing.assert_close(score, expected[world_item - 1])


def test_optimum_is_far_above_popularity(synthetic: partial[Synthetic]) -> None:
    data = prepared(synthetic(num_users=1000, shortest=8))
    rows = torch.arange(len(data.splits["test"]))
    target = data.splits["test"].batch(rows, 99).target
    popularity = torch.bincount(data.sequences.items, minlength=NUM_ITEMS + 1)[1:].expand(len(rows), -1)
    hits = [
        (target_ranks(scores, target) < 5).double().mean() for scores in (data.optimal_scores("test", rows), popularity)
    ]
    assert hits[0] > 1.5 * hits[1]


def test_the_data_depends_on_its_own_options_only(synthetic: partial[Synthetic]) -> None:
    digest = synthetic().read(None).digest()
    assert synthetic(seed=9, max_length=7, batch_size=3).read(None).digest() == digest
    assert synthetic(seed=9, max_length=7, batch_size=3).recipe() == synthetic().recipe()
    changes = {
        "num_users": 201,
        "shortest": 3,
        "longest": 13,
        "num_items": 41,
        "num_types": 2,
        "branching": 2,
        "period": 3,
        "noise": 0.4,
        "world_seed": 1,
    }
    for option, value in changes.items():
        changed = synthetic(**{option: value})
        assert changed.recipe() != synthetic().recipe(), option
        assert changed.read(None).digest() != digest, option


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("noise", 1.5, r"noise=1\.5"),
        ("branching", 41, r"branching=41 .*num_items=40"),
        ("longest", 2, r"longest=2 .*at least 3"),
        ("shortest", 13, r"shortest=13 to longest=12"),
        ("num_users", 0, r"num_users=0"),
    ],
)
def test_wrong_options_are_refused_when_built(
    synthetic: partial[Synthetic], option: str, value: float, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        synthetic(**{option: value})
