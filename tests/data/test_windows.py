"""Windows: what each rule covers, that no target leaks, and that a batch is what a plain loop would build."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from seqrec.data import windows as rules
from seqrec.data.sequences import Sequences
from seqrec.data.windows import Windows
from tests.factories import make_sequences


@pytest.fixture
def sequences() -> Sequences:
    generator = torch.Generator().manual_seed(3)
    lengths = [1, 2, 3, 4, 5, 9, 17, 40]
    return make_sequences(torch.randint(1, 31, (sum(lengths),), generator=generator).split(lengths), num_items=30)


def history(sequences: Sequences, user: int) -> list[int]:
    return sequences.items[sequences.offsets[user] : sequences.offsets[user + 1]].tolist()


def draw(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("from_end", [1, 2])
def test_held_out_targets_never_precede_themselves(sequences: Sequences, from_end: int) -> None:
    split = rules.held_out(sequences, from_end)
    assert split.user.tolist() == [2, 3, 4, 5, 6, 7]  # three interactions are needed
    batch = split.batch(torch.arange(len(split)), max_length=100)
    for b, user in enumerate(batch.user.tolist()):
        whole = history(sequences, user)
        assert batch.target[b] == whole[-from_end]
        assert [i for i in batch.items[b].tolist() if i] == whole[:-from_end]


@pytest.mark.parametrize(
    "rule", [rules.last_window, rules.prefixes, rules.non_overlapping, rules.random_cut, rules.full_chunks]
)
def test_training_never_sees_the_last_two_items(sequences: Sequences, rule: Callable) -> None:
    windows = rule(sequences, 6, draw())
    assert (windows.stop <= sequences.offsets[windows.user + 1] - 3).all()
    assert (windows.start >= sequences.offsets[windows.user]).all()
    assert (windows.lengths >= 1).all()
    assert set(windows.user.tolist()) == {3, 4, 5, 6, 7}  # users with a training pair


def pairs(windows: Windows, max_length: int) -> list[tuple[int, tuple[int, ...], int]]:
    """All (history, target) pairs learnt, as tuples of items."""
    batch = windows.batch(torch.arange(len(windows)), max_length)
    result = []
    for b in range(len(batch.row)):
        for t in range(batch.items.shape[1]):
            if batch.next_items[b, t]:
                result.append(
                    (
                        int(batch.user[b]),
                        tuple(batch.items[b, : t + 1].tolist()),
                        int(batch.next_items[b, t]),
                    )
                )
    return result


def test_prefixes_are_every_history_and_its_next_item(sequences: Sequences) -> None:
    expected = []
    for user in range(8):
        train = history(sequences, user)[:-2]
        expected += [(user, tuple(train[:t][-6:]), train[t]) for t in range(1, len(train))]
    found = []
    windows = rules.prefixes(sequences, 6, draw())
    batch = windows.batch(torch.arange(len(windows)), 6)
    for b in range(len(batch.row)):
        items = tuple(i for i in batch.items[b].tolist() if i)
        assert (batch.next_items[b] != 0).sum() == 1
        assert batch.next_items[b, len(items) - 1] == batch.target[b]
        found.append((batch.user[b].item(), items, batch.target[b].item()))
    assert sorted(found) == sorted(expected)


@pytest.mark.parametrize("rule", [rules.non_overlapping, rules.random_cut])
@pytest.mark.parametrize("seed", range(5))
def test_pieces_learn_each_target_exactly_once(sequences: Sequences, rule: Callable, seed: int) -> None:
    learnt = sorted((user, target, len(h)) for user, h, target in pairs(rule(sequences, 6, draw(seed)), 6))
    for user in range(3, 8):
        train = history(sequences, user)[:-2]
        assert sorted(t for u, t, _ in learnt if u == user) == sorted(train[1:])
    assert max(length for *_, length in learnt) <= 6


def test_random_cuts_move(sequences: Sequences) -> None:
    starts = {tuple(rules.random_cut(sequences, 6, draw(seed)).start.tolist()) for seed in range(10)}
    assert len(starts) > 3
    short = rules.random_cut(sequences, 100, draw())
    assert short.lengths.tolist() == [1, 2, 6, 14, 37]  # what fits is never cut


def test_last_window_keeps_the_newest_inputs(sequences: Sequences) -> None:
    for user, items, target in pairs(rules.last_window(sequences, 6, draw()), 6):
        train = history(sequences, user)[:-2]
        assert target in train[-6:] and len(items) <= 6


def test_batches_are_trimmed_and_row_by_row_the_same(sequences: Sequences) -> None:
    windows = rules.last_window(sequences, 50, draw())
    together = windows.batch(torch.tensor([4, 0, 2]), 50)
    assert together.items.shape[1] == 37
    alone = windows.batch(torch.tensor([2]), 50)
    assert torch.equal(together.items[2, :6], alone.items[0])
    assert (together.items[2, 6:] == 0).all() and (together.next_items[2, 6:] == 0).all()


def test_seen_is_the_whole_history(sequences: Sequences) -> None:
    split = rules.held_out(sequences, 1)
    rows = torch.tensor([5, 0])
    row, item = split.seen(rows)
    for b in range(2):
        assert item[row == b].tolist() == history(sequences, int(split.user[rows[b]]))[:-1]


def test_24_bytes_an_example(sequences: Sequences) -> None:
    windows = rules.prefixes(sequences, 6, draw())
    size = sum(x.element_size() * x.numel() for x in (windows.user, windows.start, windows.stop))
    assert size == 24 * len(windows)


def test_renumbering_changes_ids_only(sequences: Sequences) -> None:
    other = sequences.renumbered(7)
    assert not torch.equal(other.items, sequences.items)
    assert other.digest() == sequences.digest()
    raw = [other.item_ids[i - 1] for i in other.items.tolist()]
    assert raw == [sequences.item_ids[i - 1] for i in sequences.items.tolist()]
    assert other.source_order[other.items.long() - 1].tolist() == sequences.items.tolist()


@pytest.mark.parametrize("max_length", [1, 3, 6, 100])
def test_full_chunks_hold_max_length_items_with_their_target(sequences: Sequences, max_length: int) -> None:
    windows = rules.full_chunks(sequences, max_length, draw())
    size, found, expected = max(2, max_length), [], []
    for user, start, stop in zip(windows.user, windows.start, windows.stop, strict=True):
        found.append((int(user), sequences.items[start : stop + 1].tolist()))
    for user in range(3, 8):
        items = history(sequences, user)[:-2]
        if len(items) < 2 * size:
            expected.append((user, items[-max_length - 1 :]))
        else:
            pieces = [items[end - size : end] for end in range(len(items), size - 1, -size)]
            expected += [(user, piece) for piece in pieces]
    assert found == expected
