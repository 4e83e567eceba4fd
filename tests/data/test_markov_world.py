"""The world of the synthetic data: the filter against enumeration, calibration, sampling."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor

from seqrec.data.sequences import Sequences
from seqrec.data.sets.markov_world import World, predictive, sample
from seqrec.data.windows import held_out

TINY = World(num_items=4, num_types=2, branching=2, period=3, noise=0.2, seed=3)
WORLD = World(num_items=60, num_types=3, branching=4, period=5, noise=0.15, seed=1)


@pytest.fixture(scope="module")
def sampled() -> tuple[Sequences, Tensor, Tensor, Tensor]:
    """4000 users: sequences, histories (B, L), lengths (B,), targets (B,) of the test split."""
    sequences = sample(WORLD, num_users=4000, shortest=8, longest=16, seed=5)
    test = held_out(sequences, from_end=1)
    batch = test.batch(torch.arange(len(test)), max_length=16)
    return sequences, batch.items, test.lengths, batch.target


def enumerated(world: World, history: list[int]) -> list[float]:
    """Predictive of the next observation as a sum over every type and every hidden path, in plain Python."""

    dense = torch.zeros(world.period, world.num_types, world.num_items, world.num_items, dtype=torch.float64)
    dense.scatter_(3, world.successors.expand(world.period, -1, -1, -1), world.transitions)
    step, initial = dense.tolist(), world.initial.tolist()

    def emission(state: int, item: int) -> float:
        return (1 - world.noise) * (item == state + 1) + world.noise / world.num_items

    joint = [0.0] * world.num_items
    for kind in range(world.num_types):
        for path in product(range(world.num_items), repeat=len(history) + 1):
            chance = initial[path[0]] / world.num_types
            for time, item in enumerate(history):
                chance *= emission(path[time], item)
                chance *= step[time % world.period][kind][path[time]][path[time + 1]]
            for item in range(1, world.num_items + 1):
                joint[item - 1] += chance * emission(path[-1], item)
    return [chance / sum(joint) for chance in joint]


def log_loss(world: World, histories: Tensor, lengths: Tensor, target: Tensor) -> Tensor:
    """Log-probability of each target, (B,)."""
    return predictive(world, histories, lengths).gather(1, target[:, None] - 1).squeeze(1).log()


def recall_at_5(world: World, histories: Tensor, lengths: Tensor, target: Tensor) -> float:
    best = predictive(world, histories, lengths).topk(5).indices + 1
    return float((best == target[:, None]).any(1).double().mean())


def test_filter_equals_enumeration_over_all_hidden_paths() -> None:
    histories = [[], [2], [4, 4], [1, 3, 2], [2, 1, 4, 3, 1], [3, 3, 3, 3, 3]]
    padded = torch.tensor([history + [0] * (5 - len(history)) for history in histories])
    filtered = predictive(TINY, padded, torch.tensor([len(history) for history in histories]))
    expected = torch.tensor([enumerated(TINY, history) for history in histories], dtype=torch.float64)
    torch.testing.assert_close(filtered, expected, rtol=0, atol=1e-10)


def test_filter_without_noise_equals_enumeration() -> None:
    world = replace(TINY, noise=0.0)
    batch = held_out(sample(world, 20, 6, 6, seed=0), 1).batch(torch.arange(20), 6)
    filtered = predictive(world, batch.items, torch.full((20,), 5))
    expected = torch.tensor([enumerated(world, row) for row in batch.items.tolist()], dtype=torch.float64)
    torch.testing.assert_close(filtered, expected, rtol=0, atol=1e-10)


def test_predictive_sums_to_one_and_ignores_padding_and_batch_mates(
    sampled: tuple[Sequences, Tensor, Tensor, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, histories, lengths, _ = sampled
    histories, lengths = histories[:50], lengths[:50]
    together = predictive(WORLD, histories, lengths)
    torch.testing.assert_close(together.sum(1), torch.ones(50, dtype=torch.float64), rtol=0, atol=1e-12)
    garbage = torch.where(histories == 0, 7, histories)
    torch.testing.assert_close(predictive(WORLD, garbage, lengths), together, rtol=0, atol=1e-12)
    monkeypatch.setattr("seqrec.data.sets.markov_world._CELLS", 3 * WORLD.successors.numel())
    torch.testing.assert_close(predictive(WORLD, histories, lengths), together, rtol=0, atol=1e-12)


def test_predictive_of_no_history_is_empty() -> None:
    nothing = predictive(TINY, torch.zeros(0, 3, dtype=torch.int64), torch.zeros(0, dtype=torch.int64))
    assert nothing.shape == (0, 4)


@pytest.mark.parametrize(
    "wrong",
    [{"noise": 0.03}, {"noise": 0.5}, {"period": 4}, {"period": 1}, {"num_types": 2}, {"seed": 2}],
    ids=str,
)
def test_a_wrong_world_predicts_worse(sampled: tuple[Sequences, Tensor, Tensor, Tensor], wrong: dict[str, Any]) -> None:
    _, histories, lengths, target = sampled
    lost = log_loss(WORLD, histories, lengths, target) - log_loss(replace(WORLD, **wrong), histories, lengths, target)
    assert lost.mean() > 2 * lost.std() / len(lost) ** 0.5
    right = recall_at_5(WORLD, histories, lengths, target)
    other = recall_at_5(replace(WORLD, **wrong), histories, lengths, target)
    # A wrong noise hardly moves the order of the items: equal hit rates up to chance.
    assert right >= other - 0.005
    if "noise" not in wrong:
        assert right > other


def test_expected_recall_and_ndcg_agree_with_the_achieved_ones(
    sampled: tuple[Sequences, Tensor, Tensor, Tensor],
) -> None:
    _, histories, lengths, target = sampled
    chance, order = predictive(WORLD, histories, lengths).sort(descending=True)
    hit = (order + 1 == target[:, None]).double()
    discount = 1 / torch.log2(torch.arange(60, dtype=torch.float64) + 2)
    for gain in (*(torch.arange(60).lt(k).double() for k in (1, 3, 10)), discount):
        difference = ((hit - chance) * gain).sum(1)
        assert difference.mean().abs() < 4 * difference.std() / len(difference) ** 0.5


def test_longer_histories_tell_the_type(sampled: tuple[Sequences, Tensor, Tensor, Tensor]) -> None:
    """What a first-order model could know at most is clearly less than what the whole history tells."""
    sequences, histories, lengths, target = sampled
    whole = log_loss(WORLD, histories, lengths, target).mean()
    newest = histories.gather(1, lengths[:, None] - 1).squeeze(1)
    pairs = torch.zeros(61, 61, dtype=torch.float64)
    ends = sequences.offsets[1:] - 1
    inside = torch.ones(sequences.num_interactions, dtype=torch.bool).index_fill_(0, ends, False)
    start = torch.nonzero(inside).flatten()
    before, after = sequences.items[start].long(), sequences.items[start + 1].long()
    # Counts include the targets themselves: an upper bound for every first-order model.
    pairs.index_put_((before, after), torch.ones(len(start), dtype=torch.float64), accumulate=True)
    first_order = (pairs[newest, target] / pairs[newest].sum(1)).log().mean()
    assert whole > first_order + 0.3


def test_tables_are_distributions_over_different_states() -> None:
    ordered = WORLD.successors.sort(-1).values
    assert (ordered[..., 1:] > ordered[..., :-1]).all() and ordered.min() >= 0 and ordered.max() < 60
    assert WORLD.transitions.shape == (5, 3, 60, 4)
    torch.testing.assert_close(WORLD.transitions.sum(-1), torch.ones(5, 3, 60, dtype=torch.float64))
    torch.testing.assert_close(float(WORLD.initial.sum()), 1.0)
    assert not torch.equal(WORLD.successors[0], WORLD.successors[1])
    assert (WORLD.transitions[0] - WORLD.transitions[2]).abs().max() > 0.1


def test_tables_depend_neither_on_memory_nor_on_what_they_need_not(monkeypatch: pytest.MonkeyPatch) -> None:
    assert torch.equal(replace(WORLD, num_types=2).successors, WORLD.successors[:2])
    assert torch.equal(replace(WORLD, noise=0.5, period=3).successors, WORLD.successors)
    monkeypatch.setattr("seqrec.data.sets.markov_world._CELLS", 7 * 60)
    assert torch.equal(replace(WORLD).successors, WORLD.successors)


def test_samples_follow_the_tables() -> None:
    """Without noise every step is one of a single type's successors; with noise that many are strays."""
    quiet = replace(WORLD, noise=0.0)
    sequences = sample(quiet, num_users=300, shortest=5, longest=9, seed=0)
    assert set(sequences.lengths.tolist()) == {5, 6, 7, 8, 9}
    for user in range(50):
        states = sequences.items[sequences.offsets[user] : sequences.offsets[user + 1]].long() - 1
        follows = (quiet.successors[:, states[:-1]] == states[1:, None]).any(-1)  # (K, L - 1)
        assert follows.all(1).any()
    noisy = sample(replace(WORLD, noise=0.3), num_users=2000, shortest=1, longest=1, seed=0)
    expected = 0.7 * WORLD.initial + 0.3 / 60
    share = torch.bincount(noisy.items.long(), minlength=61)[1:] / 2000
    assert ((share - expected).abs() < 4.5 * (expected / 2000).sqrt()).all()


