"""What diagnoses log is what a direct computation gives, and a training with them is the same training."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch import Tensor

from seqrec.data.sets.synthetic import Synthetic
from seqrec.functional.softmax import fused
from seqrec.methods.contrastive import PairContrast
from seqrec.training.callbacks.gradients import GradientShares
from seqrec.training.callbacks.negatives import QUANTILES, NegativeSimilarity, similarities
from seqrec.training.callbacks.uniformity import MOST, Uniformity, evenly, uniformity
from tests.choice import REPRESENTATIVE, thorough_but
from tests.factories import quiet_trainer
from tests.methods.small import made
from tests.methods.small_easnrec import build, loader
from tests.test_models import CONF, composed, models
from tests.test_models import build as build_model

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pytorch_lightning", "ignore::FutureWarning")

LEARNING = [name for name in models(CONF) if name not in ("popularity", "markov")]
CASES = [*LEARNING, "easnrec alternating", "ecl_sr alternating", "elecrec alternating"]


def data_of(config: Any, cache: Path) -> Synthetic:
    size = {"num_users": 60, "shortest": 8, "longest": 30, "num_items": 50, "cache_dir": str(cache), "batch_size": 20}
    data: Synthetic = instantiate(OmegaConf.merge(config.data, size))
    return data


@pytest.mark.parametrize("case", thorough_but((REPRESENTATIVE & {*LEARNING}) | {"easnrec alternating"}, CASES))
def test_a_training_is_the_same_to_the_last_bit(case: str, tmp_path: Path) -> None:
    name, _, adversarial = case.partition(" ")
    config = composed(name, None).copy()
    if adversarial:
        config.model.adversarial = adversarial
    if name == "easnrec" and adversarial:
        config.model.similarity = {"_target_": "seqrec.methods.easnrec.similarity.Split"}
    found = []
    for looked_at in (False, True):
        model, callbacks = build_model(config), []
        if looked_at:
            callbacks = [Uniformity(), GradientShares(2)]
            callbacks += (
                [NegativeSimilarity(2)] if isinstance(getattr(model, "pair_contrast", None), PairContrast) else []
            )
        torch.manual_seed(1)
        trainer = quiet_trainer(max_epochs=2, limit_train_batches=3, callbacks=callbacks)
        trainer.fit(model, datamodule=data_of(config, tmp_path))
        metrics = dict(trainer.callback_metrics)
        found.append((model.state_dict(), torch.random.get_rng_state(), metrics))
        if looked_at:
            assert "uniformity/items" in metrics and "uniformity/users" in metrics
            terms = [key for key in metrics if key.startswith("train/")]
            assert any(key.startswith("gradients/") for key in metrics) or len(terms) <= 2 or name == "xlstm_lsr"
    (before, state, values), (after, state_too, values_too) = found
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert torch.equal(state, state_too)
    assert all(torch.equal(values[key], values_too[key]) for key in values)


def test_similarities_of_negatives() -> None:
    """Against eq. (10) of FENRec, pair by pair."""
    torch.manual_seed(0)
    first, second = torch.randn(2, 7, 4, dtype=torch.float64)
    labels, ratio = torch.tensor([0, 1, 1, 2, 3, 4, 5]), 0.3
    both, owner = torch.cat([first, second]), torch.cat([labels, labels])
    plain, hard = [], []
    for anchor, label in zip(first, labels, strict=True):
        for other, theirs in zip(both, owner, strict=True):
            if theirs == label:
                continue
            plain.append(float(anchor @ other))
            mixture = ratio * anchor / anchor.norm() + (1 - ratio) * other / other.norm()
            hard.append(float(anchor @ (mixture / mixture.norm() * other.norm())))
    found = similarities(first, second, labels, ratio)
    for kind, values in (("batch", plain), ("hard", hard)):
        for share in QUANTILES:
            expected = sorted(values)[round(share / 100 * (len(values) - 1))]
            assert float(found[f"negatives/{kind}_q{share:02d}"]) == pytest.approx(expected, rel=1e-9)
    assert set(similarities(first, second, None, None)) == {f"negatives/batch_q{share:02d}" for share in QUANTILES}
    assert not similarities(first[:1], second[:1], None, None)


def test_hard_negatives_begin_after_the_warm_up_and_are_nearer(tmp_path: Path) -> None:
    model, data = made(tmp_path, "model=fenrec", "model.pair_contrast.warmup_epochs=1")
    seen: list[dict[str, Tensor]] = []

    class Logged(pl.Callback):
        def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
            seen.append({name: x for name, x in trainer.callback_metrics.items() if name.startswith("negatives/")})

    quiet_trainer(max_epochs=2, limit_val_batches=0, callbacks=[NegativeSimilarity(2), Logged()]).fit(
        model, datamodule=data
    )
    assert len(seen[0]) == len(QUANTILES) and len(seen[1]) == 2 * len(QUANTILES)
    assert all(
        seen[1][f"negatives/hard_q{share:02d}"] >= seen[1][f"negatives/batch_q{share:02d}"] for share in QUANTILES
    )
    assert not model.pair_contrast._forward_hooks


def test_uniformity() -> None:
    torch.manual_seed(0)
    x = torch.randn(9, 5, dtype=torch.float64)
    unit = x / x.norm(dim=1, keepdim=True)
    pairs = [torch.exp(-2 * (unit[i] - unit[j]).square().sum()) for i in range(9) for j in range(i)]
    assert float(uniformity(x)) == pytest.approx(float(torch.stack(pairs).mean().log()), rel=1e-9)
    assert float(uniformity(torch.ones(3, 2))) == 0 and bool(uniformity(torch.ones(1, 2)).isnan())


def test_vectors_are_those_that_score(tmp_path: Path) -> None:
    model, data = made(tmp_path, "model=sasrec")
    trainer = quiet_trainer(max_epochs=1, limit_train_batches=2, callbacks=[Uniformity()])
    trainer.fit(model, datamodule=data)
    windows = data.splits["val"]
    model.eval()
    with torch.no_grad():
        users = model.query(windows.batch(torch.arange(len(windows)), data.max_length).histories)
    expected = {"items": uniformity(model.backbone.item_matrix), "users": uniformity(users)}
    for name, value in expected.items():
        assert float(trainer.callback_metrics[f"uniformity/{name}"]) == pytest.approx(float(value), rel=1e-5)
    rows = evenly(3 * MOST + 1)
    assert len(rows) == MOST == len(rows.unique()) and rows[-1] < 3 * MOST + 1 and evenly(3).tolist() == [0, 1, 2]


class Gradients(pl.Callback):
    """Notes each parameter's gradient before the first step."""

    def __init__(self) -> None:
        self.found: dict[str, Tensor] = {}

    def on_before_optimizer_step(self, trainer: pl.Trainer, module: Any, optimizer: Any) -> None:
        for name, parameter in module.named_parameters():
            if parameter.grad is not None and name not in self.found:
                self.found[name] = parameter.grad.detach().clone()


