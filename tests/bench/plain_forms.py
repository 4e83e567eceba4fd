"""Self-supervised baselines written down equation by equation, as their public implementations compute them.

Every window is padded to its full length, views and negatives are drawn history by history in Python, logits and soft
labels are whole matrices, and gradients are torch's. They are here to be timed beside seqrec (``compare_plain.py``):
random draws differ from those of seqrec, what is computed does not.

Shapes: B histories, W positions of a window, D width, V rows of the item table.
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from functools import partial
from itertools import combinations
from typing import Any

import torch
import torch.nn.functional as F
from plain_encoder import Encoder, info_nce, padded
from plain_views import Similar, crop, insert, mask, reorder, substitute
from torch import Tensor, nn


class ViewContrast(nn.Module, ABC):
    """What ICLRec and CoSeRec share: next items against one negative each, and two views of each history."""

    def __init__(self, config: Any, num_items: int, owned: list[set[int]]) -> None:
        super().__init__()
        network = config.model.backbone
        self.width, self.num_items, self.owned = config.data.max_length, num_items, owned
        self.encoder = Encoder(
            num_items + 2, self.width, network.dim, network.num_layers, network.num_heads, network.ffn_dim,
            network.dropout,
        )  # fmt: skip

    def recommendation(self, states: Tensor, users: list[int], histories: list[list[int]], target: list[int]) -> Tensor:
        positive, negative = [], []
        for user, history, last in zip(users, histories, target, strict=True):
            following = [*history[1:], last]
            drawn = []
            for _ in following:
                item = random.randint(1, self.num_items)
                while item in self.owned[user]:
                    item = random.randint(1, self.num_items)
                drawn.append(item)
            positive.append(padded(following, self.width))
            negative.append(padded(drawn, self.width))
        known = torch.tensor(positive)
        good = (self.encoder.items(known) * states).sum(2)
        bad = (self.encoder.items(torch.tensor(negative)) * states).sum(2)
        learnt = (known > 0).float()
        terms = torch.log(torch.sigmoid(good) + 1e-24) + torch.log(1 - torch.sigmoid(bad) + 1e-24)
        return -(terms * learnt).sum() / learnt.sum()

    def views(self, histories: list[list[int]]) -> tuple[Tensor, Tensor]:
        made = [[torch.tensor(padded(self.view(h), self.width)) for h in histories] for _ in range(2)]
        return torch.stack(made[0]), torch.stack(made[1])

    @abstractmethod
    def view(self, history: list[int]) -> list[int]:
        """A changed copy."""


class ICLRec(ViewContrast):
    """Two contrasts, each with its own pass over both views; ``centroids`` ``(K, D)`` are found before the epoch."""

    def __init__(self, config: Any, num_items: int, owned: list[set[int]]) -> None:
        super().__init__(config, num_items, owned)
        view = config.model.view
        ratios = {crop: view.crop_ratio, mask: view.mask_ratio, reorder: view.reorder_ratio}
        self.operators = [partial(operator, ratio=ratio) for operator, ratio in ratios.items()]
        self.weights = config.model.instance_weight, config.model.intent_weight
        self.centroids = torch.randn(config.model.num_clusters, config.model.backbone.dim)

    def view(self, history: list[int]) -> list[int]:
        return random.choice(self.operators)(history)

    def forward(self, users: list[int], histories: list[list[int]], target: list[int]) -> Tensor:
        states = self.encoder(torch.tensor([padded(history, self.width) for history in histories]))
        first, second = self.views(histories)
        instance = info_nce(self.encoder(first).flatten(1), self.encoder(second).flatten(1))
        nearest = torch.cdist(states.detach().mean(1), self.centroids).argmin(1)
        intent = F.normalize(self.centroids[nearest], dim=1)
        pulled = [info_nce(self.encoder(view).mean(1), intent) for view in (first, second)]
        contrast = self.weights[0] * instance + self.weights[1] * (pulled[0] + pulled[1]) / 2
        return self.recommendation(states, users, histories, target) + contrast


class CoSeRec(ViewContrast):
    """One contrast of views, which look up the most similar item of each item; as after the warm-up."""

    def __init__(self, config: Any, num_items: int, owned: list[set[int]]) -> None:
        super().__init__(config, num_items, owned)
        view = config.model.view
        neighbours = [0, *random.sample(range(1, num_items + 1), num_items)]  # which ones makes no difference in time
        similar = Similar(self.encoder.items.weight, [(item, random.random()) for item in neighbours])
        by_name = {
            "crop": partial(crop, ratio=view.crop_ratio),
            "mask": partial(mask, ratio=view.mask_ratio),
            "reorder": partial(reorder, ratio=view.reorder_ratio),
            "insert": partial(insert, ratio=view.insert_ratio, similar=similar),
            "substitute": partial(substitute, ratio=view.substitute_ratio, similar=similar),
        }
        self.long, self.short = list(by_name.values()), [by_name[name] for name in view.short]
        self.threshold, self.weight = view.threshold, config.model.contrast_weight

    def view(self, history: list[int]) -> list[int]:
        return random.choice(self.long if len(history) > self.threshold else self.short)(history)

    def forward(self, users: list[int], histories: list[list[int]], target: list[int]) -> Tensor:
        states = self.encoder(torch.tensor([padded(history, self.width) for history in histories]))
        first, second = self.views(histories)
        contrast = info_nce(self.encoder(first).flatten(1), self.encoder(second).flatten(1))
        return self.recommendation(states, users, histories, target) + self.weight * contrast


class CBiT(nn.Module):
    """K hidden copies, whose logits are made at all positions, and a contrast for each pair of them."""

    def __init__(self, config: Any, num_items: int, owned: list[set[int]]) -> None:
        super().__init__()
        network, self.config = config.model.backbone, config.model
        self.width, self.num_items = config.data.max_length, num_items
        self.encoder = Encoder(
            num_items + 2, self.width, network.dim, network.num_layers, network.num_heads, network.ffn_dim,
            network.dropout, causal=False, pre_norm=True,
        )  # fmt: skip
        self.output = nn.Linear(network.dim, num_items + 1)
        self.theta = 0.0

    def hide(self, history: list[int]) -> tuple[list[int], list[int]]:
        seen, labels = [], []
        for item in history:
            if random.random() < self.config.mask_ratio:
                kind = random.random()
                labels.append(item)
                other = random.randint(1, self.num_items) if kind < 0.9 else item
                seen.append(self.num_items + 1 if kind < 0.8 else other)
            else:
                labels.append(0)
                seen.append(item)
        return padded(seen, self.width), padded(labels, self.width)

    def forward(self, users: list[int], histories: list[list[int]], target: list[int]) -> Tensor:
        whole = [[*history, last][-self.width :] for history, last in zip(histories, target, strict=True)]
        cloze, vectors = torch.zeros(()), []
        for _ in range(self.config.num_views):
            seen, labels = (torch.tensor(part) for part in zip(*map(self.hide, whole), strict=True))
            states = self.encoder(seen)
            cloze = cloze + F.cross_entropy(self.output(states).flatten(0, 1), labels.flatten(), ignore_index=0)
            vectors.append(F.normalize(states.flatten(1), dim=1))
        pairs = combinations(vectors, 2)
        contrast = 2 * torch.stack([info_nce(a, b) for a, b in pairs]).sum()  # each pair in both orders
        goal = float(cloze) / (float(cloze) + self.config.contrast_scale * float(contrast))
        self.theta += self.config.theta_rate * (goal - self.theta)
        return cloze + self.theta * contrast


class MVS(nn.Module):
    """Labels, contexts and models made smooth, with dense distributions ``(B, W, V)`` at all positions."""

    def __init__(self, config: Any, num_items: int, owned: list[set[int]]) -> None:
        super().__init__()
        network, self.config = config.model.backbone, config.model
        self.width = config.data.max_length
        size = (num_items + 2, self.width, network.dim, network.num_layers, network.num_heads, network.ffn_dim)
        self.encoder, self.complementary = (Encoder(*size, network.dropout) for _ in range(2))
        self.complementary.requires_grad_(False).eval()

    def forward(self, users: list[int], histories: list[list[int]], target: list[int]) -> Tensor:
        windows = torch.tensor([padded(history, self.width) for history in histories])
        following = torch.tensor(
            [padded([*history[1:], last], self.width) for history, last in zip(histories, target, strict=True)]
        )
        valid, table, learnt = windows != 0, self.encoder.items.weight, following != 0
        other = self.complementary(windows)
        soft = torch.softmax(other @ self.complementary.items.weight.T, dim=2)  # (B, W, V)
        context = torch.cat([F.one_hot(windows[:, :1], len(table)).float(), soft[:, :-1]], 1)
        clean = self.encoder(windows) @ table.T
        contexts = [self.adversarial(context, clean.detach(), valid, learnt) for _ in range(2)]
        views = [self.encoder.encode(made @ table, valid) @ table.T for made in contexts]
        label = self.divergence(clean, other @ table.T, learnt)
        smooth = sum(F.cross_entropy(view[learnt], following[learnt]) for view in views) / 2
        model = self.divergence(views[0], clean, learnt) + self.divergence(views[1], clean, learnt)
        model = (model + self.divergence(*views, learnt)) / 3  # type: ignore[call-arg]
        weights = self.config.label_weight, 0.2 * self.config.context_weight, self.config.model_weight
        ce = F.cross_entropy(clean[learnt], following[learnt])
        return ce + weights[0] * label + weights[1] * smooth + weights[2] * model

    def adversarial(self, context: Tensor, clean: Tensor, valid: Tensor, learnt: Tensor) -> Tensor:
        """The contexts with noise that moves the view's predictions furthest."""
        v, table = self.config.noise_scale, self.encoder.items.weight
        noise = (torch.randn_like(context) * v).clamp(-v, v).requires_grad_()
        view = self.encoder.encode((context + noise) @ table.detach(), valid) @ table.detach().T
        (gradient,) = torch.autograd.grad(self.divergence(view, clean, learnt), noise)
        step = self.config.adversarial_step * gradient / gradient.norm()
        return context + (noise.detach() + step).clamp(-v, v)

    @staticmethod
    def divergence(a: Tensor, b: Tensor, learnt: Tensor) -> Tensor:
        """Mean symmetric KL divergence of logits ``(B, W, V)`` over the learnt positions."""
        a, b = torch.log_softmax(a[learnt], 1), torch.log_softmax(b[learnt], 1)
        both = F.kl_div(a, b, reduction="sum", log_target=True) + F.kl_div(b, a, reduction="sum", log_target=True)
        return both / 2 / len(a)


