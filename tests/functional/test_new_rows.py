"""Rows of new items: means of the old ones that they are known by, never longer than those."""

from __future__ import annotations

import torch

from seqrec.data.indices.neighbours import attribute_neighbours, item_neighbours, user_neighbours
from seqrec.functional.new_rows import known, new_biases, new_rows
from tests.factories import make_sequences

TABLE = torch.tensor([[3.0, 0.0], [0.0, 3.0], [0.0, -3.0]])


def test_a_new_row_is_the_weighed_mean_of_its_neighbours() -> None:
    weights = torch.tensor([[2.0, 1.0, 0.0], [0.0, 0.0, 0.0]]).to_sparse()
    found = new_rows(TABLE, [[weights]], 2)
    assert torch.allclose(found[0], torch.tensor([2.0, 1.0]))
    assert torch.allclose(found[1], torch.tensor([1.0, 0.0])), "the mean of all where nobody is known"
    assert known([[weights], []], 3, 2) == [1, 0, 1]


def test_the_second_way_serves_whom_the_first_does_not_know() -> None:
    first = torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, 0.0]]).to_sparse()
    second = [torch.tensor([[1.0], [1.0]]).to_sparse(), torch.tensor([[0.5, 0.0, 0.5]]).to_sparse()]
    found = new_rows(TABLE, [[first], second], 2)
    assert torch.allclose(found, torch.tensor([[0.0, 3.0], [1.5, -1.5]]))
    assert known([[first], second], 3, 2) == [1, 1, 0]


def test_no_new_row_is_longer_than_the_median() -> None:
    table = torch.tensor([[1.0, 0.0], [1.0, 0.0], [100.0, 0.0]])
    assert torch.allclose(new_rows(table, [], 1), torch.tensor([[1.0, 0.0]]))


def test_biases_follow_the_line_through_those_of_equal_frequency() -> None:
    counts = torch.tensor([1, 3, 7, 15])
    biases = 0.5 * torch.log1p(counts.double()) - 2
    new = torch.tensor([0, 3, 31])
    assert torch.allclose(new_biases(biases, counts, new), 0.5 * torch.log1p(new.double()) - 2)
    level = new_biases(torch.tensor([1.0, 3.0]), torch.tensor([4, 4]), torch.tensor([9]))
    assert level.tolist() == [2.0], "without a slope their mean"


def test_neighbours_stand_within_the_window_of_training_histories() -> None:
    # The last two of each are held out. Item 4 is new; old 1 stands beside it once, 2 at distance 2.
    histories = make_sequences([[2, 1, 4, 5, 3, 3], [4, 3, 3]], num_items=5)
    (near,) = item_neighbours(histories, old=3, window=1)
    assert near.to_dense().tolist() == [[1, 0, 0], [0, 0, 0]]
    (wide,) = item_neighbours(histories, old=3, window=2)
    assert wide.to_dense().tolist() == [[1, 1, 0], [1, 0, 0]]


def test_new_users_are_known_by_whom_they_share_items_with() -> None:
    # Training parts: u0 has 1, 2; u1 has 2; the new u2 has 2, 3.
    histories = make_sequences([[1, 2, 3, 3], [2, 3, 3], [2, 3, 1, 1]], num_items=3)
    found = new_rows(torch.tensor([[1.0, 0.0], [0.0, 1.0]]), [user_neighbours(histories, old=2)], 1)
    assert torch.allclose(found, torch.tensor([[0.5, 0.5]]))


def test_items_without_attributes_have_no_neighbours_by_them() -> None:
    assert attribute_neighbours(make_sequences([[1, 2, 3]], num_items=3), old=2) == []
