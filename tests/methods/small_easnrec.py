"""A small EASNRec in all its variants, and batches for it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from seqrec.backbones.base import Backbone
from seqrec.backbones.transformer import Transformer
from seqrec.data.batch import Batch
from seqrec.functional import augment, augment_states
from seqrec.methods.adversarial import AdversarialRecommender
from seqrec.methods.easnrec import siamese
from seqrec.methods.easnrec.contrast import Contrast, Contrasted, ItemContrast, StateContrast
from seqrec.methods.easnrec.easnrec import EASNRec
from seqrec.methods.easnrec.memory import ExternalMemory
from seqrec.methods.easnrec.uncertainty import UncertaintyAttention
from seqrec.nn.attention import DotProductAttention
from seqrec.nn.trunk import TransformerTrunk

Model = TypeVar("Model", bound=AdversarialRecommender)
ITEMS, LENGTH, DIM = 30, 9, 16


ADAM = partial(torch.optim.Adam, lr=1e-2)


UNCERTAIN = partial(UncertaintyAttention, noise_std=0.01)


MEMORY = partial(ExternalMemory, num_slots=5, dropout=0.1)


DYNAMIC = partial(augment_states.dynamic, probability=0.2, magnitude=0.1, ratio=0.4)


DSA = partial(augment.dsa, crop_ratio=0.6, mask_ratio=0.3, reorder_ratio=0.6)


def of_states(change: Callable, **options: Any) -> Contrast:
    return StateContrast(window=3, temperature=0.05, augment=change, **options)


OF_ITEMS = ItemContrast(window=3, temperature=0.05, augment=DSA)


class NoContrast(Contrast):
    """One that moves nothing."""

    def __call__(
        self, states: Tensor, items: Tensor, rng_keys: Tensor, backbone: Backbone, again: Tensor | None = None
    ) -> Contrasted:
        return Contrasted(states.new_zeros(()), states.new_ones(()))


def build(
    adversarial: Any = "simultaneous",
    network: str | None = "fc",
    attention: Callable = UNCERTAIN,
    memory: Callable | None = MEMORY,
    contrast: Contrast | None = None,
    own_discriminator: bool = False,
    dropout: float = 0.1,
    optimizer: Callable = ADAM,
    memory_layers: Any = "last",
    **base: Any,
) -> EASNRec:
    torch.manual_seed(0)
    trunk = partial(
        TransformerTrunk,
        DIM,
        LENGTH,
        2,
        2,
        32,
        dropout,
        dropout,
        attention,
        positions="from_newest",
        memory=memory,
        memory_layers=memory_layers,
    )
    networks = {
        None: lambda: None,
        "fc": lambda: siamese.FullyConnected(DIM),
        "cnn": lambda: siamese.Convolution(DIM),
        "transformer": lambda: siamese.Attention(DIM, 2, 32, dropout),
        "lstm": lambda: siamese.Recurrent(DIM),
    }
    return EASNRec(
        Transformer(
            ITEMS,
            LENGTH,
            DIM,
            2,
            2,
            32,
            dropout,
            dropout,
            attention,
            positions="from_newest",
            memory=memory,
            memory_layers=memory_layers,
        ),
        optimizer,
        trunk(causal=False),
        contrast or of_states(DYNAMIC),
        networks[network](),
        adversarial,
        mask_ratio=0.4,
        window=3,
        generator_similarity_weight=0.05,
        discriminator_similarity_weight=0.05,
        contrast_weight=0.3,
        generator_weight=0.2,
        discriminator_weight=0.05,
        discriminator=trunk(causal=True) if own_discriminator else None,
        **base,
    )


def random_batch(rows: list[int], longest: int = LENGTH, seed: int = 0) -> Batch:
    """Histories that depend on the row only; one of them has a single item."""
    items, targets = torch.zeros(len(rows), longest, dtype=torch.long), []
    for b, number in enumerate(rows):
        generator = torch.Generator().manual_seed(1000 * seed + number)
        length = 1 if number == 3 else int(torch.randint(2, 7, (), generator=generator))
        drawn = torch.randint(1, ITEMS + 1, (length + 1,), generator=generator)
        items[b, :length] = drawn[:-1]
        targets.append(drawn[-1])
    target = torch.stack(targets)
    next_items = torch.cat([items[:, 1:], torch.zeros_like(items[:, :1])], 1)
    next_items[torch.arange(len(rows)), (items != 0).sum(1) - 1] = target
    row = torch.tensor(rows)
    return Batch(row, row, items, target, next_items)


BATCHES = [random_batch(list(range(start, start + 6))) for start in (0, 6, 12)]


def loader() -> DataLoader:
    """It leaves the global random state alone."""
    return DataLoader(BATCHES, batch_size=None, generator=torch.Generator())  # type: ignore[arg-type]  # any sequence will do


def offline(model: Model) -> Model:
    """A model whose training step runs without a trainer, with plain gradient steps."""
    model.build_optimizer = partial(torch.optim.SGD, lr=0.1)
    optimizers = model.build_optimizers()
    model.optimizers = lambda: optimizers  # type: ignore[method-assign, assignment]
    model.manual_backward = lambda loss, *_, **__: loss.backward()  # type: ignore[method-assign]
    return model.train()


def moved(model: nn.Module, before: dict[str, Tensor]) -> set[str]:
    return {name for name, p in model.named_parameters() if not torch.equal(p, before[name])}


def weights(model: nn.Module) -> dict[str, Tensor]:
    return {name: p.detach().clone() for name, p in model.named_parameters()}


def plain(**options: Any) -> EASNRec:
    """Without chance and in float64; every weight is larger than at a start, so that all gradients count."""
    model = build(dropout=0.0, attention=DotProductAttention, **options).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(4.0)
    return offline(model)


def gradients(model: nn.Module, loss: Tensor, grad: Tensor | None = None) -> dict[str, Tensor]:
    names, parameters = zip(*model.named_parameters(), strict=True)
    found = torch.autograd.grad(loss, parameters, grad, retain_graph=True, allow_unused=True)
    return {n: torch.zeros_like(p) if g is None else g for n, p, g in zip(names, parameters, found, strict=True)}


def same(model: nn.Module, actual: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert any(bool(gradient.any()) for gradient in expected.values())
    for name, _ in model.named_parameters():
        torch.testing.assert_close(actual[name], expected[name], rtol=1e-9, atol=1e-12, msg=of(name))


def of(name: str) -> Callable[[str], str]:
    return lambda text: f"{name}: {text}"
