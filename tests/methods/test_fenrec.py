"""What is special to ICSRec and FENRec: their exchangeable parts, their clusters, exact resume."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from seqrec.functional.in_batch.info_nce import info_nce
from seqrec.functional.losses import cross_entropy, soft_label_cross_entropy
from seqrec.methods.contrastive import HardNegativeContrast
from tests.factories import record_terms
from tests.methods.small import made, trainer

NO_WARMUP = "model.pair_contrast.warmup_epochs=0"

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pytorch_lightning", "ignore::FutureWarning")


def two_steps(cache: Path, *choices: str) -> tuple[Any, list[dict[str, Tensor]]]:
    """The model after two steps, and the terms of both."""
    model, data = made(cache, *choices)
    terms: list[dict[str, Tensor]] = []
    record_terms(model, terms.append)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    trainer(limit_train_batches=2).fit(model, datamodule=data)
    assert all(not torch.equal(p, before[name]) for name, p in model.named_parameters())
    assert all(bool(torch.isfinite(p).all()) for p in model.parameters())
    assert len(terms) == 2
    return model, terms


def differing(one: dict[str, Tensor], other: dict[str, Tensor]) -> set[str]:
    return {name.removeprefix("train/") for name in one if not torch.equal(one[name], other[name])}


def test_each_ablation_changes_its_own_term(tmp_path: Path) -> None:
    full, terms = two_steps(tmp_path, "model=fenrec", NO_WARMUP)
    hard, one_hot = two_steps(tmp_path, "model=fenrec", "+ablation=fenrec/no_soft_labels", NO_WARMUP)
    soft, plain = two_steps(tmp_path, "model=fenrec", "+ablation=fenrec/no_hard_negatives")
    assert differing(terms[0], one_hot[0]) == {"loss", "recommendation"}
    assert differing(terms[0], plain[0]) == {"loss", "coarse", "fine"}
    target = full.windows.sequences.items[full.windows.stop].long()
    assert torch.equal(hard.label_items, target[:, None]) and bool((hard.label_probabilities == 1).all())
    assert torch.equal(soft.label_items, full.label_items) and full.label_items.shape[1] == 3


@pytest.mark.parametrize("host", ["cl4srec", "duorec"])
def test_overlay_puts_both_parts_on_another_model_and_each_can_be_switched_off(tmp_path: Path, host: str) -> None:
    def terms(*choices: str) -> dict[str, Tensor]:
        return two_steps(tmp_path, f"model={host}", *choices)[1][0]

    overlay = "+overlay=fenrec"
    plain, both = terms(), terms(overlay, NO_WARMUP)
    assert differing(plain, both) == {"loss", "recommendation", "contrast"}
    assert differing(both, terms(overlay, NO_WARMUP, "+ablation=fenrec/no_soft_labels")) == {"loss", "recommendation"}
    assert differing(both, terms(overlay, "+ablation=fenrec/no_hard_negatives")) == {"loss", "contrast"}
    assert differing(plain, terms(overlay)) == {"loss", "recommendation"}  # the contrast waits for the warm-up
    neither = terms(overlay, "+ablation=[fenrec/no_soft_labels,fenrec/no_hard_negatives]")
    torch.testing.assert_close(neither, plain)


def test_without_both_parts_it_is_icsrec(tmp_path: Path) -> None:
    both = "+ablation=[fenrec/no_soft_labels,fenrec/no_hard_negatives]"
    without, terms = two_steps(tmp_path, "model=fenrec", both)
    icsrec, others = two_steps(tmp_path, "model=icsrec")
    assert [differing(a, b) for a, b in zip(terms, others, strict=True)] == [set(), set()]
    for (name, one), other in zip(without.state_dict().items(), icsrec.state_dict().values(), strict=True):
        assert torch.equal(one, other), name


def test_the_form_changes_after_the_warm_up() -> None:
    first, second = torch.randn(4, 3), torch.randn(4, 3)
    options: dict[str, Any] = {
        "temperature": 1.0,
        "warmup_epochs": 20,
        "noise_ratio": 2,
        "noise_steps": 4,
        "noise_step_size": 1e-3,
        "scale": 8.0,
        "margin": 0.2,
        "mix_ratio": 0.4,
        "hard_weight": 0.1,
    }
    plain = info_nce(first, second, None, 1.0)
    contrast = HardNegativeContrast(**options)
    before, after = (contrast.negatives(first, second, None, epoch) for epoch in (19, 20))
    assert before is None and after is not None and after.shape == (2 * len(first), first.shape[1])
    assert torch.equal(contrast(first, second, None, before), plain)
    assert not torch.allclose(contrast(first, second, None, after), plain)


def test_a_model_prints_its_contrast(tmp_path: Path) -> None:
    model, _ = made(tmp_path, "model=fenrec")
    printed = repr(model)
    assert "HardNegativeContrast(temperature=1.0, warmup_epochs=" in printed and "hard_weight=0.1" in printed
    assert not any(name.startswith("pair_contrast") for name in model.state_dict())


def test_a_row_without_negatives_costs_nothing() -> None:
    first, second = torch.randn(3, 4, requires_grad=True), torch.randn(3, 4)
    loss = info_nce(first, second, torch.tensor([7, 7, 7]), 1.0)
    loss.backward()
    assert loss == 0 and first.grad is not None and bool((first.grad == 0).all())


def test_clusters_are_found_before_the_first_step_and_partners_share_the_target(tmp_path: Path) -> None:
    model, data = made(tmp_path, "model=icsrec")
    trainer(limit_train_batches=1).fit(model, datamodule=data)
    assert bool(model.intents.fitted) and model.training
    target = model.windows.sequences.items[model.windows.stop]
    assert torch.equal(target[model.partner], target)


def test_a_resumed_run_is_the_whole_run(tmp_path: Path) -> None:
    """The second epoch has the new form, warm-started clusters and its own dropout."""
    choices = ("model=fenrec", "model.pair_contrast.warmup_epochs=1")
    whole, data = made(tmp_path, *choices)
    trainer(max_epochs=2, limit_train_batches=3).fit(whole, datamodule=data)
    first, data = made(tmp_path, *choices)
    started = trainer(max_epochs=1, limit_train_batches=3)
    started.fit(first, datamodule=data)
    started.save_checkpoint(tmp_path / "last.ckpt")
    torch.randn(10)
    second, data = made(tmp_path, *choices)
    trainer(max_epochs=2, limit_train_batches=3).fit(
        second, datamodule=data, ckpt_path=tmp_path / "last.ckpt", weights_only=True
    )
    for (name, one), other in zip(whole.state_dict().items(), second.state_dict().values(), strict=True):
        assert torch.equal(one, other), name


def test_windows_without_a_single_target_are_refused(tmp_path: Path) -> None:
    model, data = made(tmp_path, "model=icsrec", "windows=last_window")
    with pytest.raises(ValueError, match="windows=prefixes"):
        trainer().fit(model, datamodule=data)


def test_soft_label_cross_entropy_is_that_of_a_dense_label() -> None:
    generator = torch.Generator().manual_seed(0)
    states = torch.randn(6, 4, dtype=torch.float64, generator=generator).requires_grad_()
    table = torch.randn(9, 4, dtype=torch.float64, generator=generator).requires_grad_()
    items = torch.tensor([[1, 2, 3], [4, 4, 5], [6, 7, 6], [8, 8, 8], [2, 0, 0], [3, 1, 0]])
    shares = torch.rand(6, 3, dtype=torch.float64, generator=generator) * (items > 0)
    shares = shares / shares.sum(1, keepdim=True)
    dense = torch.zeros(6, 9, dtype=torch.float64).scatter_add_(1, items, shares)
    expected = -(dense * torch.log_softmax(states @ table.T, 1)).sum(1).mean()
    found = soft_label_cross_entropy(states, table, items, shares)
    torch.testing.assert_close(found, expected)
    for one, other in zip(
        torch.autograd.grad(found, (states, table)), torch.autograd.grad(expected, (states, table)), strict=True
    ):
        torch.testing.assert_close(one, other)
    target = items[:, 0]
    ones = torch.ones(6, 1, dtype=torch.float64)
    assert torch.equal(
        cross_entropy(states, table, target), soft_label_cross_entropy(states, table, target[:, None], ones)
    )
