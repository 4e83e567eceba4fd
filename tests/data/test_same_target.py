"""Partners with the same target and soft labels, against plain loops and the counts of the published files."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import torch

from seqrec.data.indices.same_target import SameTarget
from seqrec.data.indices.soft_labels import first_occurrence, soft_labels
from seqrec.data.readers.sequence_file import read_sequence_file
from seqrec.data.sequences import Sequences
from seqrec.data.windows import Windows, last_window, prefixes
from seqrec.functional import keyed_random as keyed
from tests.factories import make_sequences


def random_sequences(seed: int, num_items: int) -> Sequences:
    """Histories with many repeats, some too short to train on."""
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(1, 15, (60,), generator=generator)
    items = torch.randint(1, num_items + 1, (int(lengths.sum()),), generator=generator)
    return make_sequences(items.split(lengths.tolist()), num_items)


def windows_of(sequences: Sequences) -> Windows:
    return prefixes(sequences, 50, torch.Generator())


def training_part(sequences: Sequences, user: int) -> list[int]:
    return sequences.items[sequences.offsets[user] : sequences.offsets[user + 1]].tolist()[:-2]


def samples(sequences: Sequences, max_length: int) -> list[tuple[int, list[int], int]]:
    """``(user, truncated input, target)`` in the order of the reference."""
    found = []
    for user in range(sequences.num_users):
        part = training_part(sequences, user)
        found += [(user, part[:t][-max_length:], part[t]) for t in range(1, len(part))]
    return found


@pytest.mark.parametrize("max_length", [1, 3, 20])
@pytest.mark.parametrize("num_items", [2, 5, 200])
def test_the_partner_is_the_last_that_differs(max_length: int, num_items: int) -> None:
    sequences = random_sequences(num_items, num_items)
    every = samples(sequences, max_length)
    partner = SameTarget(windows_of(sequences), max_length).last_differing()
    assert len(partner) == len(every)
    alone = 0
    for i, (_, history, target) in enumerate(every):
        others = [j for j, (_, h, v) in enumerate(every) if v == target and h != history]
        assert partner[i] == (others[-1] if others else i)
        alone += not others
    if num_items == 200:
        assert alone  # the rule's last case did occur


def test_random_partners_are_uniform_over_the_others() -> None:
    windows = windows_of(random_sequences(0, 30))
    index = SameTarget(windows, 50)
    rows = torch.arange(len(windows))
    target = windows.sequences.items[windows.stop]
    tally = torch.zeros(len(rows), len(rows))
    draws = 400
    for epoch in range(draws):
        partner = index.random_excluding_self(rows, keyed.uniform(keyed.rng_keys(0, epoch, rows, 0), 1)[:, 0])
        tally[rows, partner] += 1
    same = target[:, None] == target
    others = same.sum(1) - 1
    assert bool((tally[~same] == 0).all())
    assert torch.equal(tally.diagonal() == draws, others == 0)
    assert bool((tally.diagonal()[others > 0] == 0).all())
    allowed = same & (others > 0)[:, None]
    allowed.fill_diagonal_(False)
    share = 1 / others[:, None].expand_as(tally)[allowed]
    deviation = (tally[allowed] / draws - share).abs() / (share * (1 - share) / draws).sqrt().clamp(min=1e-9)
    assert float(deviation[share < 1].max()) < 5.5
    assert bool((tally[allowed][share == 1] == draws).all())


@pytest.mark.parametrize("num_items", [3, 20])
def test_soft_labels_are_those_of_a_loop(num_items: int) -> None:
    sequences = random_sequences(1, num_items)
    gamma = 0.3
    items, weights = soft_labels(windows_of(sequences), gamma)
    for i, (user, _, target) in enumerate(samples(sequences, 50)):
        part = training_part(sequences, user)
        future = part[part.index(target) :][:3]
        raw = torch.tensor([gamma**k for k in range(len(future))])
        assert items[i].tolist() == future + [0] * (3 - len(future))
        torch.testing.assert_close(weights[i, : len(future)], raw / raw.sum())
        assert not weights[i, len(future) :].any()


def test_windows_that_learn_at_all_positions_are_refused() -> None:
    windows = last_window(random_sequences(0, 5), 50, torch.Generator())
    with pytest.raises(ValueError, match="windows=prefixes"):
        SameTarget(windows, 50)
    with pytest.raises(ValueError, match="windows=prefixes"):
        soft_labels(windows, 0.2)


PUBLISHED = {  # samples, targets with a single sample, targets; of FENRec's released files
    "Beauty": (131_413, 289, 12_042),
    "Sports_and_Outdoors": (189_543, 516, 18_229),
    "Toys_and_Games": (109_361, 339, 11_846),
    "Yelp": (225_061, 177, 20_008),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_counts_of_the_published_files(name: str, data_root: Path) -> None:
    windows = windows_of(read_sequence_file(data_root / f"sequences/{name}.txt.gz"))
    began = time.perf_counter()
    index = SameTarget(windows, 50)
    partner = index.last_differing()
    seconds = time.perf_counter() - began
    targets, size = torch.unique(windows.sequences.items[windows.stop], return_counts=True)
    assert (len(windows), int((size == 1).sum()), len(targets)) == PUBLISHED[name]
    assert bool((partner == torch.arange(len(windows)))[index.count == 1].all())
    items, _ = soft_labels(windows, 0.2)
    repeated = first_occurrence(windows) != windows.stop
    place = windows.stop[:, None] + torch.arange(3)
    inside = place < windows.sequences.offsets[windows.user + 1][:, None] - 2
    following = windows.sequences.items[torch.where(inside, place, 0)] * inside
    assert torch.equal(items[~repeated], following[~repeated].long())
    assert torch.equal(items[:, 0], following[:, 0].long())
    first, second, third = following.T
    several = (first == second) | ((third > 0) & ((first == third) | (second == third)))
    assert (int(repeated.sum()), int(several.sum())) == ((8_163, 4_315) if name == "Yelp" else (0, 0))
    assert seconds < 10.0, "two seconds on a free core"