def shares(gradients: dict[str, dict[str, Tensor]]) -> dict[str, float]:
    """Of the gradients of each term, by the names in the log."""
    norms: dict[str, dict[str, float]] = {"encoder": {}, "items": {}}
    for term, found in gradients.items():
        squares = dict.fromkeys(norms, 0.0)
        for name, gradient in found.items():
            if name.startswith("backbone."):
                squares["items" if "item_embedding" in name else "encoder"] += float(gradient.square().sum())
        for part, square in squares.items():
            norms[part][term] = square**0.5
    return {
        f"gradients/{part}/{term}": norm / sum(own.values())
        for part, own in norms.items()
        for term, norm in own.items()
    }


def test_shares_of_a_sum_of_terms(tmp_path: Path) -> None:
    """A term's gradient is that of a training whose other weights are 0."""

    def trained(weights: dict[str, float], *more: pl.Callback) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        model, data = made(tmp_path, "model=icsrec", *(f"model.{name}={value}" for name, value in weights.items()))
        noted = Gradients()
        torch.manual_seed(3)
        trainer = quiet_trainer(max_epochs=1, limit_train_batches=1, limit_val_batches=0, callbacks=[noted, *more])
        trainer.fit(model, datamodule=data)
        return noted.found, dict(trainer.callback_metrics)

    whole, logged = trained({"coarse_weight": 0.3, "fine_weight": 0.1}, GradientShares(1))
    alone = trained({"coarse_weight": 0, "fine_weight": 0})[0]
    terms = {"recommendation": alone}
    for term, other in (("coarse", "fine"), ("fine", "coarse")):
        with_it = trained({f"{term}_weight": {"coarse": 0.3, "fine": 0.1}[term], f"{other}_weight": 0})[0]
        terms[term] = {name: with_it[name] - alone[name] for name in whole}
    expected = shares(terms)
    assert {name: float(logged[name]) for name in expected} == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("adversarial", ["simultaneous", "alternating"])