class MAERec(nn.Module):
    """Item vectors from sparse products with both graphs in every step; masks are not renewed here."""

    def __init__(self, config: Any, num_items: int, owned: list[set[int]]) -> None:
        super().__init__()
        network, self.config = config.model.backbone, config.model
        self.width, self.num_items, self.num_layers = config.data.max_length, num_items, network.num_graph_layers
        self.encoder = Encoder(
            num_items + 2, self.width, network.dim, network.num_layers, network.num_heads, network.ffn_dim,
            network.dropout, causal=False, pre_norm=True,
        )  # fmt: skip
        deep, d = self.num_layers, network.dim
        self.decoder = nn.Sequential(
            nn.Linear(d * deep**2, d * deep), nn.ReLU(), nn.Linear(d * deep, d), nn.ReLU(), nn.Linear(d, 1)
        )

    def connect(self, rows: Tensor, cols: Tensor) -> None:
        """Take the graph's edges; any of them may count as masked."""
        nodes = self.num_items + 1
        degree = torch.bincount(rows, minlength=nodes).float().clamp(min=1)
        value = (degree[rows] * degree[cols]).rsqrt()
        self.graph = torch.sparse_coo_tensor(torch.stack([rows, cols]), value, (nodes, nodes)).coalesce()
        self.edges = torch.stack([rows, cols], 1)

    def layers(self) -> list[Tensor]:
        made = [self.encoder.items.weight[:-1]]
        for _ in range(self.num_layers):
            made.append(torch.sparse.mm(self.graph, made[-1]))
        return made

    def likely(self, layers: list[Tensor], one: Tensor, other: Tensor) -> Tensor:
        pairs = [a[one] * b[other] for a in layers[:-1] for b in layers[:-1]]
        return torch.exp(torch.sigmoid(self.decoder(torch.cat(pairs, -1)).squeeze(-1)))

    def forward(self, users: list[int], histories: list[list[int]], target: list[int]) -> Tensor:
        windows = torch.tensor([padded(history, self.width) for history in histories])
        masked, whole = self.layers(), torch.stack(self.layers()).sum(0)
        states = self.encoder.encode(F.embedding(windows, whole), windows != 0)[:, -1]
        recommendation = F.cross_entropy(states @ torch.stack(masked).sum(0).T, torch.tensor(target))
        edges = self.edges[torch.randperm(len(self.edges))[: self.config.num_edges]]
        ends, starts = torch.randint(1, self.num_items + 1, (2, len(edges), self.config.num_negatives // 2))
        positive = self.likely(masked, edges[:, 0], edges[:, 1])
        negative = self.likely(masked, edges[:, :1].expand_as(ends), ends).sum(1)
        negative = negative + self.likely(masked, starts, edges[:, 1:].expand_as(starts)).sum(1)
        reconstruction = -torch.log(positive / (positive + negative + 1e-8) + 1e-8).sum()
        norm = torch.stack([weight.square().sum() for weight in self.parameters()]).sum()
        return recommendation + self.config.reconstruction_weight * reconstruction + self.config.norm_weight * norm


FORMS = {"iclrec": ICLRec, "coserec": CoSeRec, "cbit": CBiT, "mvs": MVS, "maerec": MAERec}
