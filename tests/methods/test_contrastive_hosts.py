"""What is special to next items with a contrast of views: which views, and where their draws come from."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from seqrec.backbones.transformer import Transformer
from seqrec.data.indices.same_target import SameTarget
from seqrec.data.windows import Windows, last_window, prefixes
from seqrec.functional.augment import different_views
from seqrec.functional.keyed_random import rng_keys
from seqrec.functional.losses import next_item
from seqrec.functional.ragged import ragged
from seqrec.methods.cl4srec import CL4SRec
from seqrec.methods.contrastive import HardNegativeContrast, InBatchContrast, PairContrast
from seqrec.methods.duorec import DuoRec
from seqrec.nn.attention import DotProductAttention
from tests.factories import make_sequences, of_parts

ITEMS, LENGTH, TOKEN = 150, 12, 151
VIEWS = partial(different_views, crop_ratio=0.6, mask_ratio=0.3, reorder_ratio=0.6)
INFO_NCE = InBatchContrast(temperature=1.0)
ADAM = partial(torch.optim.Adam, lr=1e-3)


def windows(num_users: int = 40) -> Windows:
    """Prefixes of histories of 3 to 20 ascending items; some targets occur only once."""
    generator = torch.Generator().manual_seed(1)
    lengths = torch.randint(3, 21, (num_users,), generator=generator)
    histories = [torch.randperm(ITEMS, generator=generator)[:n].sort().values + 1 for n in lengths.tolist()]
    return prefixes(make_sequences(histories, ITEMS), LENGTH, torch.Generator())


WINDOWS = windows()
ROWS = torch.arange(len(WINDOWS))
BATCH = WINDOWS.batch(ROWS, LENGTH)
KEYS = rng_keys(0, 0, ROWS, stream=1)


def backbone(dropout: float) -> Transformer:
    torch.manual_seed(0)
    return Transformer(ITEMS, LENGTH, 16, 2, 2, 32, dropout, dropout, DotProductAttention)


def cl4srec(views: Any = VIEWS, contrast: Any = INFO_NCE, weight: float = 0.1, **options: Any) -> CL4SRec:
    return quiet(
        CL4SRec(
            views,
            backbone=backbone(0.0),
            optimizer=ADAM,
            loss=partial(next_item, padding_class=True),
            pair_contrast=contrast,
            contrast_weight=weight,
            **options,
        )
    )


def duorec(dropout: float = 0.0, contrast: Any = INFO_NCE, **options: Any) -> DuoRec:
    model = DuoRec(backbone(dropout), ADAM, partial(next_item, padding_class=True), contrast, 0.1, **options)
    model.prepare(WINDOWS, LENGTH)
    return quiet(model)


class Always(PairContrast):
    """A contrast without further negatives that calls a given loss."""

    def __init__(self, loss: Callable) -> None:
        super().__init__(temperature=1.0)
        self.loss = loss

    def negatives(self, first: Tensor, second: Tensor, labels: Tensor | None, epoch: int) -> None:
        return None

    def forward(self, first: Tensor, second: Tensor, labels: Tensor | None, noise: Tensor | None) -> Tensor:
        assert noise is None
        return self.loss(first, second, labels)


def quiet(model: Any) -> Any:
    """The model without a trainer to log to."""
    return model.train()


def is_crop(old: list[int], new: list[int]) -> bool:
    size = max(1, int(0.6 * len(old)))
    return any(old[start : start + size] == new for start in range(len(old)))


def is_mask(old: list[int], new: list[int]) -> bool:
    hidden = [item == TOKEN for item in new]
    same = [a == b or gone for a, b, gone in zip(old, new, hidden, strict=False)]
    return len(old) == len(new) and all(same) and sum(hidden) == int(0.3 * len(old))


def is_reorder(old: list[int], new: list[int]) -> bool:
    moved = [i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b]
    return sorted(old) == sorted(new) and (not moved or moved[-1] - moved[0] < int(0.6 * len(old)))


def both_views(items: Tensor, drawn: Tensor) -> list[Tensor]:
    """As wide as the items."""
    return [view.padded(items.shape[1]) for view in VIEWS(ragged(items), drawn, TOKEN)]


def test_each_view_is_one_operator_on_the_original_and_the_two_differ() -> None:
    kinds = {"crop": is_crop, "mask": is_mask, "reorder": is_reorder}
    views = both_views(BATCH.items, KEYS)
    seen = set()
    for old, *new in zip(BATCH.items, *views, strict=True):
        history = old[old != 0].tolist()
        found = [{kind for kind, fits in kinds.items() if fits(history, view[view != 0].tolist())} for view in new]
        pairs = {(a, b) for a in found[0] for b in found[1] if a != b}
        assert pairs, f"{history} became {new}"
        if len(pairs) == 1:  # a short view may fit several operators
            seen |= pairs
        assert len(history) > 1 or all(torch.equal(view, old) for view in new)
    assert len(seen) == 6


def test_the_six_pairs_are_equally_likely() -> None:
    items = torch.arange(1, LENGTH + 1).expand(3000, -1)
    first, second = both_views(items, rng_keys(0, 0, torch.arange(3000), stream=1))

    def kind(view: Tensor) -> Tensor:
        return torch.where((view == 0).any(1), 0, torch.where((view == TOKEN).any(1), 1, 2))

    pair = torch.bincount(kind(first) * 3 + kind(second), minlength=9).view(3, 3)
    assert not pair.diagonal().any()
    assert ((pair + torch.eye(3) * 500) / 500 - 1).abs().max() < 0.2


def test_views_do_not_depend_on_batch_mates_or_padding() -> None:
    whole = both_views(BATCH.items, KEYS)
    some = torch.tensor([17, 3, 0, 90])
    width = int((BATCH.items[some] != 0).sum(1).max())
    for view, expected in zip(both_views(BATCH.items[some, :width], KEYS[some]), whole, strict=True):
        assert torch.equal(view, expected[some, :width])
    wider = torch.nn.functional.pad(BATCH.items[some], (0, 5))
    for view, expected in zip(both_views(wider, KEYS[some]), whole, strict=True):
        assert torch.equal(view, torch.nn.functional.pad(expected[some], (0, 5)))


@pytest.mark.parametrize("build", [cl4srec, duorec])
def test_a_step_changes_neither_the_batch_nor_the_data(build: Callable) -> None:
    batch = of_parts(torch.clone, BATCH)
    flat = WINDOWS.sequences.items.clone()
    build().training_step(batch, 0).backward()
    for before, after in zip(BATCH[:5], batch[:5], strict=True):
        assert torch.equal(before, after)
    assert torch.equal(WINDOWS.sequences.items, flat)


@pytest.mark.parametrize("build", [cl4srec, duorec])
def test_the_vectors_of_the_contrast_belong_to_the_row_and_carry_no_labels(build: Callable) -> None:
    seen: list[tuple] = []

    def contrast(first: Tensor, second: Tensor, labels: Tensor | None) -> Tensor:
        seen.append((first, second, labels))
        return first.sum() * 0

    model = build(contrast=Always(contrast))
    model.training_step(BATCH, 0)
    some = torch.tensor([17, 3, 0, 90])
    model.training_step(WINDOWS.batch(some, LENGTH), 0)
    for whole, part in zip(seen[0][:2], seen[1][:2], strict=True):
        assert part.shape == (4, 16)
        torch.testing.assert_close(part, whole[some])
    assert seen[0][2] is None


def test_the_total_is_a_weighted_sum() -> None:
    def constant(first: Tensor, second: Tensor, labels: Tensor | None) -> Tensor:
        return torch.tensor(3.0)

    plain, more = (cl4srec(contrast=Always(constant), weight=weight).training_step(BATCH, 0) for weight in (0.0, 0.5))
    torch.testing.assert_close(more - plain, torch.tensor(1.5))
    user = cl4srec().eval().query(BATCH.histories)
    weight = cl4srec().backbone.item_embedding.weight
    torch.testing.assert_close(plain, torch.nn.functional.cross_entropy(user @ weight[:-1].T, BATCH.target))


def test_the_partner_has_the_same_target_and_is_another_where_there_is_one() -> None:
    model = duorec()
    drawn: list[Tensor] = []
    choose = model.same_target.random_excluding_self

    def recorded(rows: Tensor, uniform: Tensor) -> Tensor:
        drawn.append(choose(rows, uniform))
        return drawn[-1]

    model.same_target.random_excluding_self = recorded  # type: ignore[method-assign]
    histories = model.partners(ROWS)
    partner = drawn[0]
    target = WINDOWS.sequences.items[WINDOWS.stop]
    assert torch.equal(target[partner], target)
    alone = torch.bincount(target.long())[target.long()] == 1
    assert torch.equal(partner == ROWS, alone)
    assert alone.any() and not alone.all()
    assert torch.equal(histories, WINDOWS.batch(partner, LENGTH).items)


def test_the_partner_is_drawn_from_the_seed() -> None:
    first = duorec().partners(ROWS)
    assert torch.equal(duorec().partners(ROWS), first)
    other = duorec()
    other.seed = 1
    assert not torch.equal(other.partners(ROWS), first)


def test_each_pass_of_duorec_has_its_own_dropout() -> None:
    vectors: list[Tensor] = []

    def contrast(first: Tensor, second: Tensor, labels: Tensor | None) -> Tensor:
        vectors.extend((first, second))
        return first.sum() * 0

    model = duorec(dropout=0.5, contrast=Always(contrast))
    target = WINDOWS.sequences.items[WINDOWS.stop].long()
    alone = ROWS[torch.bincount(target)[target] == 1]  # their partner is themselves
    model.training_step(WINDOWS.batch(alone, LENGTH), 0)
    assert not torch.isclose(vectors[0], vectors[1]).all(1).any()


def test_duorec_needs_one_target_a_window() -> None:
    with pytest.raises(ValueError, match="windows=prefixes"):
        SameTarget(last_window(WINDOWS.sequences, LENGTH, torch.Generator()), LENGTH)


@pytest.mark.parametrize("build", [cl4srec, duorec])
def test_fenrecs_contrast_takes_the_place_of_info_nce(build: Callable) -> None:
    hard = partial(
        HardNegativeContrast,
        temperature=1.0,
        noise_ratio=0,
        noise_steps=4,
        noise_step_size=1e-3,
        scale=8.0,
        margin=0.2,
        mix_ratio=0.4,
        hard_weight=0.1,
    )
    plain, warm, full = (
        build(contrast=contrast).training_step(BATCH, 0)
        for contrast in (INFO_NCE, hard(warmup_epochs=1), hard(warmup_epochs=0))
    )
    assert torch.equal(plain, warm)
    assert torch.isfinite(full) and not torch.isclose(full, plain)