def test_shares_of_players(adversarial: str) -> None:
    """Of EASNRec, whose turns step by themselves; the contrast's gradient is what its weight adds to all others."""
    still = partial(torch.optim.SGD, lr=0.0)

    def trained(contrast_weight: float, *more: pl.Callback) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        model = build(adversarial, memory=None, optimizer=still)
        model.lambda_3 = contrast_weight
        turns: list[dict[str, Tensor]] = []

        class Turns(pl.Callback):
            def on_before_optimizer_step(self, trainer: pl.Trainer, module: Any, optimizer: Any) -> None:
                own = {id(p) for group in optimizer.param_groups for p in group["params"]}
                turns.append(
                    {n: p.grad.clone() for n, p in module.named_parameters() if id(p) in own and p.grad is not None}
                )

        torch.manual_seed(3)
        trainer = quiet_trainer(max_epochs=1, limit_train_batches=1, callbacks=[Turns(), *more])
        trainer.fit(model, loader())
        last: dict[str, Tensor] = {}
        for turn in turns:
            last |= turn
        return last, dict(trainer.callback_metrics)

    model_gradients, logged = trained(0.3, GradientShares(1))
    without = trained(0.0)[0]
    terms = {"recommendation", "contrast", "generator", "discriminator", "similarity"}
    encoder = {name.rpartition("/")[2]: float(x) for name, x in logged.items() if name.startswith("gradients/encoder/")}
    assert set(encoder) == terms and sum(encoder.values()) == pytest.approx(1, rel=1e-5)
    assert encoder["generator"] == 0, "its trunk is not the encoder"
    assert float(logged["gradients/items/generator"]) > 0
    inner = [name for name in model_gradients if name.startswith("backbone.") and "item_embedding" not in name]
    contrast = sum(float((model_gradients[name] - without[name]).square().sum()) for name in inner) ** 0.5
    doubled = trained(0.6, GradientShares(1))[1]
    ratio = {
        name: float(doubled[f"gradients/encoder/{name}"]) / encoder[name] for name in ("contrast", "recommendation")
    }
    assert ratio["contrast"] / ratio["recommendation"] == pytest.approx(2, rel=1e-4)
    if adversarial == "alternating":  # the encoder's last turn is that of recommendation and contrast alone
        alone = sum(float(without[name].square().sum()) for name in inner) ** 0.5
        assert encoder["contrast"] / encoder["recommendation"] == pytest.approx(contrast / alone, rel=1e-3)


@pytest.mark.parametrize(
    ("model", "callback", "message"),
    [
        (
            "sasrec",
            NegativeSimilarity(),
            "callbacks=negatives looks at model.pair_contrast, which NextItem does not have",
        ),
        ("popularity", Uniformity(), "callbacks=uniformity: Popularity counts and has no weights"),
        ("popularity", GradientShares(), "callbacks=gradients: Popularity counts"),
    ],
)
def test_what_cannot_be_looked_into_is_refused(model: str, callback: pl.Callback, message: str, tmp_path: Path) -> None:
    config = composed(model, None).copy()
    with pytest.raises(ValueError, match=message):
        quiet_trainer(max_epochs=1, callbacks=[callback]).fit(build_model(config), datamodule=data_of(config, tmp_path))


def test_numbers_of_steps_compiled_steps_and_kernels_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in (NegativeSimilarity, GradientShares):
        with pytest.raises(ValueError, match=r"every_n_steps is 0; give 1 or more"):
            kind(0)
    model = build()
    on_gpu: Any = SimpleNamespace(compile=True, strategy=SimpleNamespace(root_device=torch.device("cuda")))
    with pytest.raises(ValueError, match=r"trainer\.compile=true hides"):
        GradientShares().on_fit_start(on_gpu, model)
    on_gpu.compile = False
    GradientShares().on_fit_start(on_gpu, model)
    monkeypatch.setattr(fused, "library", lambda: print)
    with pytest.raises(ValueError, match="uninstall liger-kernel for this run"):
        GradientShares().on_fit_start(on_gpu, model)