def test_same_seed_same_data_other_seed_other_data() -> None:
    first = sample(WORLD, 50, 5, 9, seed=4)
    assert first.digest() == sample(replace(WORLD), 50, 5, 9, seed=4).digest()
    assert first.digest() != sample(WORLD, 50, 5, 9, seed=6).digest()
    assert first.digest() != sample(replace(WORLD, seed=2), 50, 5, 9, seed=4).digest()


def test_the_numbering_of_the_world_is_kept() -> None:
    sequences = sample(WORLD, 30, 3, 4, seed=0)
    assert sequences.num_items == 60 and sequences.item_ids.to_list() == [str(i) for i in range(1, 61)]
    assert sequences.user_ids.to_list() == [str(i) for i in range(1, 31)]
    assert sequences.source_order.tolist() == list(range(1, 61))
    assert sequences.items.dtype == torch.int32 and sequences.items.min() >= 1


def test_a_history_that_cannot_occur_is_refused() -> None:
    world = replace(TINY, noise=0.0)
    first = 1
    never = next(i for i in range(1, 5) if i - 1 not in world.successors[:, first - 1])
    with pytest.raises(ValueError, match=rf"history 1 .* item {never} at position 1.*noise > 0"):
        predictive(world, torch.tensor([[first, 0], [first, never]]), torch.tensor([1, 2]))


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("noise", 1.0, r"noise=1\.0 .*\[0, 1\).*smaller"),
        ("noise", -0.1, r"noise=-0\.1 .*\[0, 1\)"),
        ("noise", float("nan"), r"noise=nan .*\[0, 1\)"),
        ("branching", 61, r"branching=61 .*num_items=60.*lower"),
        ("branching", 0, r"branching=0 .*at least 1"),
        ("num_types", 0, r"num_types=0 .*at least 1"),
        ("num_items", 0, r"num_items=0 .*at least 1"),
        ("period", 0, r"period=0 .*at least 1"),
    ],
)
def test_options_outside_their_range_are_refused(option: str, value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(WORLD, **{option: value})


@pytest.mark.parametrize(
    ("users", "shortest", "longest", "message"),
    [(0, 3, 5, "num_users=0"), (5, 6, 5, "shortest=6 to longest=5"), (5, 0, 5, "shortest=0")],
)
def test_sizes_outside_their_range_are_refused(users: int, shortest: int, longest: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        sample(WORLD, users, shortest, longest, seed=0)
