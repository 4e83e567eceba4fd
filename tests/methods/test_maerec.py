"""What is special to MAERec: the graph of training items, masked paths, the reward, a table held in evaluations."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import Any

import pytest
import torch

from seqrec.backbones.graph_transformer import GraphTransformer
from seqrec.data.batch import Batch
from seqrec.data.indices.item_graph import transitions
from seqrec.data.sequences import Sequences
from seqrec.data.windows import last_window
from seqrec.methods.maerec.loss_trend import LossTrend
from seqrec.methods.maerec.maerec import MAERec
from seqrec.methods.maerec.path_masking import mask_paths
from seqrec.nn.graph import normalised
from tests.factories import make_sequences

ITEMS, LENGTH = 30, 8


def sequences(*histories: list[int]) -> Sequences:
    return make_sequences(histories, ITEMS)


def edges(distance: int, *histories: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
    return transitions(last_window(sequences(*histories), 100, torch.Generator()), distance)


def build(**options: Any) -> MAERec:
    torch.manual_seed(0)
    backbone = GraphTransformer(ITEMS, LENGTH, 16, 2, 1, 2, 32, dropout=0.0, embedding_dropout=0.0)
    backbone.connect(*edges(1, [*range(1, ITEMS + 1), 1, 1]))
    form = {
        "distance": 1,
        "num_seeds": 3,
        "mask_depth": 2,
        "path_ratio": 0.5,
        "mask_steps": 4,
        "num_edges": 8,
        "num_negatives": 4,
        "reconstruction_weight": 0.01,
        "norm_weight": 1e-8,
        "low_reward": 0.2,
    }
    model = MAERec(backbone, partial(torch.optim.Adam, lr=1e-3), **(form | options))
    return model.train()


def test_the_graph_joins_training_inputs_only() -> None:
    """The last three items of a history (training target, validation, test) join nothing."""
    rows, cols = edges(2, [1, 2, 3, 4, 5, 6, 7], [9, 9, 1, 8, 8, 8])
    pairs = {(a, b) for a, b in zip(rows.tolist(), cols.tolist(), strict=True) if a != b}
    one_way = {(1, 2), (2, 3), (3, 4), (1, 3), (2, 4), (9, 1)}
    assert pairs == one_way | {(b, a) for a, b in one_way}
    assert len(rows) == len(pairs) + ITEMS + 1  # each node has one loop
    with pytest.raises(ValueError, match="distance is 0"):
        edges(0, [1, 2, 3, 4])


def test_products_are_those_of_the_dense_matrix() -> None:
    rows, cols = edges(2, [3, 5, 7, 5, 9, 2, 1, 1], [5, 9, 4, 1, 1, 1])
    dense = torch.zeros(ITEMS + 1, ITEMS + 1, dtype=torch.float64)
    dense[rows, cols] = 1
    scale = dense.sum(1).rsqrt()
    dense = scale[:, None] * dense * scale
    graph = normalised(rows, cols, ITEMS + 1, torch.float64)
    x = torch.randn(ITEMS + 1, 3, dtype=torch.float64, requires_grad=True)
    torch.testing.assert_close(graph.times(x), dense @ x)
    assert torch.autograd.gradcheck(graph.times, x)


def test_masked_paths_follow_sums_of_numbers() -> None:
    rows, cols = edges(1, [1, 2, 3, 4, 5, 6, 1, 1, 1])
    masked, left_rows, left_cols = mask_paths(rows, cols, torch.tensor([2]), ITEMS + 1, 2, 1.0, torch.zeros)
    assert set(map(tuple, masked[:5].tolist())) == {(2, 2), (1, 2), (2, 1), (2, 3), (3, 2)}
    # Sums are 3, 4 and 5: all edges left at these nodes follow.
    assert {edge for pair in masked[5:].tolist() for edge in pair} == {3, 4, 5, 6}
    assert len(masked) + len(left_rows) == len(rows)
    assert not (torch.isin(left_rows, torch.tensor([2, 3, 4, 5])) | torch.isin(left_cols, torch.tensor([2, 3]))).any()


def test_the_mask_lives_for_some_batches_and_depends_on_no_history() -> None:
    items = torch.tensor([[3, 4, 5], [7, 8, 0]])
    row = torch.arange(2)
    batch = Batch(row, row, items, torch.tensor([6, 9]), torch.zeros_like(items))
    model, again = build(), build()
    seen = []
    for index in range(5):
        model.training_step(batch, index)
        seen.append(model.masked_edges)
    assert all(edges is seen[0] for edges in seen[:4])
    assert not torch.equal(seen[4], seen[0])
    again.training_step(batch._replace(items=items.flip(0)), 4)
    assert torch.equal(again.masked_edges, seen[4])
    drawn, ends, starts = model.drawn_edges(4)
    assert len({tuple(edge) for edge in drawn.tolist()}) == len(drawn)
    assert ends.shape == starts.shape == (len(drawn), 2)
    assert set(torch.stack([ends, starts]).flatten().tolist()) <= set(range(1, ITEMS + 1))


def test_the_reward_needs_three_numbers_only() -> None:
    torch.manual_seed(0)
    trend, losses = LossTrend(0.2).double(), [2.0]
    trend.append(torch.tensor(losses[0]))
    for step in range(40):
        losses.append(float(torch.rand(())))
        trend.append(torch.tensor(losses[-1]))
        falls = [a - b for a, b in pairwise(losses)]
        better = len(losses) < 3 or falls[-1] > sum(falls[:-1]) / len(falls[:-1])
        assert float(trend.reward()) == pytest.approx(1.0 if better else 0.2)
        if step % 7 == 6:
            trend.restart()
            losses = losses[-1:]
    again = LossTrend(0.2).double()
    again.load_state_dict(trend.state_dict())
    assert again.reward() == trend.reward() and again.count == trend.count
    trend.clear()
    assert float(trend.reward()) == 1.0


def test_an_evaluation_holds_the_table() -> None:
    model = build()
    model.on_validation_start()
    assert model.backbone.table() is model.backbone.table()
    model.on_validation_end()
    assert model.backbone.table() is not model.backbone.table()


def test_it_learns_the_next_item() -> None:
    generator = torch.Generator().manual_seed(0)
    items = torch.randint(1, 22, (64, 1), generator=generator) + torch.arange(4)
    row = torch.arange(64)
    batch = Batch(row, row, items, items[:, -1] + 1, torch.zeros_like(items))
    model = build()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for step in range(60):
        optimizer.zero_grad()
        model.training_step(batch, step).backward()
        optimizer.step()
    right = model.eval().score(batch.histories).argmax(1) + 1 == batch.target
    assert right.float().mean() > 0.6  # chance: 0.03


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="num_negatives is 3"):
        build(num_negatives=3)
    with pytest.raises(ValueError, match="mask_steps is 0"):
        build(mask_steps=0)
    bare = GraphTransformer(ITEMS, LENGTH, 16, 2, 1, 2, 32, dropout=0.0, embedding_dropout=0.0)
    with pytest.raises(ValueError, match="graph is missing"):
        bare(torch.ones(1, 1, dtype=torch.int64))
