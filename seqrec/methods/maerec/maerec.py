"""MAERec: next items from a graph's item vectors, while hidden paths of the graph are reconstructed.

Source: Ye, Xia, Huang, Graph Masked Autoencoder for Sequential Recommendation, SIGIR 2023, in SSLRec's form: full
softmax, last position, item vectors of the masked graph and histories on the whole one.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor

from seqrec.backbones.graph_transformer import GraphTransformer
from seqrec.data.batch import Batch
from seqrec.data.indices.item_graph import transitions
from seqrec.data.windows import last_window
from seqrec.functional import keyed_random as keyed
from seqrec.functional.losses import cross_entropy
from seqrec.methods.base import BuildOptimizer, Recommender
from seqrec.methods.maerec.edge_decoder import EdgeDecoder
from seqrec.methods.maerec.loss_trend import LossTrend
from seqrec.methods.maerec.path_masking import Draw, PathDraws, mask_paths, node_scores
from seqrec.nn.graph import Adjacency, normalised


class MAERec(Recommender):
    """``L_rec + reconstruction_weight * L_edges + norm_weight * |weights|^2``, and at a new mask ``- reward * scores``.

    New paths are masked at the first batch of an epoch and every ``mask_steps`` batches; random draws are the same on
    all ranks. The reward is 1 if the loss fell faster with the last batch than with those before, on average.

    Args:
        backbone: Transformer over a graph's item vectors.
        optimizer: see :class:`Recommender`.
        distance: items at most so many positions apart have an edge.
        num_seeds: S, nodes around which paths are masked.
        mask_depth: D, length of the paths.
        path_ratio: p, fraction of the edges that a path follows further.
        mask_steps: number of batches for which a mask is used.
        num_edges: masked edges that a batch reconstructs.
        num_negatives: of each; one half of them has another end, the other half another start.
        reconstruction_weight: of the sum over those edges.
        norm_weight: of the squared norm of all weights.
        low_reward: eps, the reward if the loss did not fall faster.
        **base: other arguments of :class:`Recommender`.
    """

    needs = GraphTransformer
    backbone: GraphTransformer
    masked_graph: Adjacency
    masked_edges: Tensor

    def __init__(
        self,
        backbone: GraphTransformer,
        optimizer: BuildOptimizer,
        distance: int,
        num_seeds: int,
        mask_depth: int,
        path_ratio: float,
        mask_steps: int,
        num_edges: int,
        num_negatives: int,
        reconstruction_weight: float,
        norm_weight: float,
        low_reward: float,
        **base: Any,
    ) -> None:
        super().__init__(backbone, optimizer, **base)
        if num_negatives < 2 or num_negatives % 2:
            raise ValueError(f"num_negatives is {num_negatives}; half have another start, so it must be even")
        sizes = {"num_seeds": num_seeds, "mask_depth": mask_depth, "mask_steps": mask_steps, "num_edges": num_edges}
        for name, size in sizes.items():
            if size < 1:
                raise ValueError(f"{name} is {size}; it must be at least 1")
        self.distance, self.num_seeds, self.mask_depth, self.path_ratio = distance, num_seeds, mask_depth, path_ratio
        self.mask_steps, self.num_edges, self.num_negatives = mask_steps, num_edges, num_negatives
        self.reconstruction_weight, self.norm_weight = reconstruction_weight, norm_weight
        self.decoder = EdgeDecoder(backbone.dim, backbone.num_graph_layers)
        self.trend = LossTrend(low_reward)

    def setup(self, stage: str) -> None:
        """Build the item graph from the training inputs; of each user, the last three items stay out."""
        longest = int(self.data.sequences.lengths.max())
        self.backbone.connect(*transitions(last_window(self.data.sequences, longest, torch.Generator()), self.distance))

    def on_train_epoch_start(self) -> None:
        """The losses that the reward compares are those of one epoch."""
        self.trend.clear()

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        """The total of one batch."""
        renewed = batch_index % self.mask_steps == 0
        if renewed:
            scores = self.renew_mask(self._draws(batch_index))
        layers = self.backbone.layers(self.masked_graph)
        user = self.backbone.newest(batch.items)
        recommendation = cross_entropy(user, torch.stack(layers).sum(0), batch.target)
        reconstruction = self.reconstruction_weight * self.edge_loss(layers, batch_index)
        loss = recommendation + reconstruction + self.norm_weight * self.squared_norm()
        self.trend.append(recommendation)
        if renewed:
            loss = loss - scores.mean() * self.trend.reward()
            self.trend.restart()
        self.log_terms(batch, {"loss": loss, "recommendation": recommendation, "reconstruction": reconstruction})
        return loss

    def renew_mask(self, draw: Draw) -> Tensor:
        """Choose seeds and mask the paths around them; returns the scores ``(V,)`` that chose."""
        backbone = self.backbone
        rows, cols, nodes = backbone.rows, backbone.cols, backbone.num_items + 1
        scores = node_scores(backbone.nodes, rows, cols, self.mask_depth, self.path_ratio, draw)
        seeds = scores.detach().topk(min(self.num_seeds, nodes)).indices
        self.masked_edges, rows, cols = mask_paths(rows, cols, seeds, nodes, self.mask_depth, self.path_ratio, draw)
        self.masked_graph = normalised(rows, cols, nodes, scores.dtype)
        return scores

    def edge_loss(self, layers: list[Tensor], batch_index: int) -> Tensor:
        """Reconstruction of this batch's edges from all layers but the last."""
        return self.decoder.loss(layers[:-1], *self.drawn_edges(batch_index))

    def drawn_edges(self, batch_index: int) -> tuple[Tensor, Tensor, Tensor]:
        """Masked edges ``(P, 2)``, and nodes ``(P, K / 2)`` as other ends and other starts, uniform over the items."""
        chosen = keyed.uniform(self._key(batch_index, keyed.Stream.EDGES), len(self.masked_edges))
        edges = self.masked_edges[chosen.topk(min(self.num_edges, len(chosen)), largest=False).indices]
        drawn = 1 + keyed.integers(
            self._key(batch_index, keyed.Stream.OTHER_ENDS), len(edges) * self.num_negatives, self.backbone.num_items
        )
        ends, starts = drawn.view(len(edges), 2, -1).unbind(1)
        return edges, ends, starts

    def squared_norm(self) -> Tensor:
        """Sum of the squares of all weights; the unused mask token has none."""
        weights = [self.backbone.nodes, *self.backbone.trunk.parameters(), *self.decoder.parameters()]
        return torch.stack([weight.square().sum() for weight in weights]).sum()

    def derived_state(self) -> dict[str, Tensor]:
        """The item graph, which the output table needs."""
        return {"rows": self.backbone.rows, "cols": self.backbone.cols}

    def load_derived_state(self, state: dict[str, Tensor]) -> None:
        """See :meth:`Ranker.load_derived_state`."""
        self.backbone.connect(state["rows"], state["cols"])

    @property
    def missing_state(self) -> str | None:
        """See :attr:`Ranker.missing_state`."""
        return None if len(self.backbone.rows) else "the graph of the items"

    def hold(self) -> None:
        """Make the item table once for all batches of an evaluation."""
        self.backbone.hold()

    def release(self) -> None:
        """Make the item table anew for each batch."""
        self.backbone.release()

    def _key(self, batch_index: int, stream: int) -> Tensor:
        """The key ``()`` of a batch's draws for one use of them."""
        return keyed.rng_keys(self.seed, self.current_epoch, torch.full((), batch_index, device=self.device), stream)

    def _draws(self, batch_index: int) -> Draw:
        """The draws of a new mask, the same on all ranks."""
        return PathDraws(partial(self._key, batch_index))
