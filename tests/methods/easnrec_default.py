"""EASNRec as ``model=easnrec`` composes it, written down once more from the equations, row by row and in float64.

``python -m tests.methods.easnrec_default`` writes what it computes to ``tests/golden/easnrec_default.npz``: sizes and
weights of a small model, two batches, and for the second of two steps, which reads what the first has remembered, all
terms of the loss (28) and all gradients.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from hydra.utils import instantiate
from torch import Tensor

from seqrec.cli.overrides import check_configuration
from seqrec.data.batch import Batch
from seqrec.methods.easnrec.easnrec import EASNRec
from tests.methods.small_easnrec import ITEMS, random_batch

PATH = Path(__file__).parents[1] / "golden" / "easnrec_default.npz"
DIM, HEADS, LENGTH, SLOTS, WINDOW = 16, 2, 9, 5, 3
SMALL = [
    f"model.backbone.dim={DIM}",
    "model.backbone.ffn_dim=24",
    f"model.backbone.num_heads={HEADS}",
    f"model.backbone.memory.num_slots={SLOTS}",
    "model.backbone.dropout=0.0",
    "model.backbone.attention_dropout=0.0",
    f"model.window={WINDOW}",
    "model.mask_ratio=0.4",
    f"data.max_length={LENGTH}",
]
# Of the second, one or two items are filled in for each of four histories, so that float32 holds their weights exactly.
FIRST, SECOND = random_batch([0, 1, 2, 3, 5]), random_batch([8, 9, 10, 11])
CHANGE = torch.rand(LENGTH, DIM, dtype=torch.float64, generator=torch.Generator().manual_seed(5)) + 0.5
"""Factors of the newest states, newest first, in the place of a random augmentation."""

Weights = Mapping[str, Tensor]


def model() -> EASNRec:
    """The default at a small size, with larger weights than at a start, so that all gradients count."""
    config = check_configuration(["model=easnrec", "settings=none", *SMALL]).copy()
    config.catalog.num_items = ITEMS
    torch.manual_seed(0)
    made: EASNRec = instantiate(config.model, _convert_="all").double()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.mul_(2.0)
    return made


def noise(like: Tensor) -> Tensor:
    """What stands for the noise of a query or key: no two are alike, and all who compute them agree."""
    return (0.1 * torch.sin(37.0 * like)).detach()


def masked(batch: Batch) -> Tensor:
    """The oldest of every two items is filled in, but never the first of all."""
    place = torch.arange(batch.items.shape[1])
    return (batch.items != 0) & (place % 2 == 1)


class Network:
    """A trunk over one history ``(n, D)`` and its memory, of the weights under a prefix."""

    def __init__(self, weights: Weights, prefix: str, causal: bool) -> None:
        self.of = {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}
        self.causal = causal
        self.memory = self.of["memory.memory"]

    def __call__(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """States after the memory, and before it."""
        n = len(x)
        h = self.norm("norm", x + self.of["position.weight"][LENGTH - n : LENGTH])
        layer = 0
        while f"layers.{layer}.output.weight" in self.of:
            inner = f"layers.{layer}."
            a = self.norm(f"{inner}attention_norm", h + self.linear(f"{inner}output", self.attention(inner, h)))
            wide = F.gelu(self.linear(f"{inner}ffn_in", a))
            h = self.norm(f"{inner}ffn_norm", a + self.linear(f"{inner}ffn_out", wide))
            layer += 1
        read = torch.softmax(h @ self.of["memory.addressing.w_a"], 1) @ (self.memory + self.of["memory.slots"])
        return self.norm("memory.fusion.norm", h + read), h

    def write(self, states: Tensor) -> None:
        """Equations (23)-(27), where a value is the mean over tokens."""
        share = torch.softmax(states @ self.of["memory.w_w"], 1)
        old, rows = self.memory, []
        for slot in range(SLOTS):
            value = (share[:, slot, None] * states).sum(0) / (share[:, slot].sum() + 1e-8)
            both = torch.cat([old[slot], value])
            update, reset = torch.sigmoid(self.of["memory.w_u"] @ both), torch.sigmoid(self.of["memory.w_r"] @ both)
            candidate = torch.tanh(self.of["memory.w_c"] @ torch.cat([reset * old[slot], value]))
            rows.append(update * candidate + (1 - update) * old[slot])
        self.memory = torch.stack(rows)

    def attention(self, inner: str, x: Tensor) -> Tensor:
        """Equations (18)-(20)."""
        parts = self.linear(f"{inner}attention.projection", x).split(DIM, 1)
        heads, width = [], DIM // HEADS
        for head in range(HEADS):
            q, k, v, pq, pk = (part[:, head * width : (head + 1) * width] for part in parts)
            penalty = pq @ pk.T / width**0.5
            context = torch.zeros_like(v)
            for query, key in ((q, k), (q + noise(q), k + noise(k))):
                scores = query @ key.T / width**0.5 - penalty
                if self.causal:
                    scores = scores.masked_fill(torch.ones_like(scores).triu(1).bool(), -torch.inf)
                context = context + torch.softmax(scores, 1) @ v
            heads.append(context)
        return torch.cat(heads, 1)

    def linear(self, name: str, x: Tensor) -> Tensor:
        return x @ self.of[f"{name}.weight"].T + self.of[f"{name}.bias"]

    def norm(self, name: str, x: Tensor) -> Tensor:
        centred = x - x.mean(1, keepdim=True)
        deviation = (centred.pow(2).mean(1, keepdim=True) + 1e-12).sqrt()
        return centred / deviation * self.of[f"{name}.weight"] + self.of[f"{name}.bias"]


def step(weights: Weights, lambdas: Mapping[str, float]) -> dict[str, Tensor]:
    """The terms of the second step, and their total."""
    encoder = Network(weights, "backbone.trunk.", causal=True)
    generator = Network(weights, "generator.", causal=False)
    table = weights["backbone.item_embedding.weight"]
    for network, hide in ((encoder, False), (generator, True)):
        tokens = _histories(FIRST, masked(FIRST) if hide else None)
        network.write(torch.cat([network(table[row])[1] for row in tokens]).detach())

    rows = range(len(SECOND.items))
    real, hidden = _histories(SECOND, None), _histories(SECOND, masked(SECOND))
    where = [masked(SECOND)[row, : len(real[row])] for row in rows]
    states = [encoder(table[real[row]])[0] for row in rows]
    guesses = [generator(table[hidden[row]])[0] for row in rows]

    following = [SECOND.next_items[row, : len(real[row])] for row in rows]
    recommendation = torch.cat([_entropies(states[row], table, following[row]) for row in rows]).mean()  # (2)
    filled = [_entropies(guesses[row][where[row]], table, real[row][where[row]]) for row in rows if where[row].any()]
    generation = torch.stack([each.mean() for each in filled]).mean()
    made = [torch.where(where[row], 1 + (guesses[row] @ table[1:-1].T).argmax(1), real[row]) for row in rows]

    judged = []
    for row in rows:
        verdict = encoder(table[made[row]] + states[row])[0] @ weights["head.weight"][0]
        original = (made[row] == real[row]).double()
        judged.append(F.binary_cross_entropy_with_logits(verdict, original, reduction="none")[1:])
    detection = torch.cat(judged).mean()
    similarity = torch.stack([_alike(weights, _user(states[row]), _user(guesses[row])) for row in rows]).mean()  # (13)

    users = [_user(states[row]) for row in rows]
    positives = [_user(encoder(table[real[row]])[0], CHANGE) for row in rows]
    contrast = torch.zeros((), dtype=torch.float64)
    for u in rows:  # (10)
        own = F.cosine_similarity(users[u], positives[u], dim=0) / lambdas["temperature"]
        others = [F.cosine_similarity(users[u], users[i], dim=0) / lambdas["temperature"] for i in rows if i != u]
        contrast = contrast - (own - torch.logsumexp(torch.stack([own, *others]), 0)) / len(users)

    generator_loss = generation - lambdas["1"] * similarity  # (14)
    discriminator_loss = detection - lambdas["2"] * (1 - similarity)  # (16)
    total = recommendation + lambdas["3"] * contrast + lambdas["4"] * generator_loss + lambdas["5"] * discriminator_loss
    return {
        "recommendation": recommendation,
        "contrast": contrast,
        "generator": generator_loss,
        "discriminator": discriminator_loss,
        "similarity": similarity,
        "total": total,
    }


def lambdas_of(made: EASNRec) -> dict[str, float]:
    """Weights of the terms and the temperature that a configuration gives."""
    of = {str(n): float(getattr(made, f"lambda_{n}")) for n in range(1, 6)}
    return of | {"temperature": float(made.contrast.temperature)}  # type: ignore[attr-defined]


def _histories(batch: Batch, hidden: Tensor | None) -> list[Tensor]:
    items = batch.items if hidden is None else batch.items.masked_fill(hidden, ITEMS + 1)
    return [row[: int((known != 0).sum())] for row, known in zip(items, batch.items, strict=True)]


def _entropies(states: Tensor, table: Tensor, target: Tensor) -> Tensor:
    return -torch.log_softmax(states @ table[1:-1].T, 1)[torch.arange(len(target)), target - 1]


def _user(states: Tensor, change: Tensor | None = None) -> Tensor:
    """Equation (9), of changed states where a change is given."""
    newest = states[-WINDOW:]
    return (newest if change is None else newest * change[: len(newest)].flip(0)).mean(0)


def _alike(weights: Weights, *vectors: Tensor) -> Tensor:
    """Equations (11)-(13)."""
    short = []
    for vector in vectors:
        inner = torch.relu(weights["siamese.fc1.weight"] @ vector + weights["siamese.fc1.bias"])
        short.append(weights["siamese.fc2.weight"] @ inner + weights["siamese.fc2.bias"])
    return F.cosine_similarity(short[0], short[1], dim=0)


def golden() -> dict[str, Tensor]:
    """What the file holds."""
    made = model()
    lambdas, weights = lambdas_of(made), made.state_dict()
    learned = {name: weights[name].requires_grad_() for name, _ in made.named_parameters()}
    terms = step(weights, lambdas)
    found = torch.autograd.grad(terms["total"], list(learned.values()))
    return (
        {f"lambda/{name}": torch.tensor(value, dtype=torch.float64) for name, value in lambdas.items()}
        | {f"in/{name}": value.detach() for name, value in weights.items()}
        | {f"out/{name}": value.detach() for name, value in terms.items()}
        | {f"grad/{name}": gradient for name, gradient in zip(learned, found, strict=True)}
    )


if __name__ == "__main__":
    arrays: dict[str, Any] = {name: value.numpy() for name, value in golden().items()}
    np.savez_compressed(PATH, **arrays)
