"""Small models whose errors show, their graphs, and what both recommend."""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from seqrec.cli.conf import CONF
from seqrec.data.batch import Histories
from seqrec.export import Graph, encoder_graph, item_tables, user_table
from seqrec.export.agreement import feed, session
from seqrec.methods.base import Recommender
from tests.factories import shrink

NUM_ITEMS, NUM_USERS, MAX_LENGTH, K = 12_101, 40, 50, 10
"""The catalogue is that of Beauty, so that its histories can be taken."""

CHOICES = {"xlstm_lsr": ("model.backbone.short_window=4",)}
"""What makes a graph smaller: the short stream's steps are written out."""

GAIN = 4.0  # small initial weights would hide errors


def model_of(name: str, *choices: str) -> Recommender:
    """A small model with large random weights, ready to score."""
    sizes = [f"catalog.num_items={NUM_ITEMS}", f"catalog.num_users={NUM_USERS}", f"data.max_length={MAX_LENGTH}"]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        attributes = ["catalog.num_attributes=7", "catalog.attributes_per_item=2"]
        config = compose("config", [f"model={name}", *sizes, *attributes, *choices])
    shrink(config.model)
    torch.manual_seed(0)
    model: Recommender = instantiate(config.model, _convert_="all")
    for path, parameter in model.named_parameters():
        if path.endswith("ring_log"):  # logarithms of angles, which a gain would make thousands of turns
            continue
        if parameter.dim() > 1:
            parameter.data.mul_(GAIN)
        elif not parameter.any():  # biases that start at zero
            parameter.data.normal_(std=0.1)
    for path, buffer in model.named_buffers():
        if path.endswith("memory.memory"):
            buffer.normal_()
    if name == "mssr":
        model.backbone.attributes[1:-1].random_(0, 8)
    if name == "maerec":
        model.backbone.connect(*ring(NUM_ITEMS))
    return model.eval()


def ring(num_items: int) -> tuple[Tensor, Tensor]:
    """Edges of a graph in which each item is joined to the one before, the one after, and itself."""
    node = torch.arange(num_items)
    ends = torch.stack([node, (node + 1) % num_items, (node - 1) % num_items], 1).sort(1).values + 1
    loop = torch.zeros(1, dtype=torch.int64)
    return torch.cat([loop, ends.flatten()]), torch.cat([loop, (node + 1).repeat_interleave(3)])


@cache
def graph_of(name: str, folder: Path, *choices: str) -> tuple[Recommender, Graph, Path]:
    """A model and its graph, made once."""
    model, path = model_of(name, *choices), folder / f"{name}.onnx"
    return model, encoder_graph(model, path, MAX_LENGTH), path


class Difference(NamedTuple):
    """Of a graph from its model.

    Attributes:
        vector, own: largest error of a vector of the graph and of the model, both of float32, from those of the model
            in float64, relative to the largest entry.
        same: share of histories whose lists of the best K items are identical.
        score: largest error of a score in a list that differs, relative.
    """

    vector: float
    own: float
    same: float
    score: float

    def check(self) -> None:
        """The graph is as exact as the model, and nearly all lists are the same; the others differ by near ties."""
        assert self.vector < max(1e-5, 3 * self.own)
        assert self.same >= 0.99 and self.score < 1e-5


@torch.no_grad()
def difference(model: Recommender, graph: Graph, path: Path, histories: list[Tensor]) -> Difference:
    """What differs over histories in one padded batch."""
    tables, users = item_tables(model), user_table(model)
    user = torch.arange(len(histories)) % NUM_USERS
    asked = Histories(pad_sequence(histories, batch_first=True), user)
    wanted, exact = model.query(asked).numpy(), deepcopy(model).double().query(asked).numpy()
    inputs = feed(graph, histories, tables.input, None if users is None else users[user])
    found = session(path).run(None, inputs)[0]
    bias = 0 if tables.bias is None else tables.bias.numpy()
    scores, other = (vector.astype(np.float64) @ tables.output.numpy().T + bias for vector in (wanted, found))
    lists, others = (np.argsort(-some, 1, kind="stable")[:, :K] for some in (scores, other))
    same = (lists == others).all(1)
    # Where two lists differ, the model itself scores the items at the same place nearly alike.
    apart = np.abs(np.take_along_axis(scores, lists, 1) - np.take_along_axis(scores, others, 1)).max(1)
    swaps = apart / np.abs(scores).max(1)
    vector, own = (float(np.abs(some - exact).max() / np.abs(exact).max()) for some in (found, wanted))
    return Difference(vector, own, float(same.mean()), float(swaps.max()))


def drawn(lengths: list[int]) -> list[Tensor]:
    """Random histories of these lengths."""
    draws = torch.Generator().manual_seed(1)
    return [torch.randint(1, NUM_ITEMS + 1, (n,), generator=draws) for n in lengths]
