"""With ``windows=prefixes`` EASNRec, ECL-SR and ELECRec learn RecBole's examples: prefixes, at the last position."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from seqrec.data.windows import last_window, prefixes
from seqrec.methods import elecrec
from seqrec.methods.easnrec.easnrec import EASNRec
from seqrec.methods.ecl_sr import ECLSR
from tests.factories import make_sequences
from tests.methods import small_easnrec, test_ecl_sr, test_elecrec
from tests.methods.small_easnrec import DIM, ITEMS, LENGTH

LENGTHS = (3, 4, 7, 11, 14, 2, 1)  # some longer than a window
DRAWN = torch.randint(1, ITEMS + 1, (sum(LENGTHS),), generator=torch.Generator().manual_seed(0))
SEQUENCES = make_sequences(DRAWN.split(LENGTHS), ITEMS)

Pair = tuple[tuple[int, ...], int]
Seen = list[tuple[Tensor, Tensor]]


def recbole_pairs() -> list[Pair]:
    """Its data augmentation, of which the last two examples of each user are held out."""
    pairs = []
    for row in (part.tolist() for part in DRAWN.split(LENGTHS)):
        pairs += [(tuple(row[max(0, i - LENGTH) : i]), row[i]) for i in range(1, len(row) - 2)]
    return sorted(pairs)


def spied(model: EASNRec | ECLSR) -> Seen:
    """States and targets that the loss of the next items will be given."""
    seen: Seen = []

    def loss(states: Tensor, target: Tensor, table: Tensor, rng_keys: Tensor) -> Tensor:
        assert len(table) == ITEMS + 2 and rng_keys.shape == target.shape == states.shape[:1]
        seen.append((states, target))
        return states.sum()

    model.loss = loss
    return seen


def learned(items: Tensor, learn: Callable[[Tensor], Tensor], seen: Seen) -> list[Pair]:
    """Histories and targets of the loss on items ``(B, L)``, whose states here say where they stand."""
    learn(torch.arange(items.numel()).view(*items.shape, 1).expand(-1, -1, DIM).float())
    states, targets = seen.pop()
    pairs = []
    for place, target in zip(states[:, 0].long().tolist(), targets.tolist(), strict=True):
        row, column = divmod(place, items.shape[1])
        pairs.append((tuple(item for item in items[row, : column + 1].tolist() if item), target))
    return sorted(pairs)


def test_pairs_of_easnrec() -> None:
    model = small_easnrec.build()
    seen = spied(model)
    for rule, same in ((prefixes, True), (last_window, False)):
        windows = rule(SEQUENCES, LENGTH, torch.Generator())
        batch = windows.batch(torch.arange(len(windows)), LENGTH)
        pairs = learned(batch.items, lambda states, b=batch: model.recommendation_loss(states, b), seen)  # type: ignore[misc]
        assert (pairs == recbole_pairs()) == same
        assert len(pairs) == int((batch.next_items != 0).sum())


@pytest.mark.parametrize("padding_learns", [True, False])
def test_pairs_of_ecl_sr(padding_learns: bool) -> None:
    model = test_ecl_sr.build(padding_learns)
    seen = spied(model)
    windows = prefixes(SEQUENCES, LENGTH, torch.Generator())
    batch = windows.batch(torch.arange(len(windows)), LENGTH)
    inputs = model.inputs(batch, *model.masks(batch))
    assert learned(inputs.items, lambda states: model.recommendation_loss(states, inputs), seen) == recbole_pairs()


@pytest.mark.parametrize("padding_learns", [True, False])
def test_pairs_of_elecrec(padding_learns: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of its generator; its discriminator judges the same positions."""
    model = test_elecrec.build(padding_learns=padding_learns)
    seen: Seen = []
    first = model.layout.first_class

    def cross_entropy(states: Tensor, classes: Tensor, target: Tensor, weight: Tensor | None) -> Tensor:
        assert weight is None
        seen.append((states, target + first))
        return states.sum()

    monkeypatch.setattr(elecrec, "cross_entropy", cross_entropy)
    windows = prefixes(SEQUENCES, LENGTH, torch.Generator())
    batch = windows.batch(torch.arange(len(windows)), LENGTH)
    inputs = model.inputs(batch)
    assert learned(inputs.items, lambda states: model.generator_loss(states, inputs), seen) == recbole_pairs()
    assert int(inputs.drawn.sum()) <= len(batch.row)
    assert not (inputs.drawn & ~inputs.supervised).any()
