"""Keyed draws: uniform, independent of their neighbours, different for every part of the key."""

import torch

from seqrec.functional import keyed_random


def test_draws_depend_on_the_key_alone() -> None:
    rows = torch.tensor([5, 9, 2])
    together = keyed_random.uniform(keyed_random.rng_keys(1, 2, rows, 3), 8)
    alone = keyed_random.uniform(keyed_random.rng_keys(1, 2, rows[1:2], 3), 4)
    assert torch.equal(together[1:2, :4], alone)


def test_each_part_of_the_key_matters() -> None:
    base = keyed_random.uniform(keyed_random.rng_keys(1, 2, torch.tensor([5]), 3), 16)
    for key in [(0, 2, 5, 3), (1, 1, 5, 3), (1, 2, 6, 3), (1, 2, 5, 4), (2, 1, 5, 3), (1, 3, 5, 2)]:
        seed, epoch, row, view = key
        assert not torch.equal(
            keyed_random.uniform(keyed_random.rng_keys(seed, epoch, torch.tensor([row]), view), 16), base
        )


def test_uniform_and_integers_are_uniform() -> None:
    keys = keyed_random.rng_keys(0, 0, torch.arange(500), 0)
    draws = keyed_random.uniform(keys, 400)
    assert draws.min() >= 0 and draws.max() < 1
    counts = torch.histc(draws, bins=20, min=0, max=1)
    assert ((counts - 10000) ** 2 / 10000).sum() < 50
    numbers = keyed_random.integers(keys, 400, 7)
    counts = torch.bincount(numbers.flatten(), minlength=7).float()
    assert len(counts) == 7 and ((counts - 200000 / 7) ** 2 / (200000 / 7)).sum() < 25
    correlation = torch.corrcoef(torch.stack([draws[:-1].flatten(), draws[1:].flatten()]))[0, 1]
    assert correlation.abs() < 0.01


def test_streams_have_the_numbers_that_published_results_were_drawn_with() -> None:
    stream = keyed_random.Stream
    assert [stream.NEGATIVES, stream.MASK, stream.EDGES] == [0, 0, 0]
    assert {stream.VIEW, stream.PARTNER, stream.REPLACEMENT, stream.OUTSIDE, stream.FIRST_ITEM, stream.MASK_KIND} == {1}
    assert [stream.SECOND_VIEW, stream.SEGMENT, stream.PATHS, stream.NEIGHBOURS] == [2, 2, 2, 3]
