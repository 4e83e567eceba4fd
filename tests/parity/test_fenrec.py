"""FENRec against its released code, before and after the warm-up, and against the paper's equations (13)-(15)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from seqrec.data.batch import Histories
from seqrec.data.indices.soft_labels import soft_labels
from seqrec.functional.in_batch import hard_negatives, info_nce
from seqrec.methods.contrastive import HardNegativeContrast
from seqrec.methods.icsrec import ICSRec
from tests.factories import record_terms
from tests.parity import icsrec_golden as shared
from tests.parity.golden import Golden


@pytest.fixture
def reference(golden: Callable[[str], Golden]) -> Golden:
    return golden("fenrec")


def weighting(reference: Golden) -> dict[str, Any]:
    meta = reference.meta
    return {
        "temperature": meta["tau1"],
        "scale": meta["tau2"],
        "margin": meta["m"],
        "mix_ratio": meta["mix_ratio"],
        "hard_weight": meta["mu"],
    }


def model_of(reference: Golden) -> ICSRec:
    meta = reference.meta
    contrast = HardNegativeContrast(
        warmup_epochs=meta["warmup_epochs"],
        noise_ratio=meta["noise_negative_portion"],
        noise_steps=meta["noise_steps"],
        noise_step_size=meta["noise_step_size"],
        **weighting(reference),
    )
    return shared.build(reference, partial(soft_labels, gamma=meta["gamma"]), contrast)


@pytest.fixture
def noise(reference: Golden, monkeypatch: pytest.MonkeyPatch) -> Tensor:
    """The golden noise instead of a draw."""
    given = reference["in/noise"]

    def randn(*size: int, **kwargs: Any) -> Tensor:
        assert size == given.shape
        return given.clone()

    monkeypatch.setattr(hard_negatives.torch, "randn", randn)
    return given


def test_data(reference: Golden, to_right: Callable) -> None:
    shared.check_data(reference, to_right)


def test_soft_labels(reference: Golden) -> None:
    windows = shared.windows_of(reference)
    items, shares = soft_labels(windows, reference.meta["gamma"])
    expected = reference["out/data/soft_label"]
    dense = torch.zeros_like(expected).scatter_add_(1, items, shares.double())
    reference.close("soft labels", dense, expected, times=0.1)
    reference.close("of the batch", dense[reference["in/batch_sample"]], reference["in/soft_label"], times=0.1)


@pytest.mark.parametrize("training", [False, True])
def test_states_and_scores(reference: Golden, to_right: Callable, training: bool) -> None:
    shared.check_forward(reference, model_of(reference).train(training), to_right)


def test_evaluation(reference: Golden, to_right: Callable) -> None:
    shared.check_evaluation(reference, model_of(reference), to_right)


@pytest.mark.parametrize("part", ["", "warmup"])
def test_losses_and_gradients(reference: Golden, noise: Tensor, monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    model = model_of(reference)
    epoch = reference.meta["warmup_epochs"] - (part == "warmup")
    monkeypatch.setattr(ICSRec, "current_epoch", epoch)
    seen: dict[str, Tensor] = {}
    record_terms(model, seen.update)
    total = model.training_step(shared.batch_of(reference, model), 0)
    out = f"out/{part}/" if part else "out/"
    for name, ours in (("rec", "recommendation"), ("cicl", "coarse"), ("ficl", "fine")):
        reference.check(f"{out}{name}_loss", seen[f"train/{ours}"])
    reference.check(f"{out}total", total)
    total.backward()
    found = shared.gradients(model)
    compared = reference.group("warmup_grad/" if part else "grad/")
    assert compared
    for name, expected in compared.items():
        reference.arrays[f"grad/{name}"] = expected
        reference.check(f"grad/{name}", found[name])


def logits_of(reference: Golden, both: Tensor, labels: Tensor, noise: Tensor) -> Tensor:
    """The terms of a row in the order of the reference: positive, in-batch, noise, hard."""
    meta, b = reference.meta, len(labels)

    def weighed(x: Tensor, margin: float) -> Tensor:
        return x / meta["tau1"] * (torch.tanh(x / meta["tau2"]) + margin)

    removed = ~info_nce.negatives(labels, b, labels.device)
    own = weighed((both * both.roll(b, 0)).sum(1, keepdim=True), 0.0)
    plain = weighed(both @ both.T, meta["m"]).masked_fill(removed, -torch.inf)
    hard = weighed(hard_negatives.hard_products(both, meta["mix_ratio"]), meta["m"]).masked_fill(removed, -torch.inf)
    return torch.cat([own, plain, weighed(both @ noise.T, meta["m"]), hard], 1)


def test_noise_and_logits(reference: Golden, noise: Tensor) -> None:
    model, meta = model_of(reference), reference.meta
    batch = shared.batch_of(reference, model)
    partners = model.windows.batch(model.partner[batch.row], model.max_length).items
    _, first, second = model.query(Histories(model.three_views(batch, partners))).chunk(3)
    steps = (meta["noise_steps"], meta["noise_step_size"])
    hardened = hard_negatives.harder_noise(noise, first, second, batch.target, *steps)
    reference.check("out/noise_final", hardened)
    assert not torch.equal(hardened, noise)
    pairs = {"cicl": (first, second, batch.target)}
    for view, states in (("ficl1", first), ("ficl2", second)):
        cluster = model.intents.assign(states)
        pairs[view] = (states, F.normalize(model.intents.centroids[cluster], dim=1), cluster)
    for name, (one, other, labels) in pairs.items():
        found = logits_of(reference, torch.cat([one, other]), labels, hardened)
        expected = reference[f"out/{name}_logits"]
        reference.close(f"{name}_logits", found, expected)
        hard = len(found) + 1 + len(noise)
        expected[:, hard:] += torch.tensor(meta["mu"]).double().log()
        loss = hard_negatives.enduring_info_nce(one, other, labels, hardened, **weighting(reference))
        reference.close(f"{name}_loss", loss, (torch.logsumexp(expected, 1) - expected[:, 0]).mean())
    plain = reference["out/warmup/cicl_logits"]
    found = info_nce.info_nce(first, second, batch.target, meta["tau1"])
    reference.close("warm-up loss", found, (torch.logsumexp(plain, 1) - plain[:, 0]).mean())
    kept = torch.isfinite(plain[:, 1:])
    both = torch.cat([first, second])
    assert torch.equal(kept, info_nce.negatives(batch.target, len(first), both.device))
    reference.close("warm-up logits", (both @ both.T / meta["tau1"])[kept], plain[:, 1:][kept])


def test_the_contrast_alone(reference: Golden) -> None:
    z = reference["in/piece/z"].requires_grad_()
    labels, noise = reference["in/piece/label"], reference["in/piece/noise"]
    products = hard_negatives.hard_products(z, reference.meta["mix_ratio"])
    reference.close("hard products", products, torch.einsum("id,ijd->ij", z, reference["out/piece/hard_negatives"]))
    reference.check("out/piece/cl_logits", logits_of(reference, z, labels, noise))
    loss = hard_negatives.enduring_info_nce(*z.chunk(2), labels, noise, **weighting(reference))  # type: ignore[call-arg, arg-type]
    reference.check("out/piece/cl_loss", loss)
    loss.backward()
    reference.arrays["grad/piece"] = reference["out/piece/cl_grad_z"]
    reference.check("grad/piece", z.grad)
    first, second = z.detach().chunk(2)
    plain = info_nce.info_nce(first, second, labels, reference.meta["tau1"])
    reference.check("out/piece/infonce_loss", plain)


def test_hard_products_are_those_of_formed_negatives() -> None:
    """Value and gradient of the closed form, against the tensor it avoids."""
    for mix_ratio in (0.0, 0.3, 0.5, 1.0):
        z = torch.randn(8, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).requires_grad_()
        unit = F.normalize(z, dim=1)
        mixed = F.normalize(mix_ratio * unit[:, None] + (1 - mix_ratio) * unit, dim=2)
        formed = (mixed * z.norm(dim=1)[:, None]).detach()
        weight = torch.linspace(-1, 1, 64, dtype=torch.float64).view(8, 8)
        expected = torch.einsum("id,ijd->ij", z, formed)
        found = hard_negatives.hard_products(z, mix_ratio)
        torch.testing.assert_close(found, expected)
        gradients = [torch.autograd.grad((weight * x).sum(), z)[0] for x in (found, expected)]
        torch.testing.assert_close(*gradients)


def test_rows_of_the_paper(reference: Golden) -> None:
    """Additive margin, none on hard negatives, no noise, no labels; made of our products."""
    meta, z = SimpleNamespace(**reference.meta), reference["in/piece/z"]
    x, hard = z @ z.T, hard_negatives.hard_products(z, meta.mix_ratio)
    kept = info_nce.negatives(None, len(z) // 2, z.device)
    own = (z * z.roll(len(z) // 2, 0)).sum(1, keepdim=True)
    scores = [
        own * torch.tanh(own / meta.tau2) / meta.tau1,
        ((x * torch.tanh(x / meta.tau2) + meta.m) / meta.tau1).masked_fill(~kept, -torch.inf),
        (hard * torch.tanh(hard / meta.tau2) / meta.tau1 + torch.tensor(meta.mu).log()).masked_fill(~kept, -torch.inf),
    ]
    reference.check("out/paper/cl_rows", torch.logsumexp(torch.cat(scores, 1), 1) - scores[0][:, 0])
