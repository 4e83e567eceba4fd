"""MVS against its release: both models, soft contexts before and after the adversarial step, all terms, gradients.

States of padding follow the reference's arithmetic, whose scores near -10000 float32 rounds to about 1e-3.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor

from seqrec.data.batch import Batch
from seqrec.functional.losses import cross_entropy
from seqrec.methods.mvs import MVS
from seqrec.methods.mvs.smoothness import mean_symmetric_kl
from tests.factories import make_batch, record_terms
from tests.parity import official
from tests.parity.golden import Golden

PADDING = 100.0  # how much coarser states of padding are in the reference


def build(golden: Golden) -> MVS:
    config = golden.meta["config"]
    model, complementary = (
        official.build(golden, config["heads"], f"{name}/", True, "from_newest") for name in ("model", "complementary")
    )
    adam = partial(torch.optim.Adam, lr=1e-3)
    weights = (config["loss_1"], config["loss_2"], config["loss_3"])
    return MVS(model, adam, complementary, *weights, config["variance"], config["adv_step"]).double().train()


@pytest.fixture
def batch_of(to_right: Callable[[Tensor, Tensor], Tensor]) -> Callable:
    def make(golden: Golden) -> Batch:
        left = golden["in/input_ids"]
        items, following = to_right(left, left), to_right(golden["in/target_pos"], left)
        return make_batch(items, golden["in/target_pos"][:, -1], following)

    return make


def draws(golden: Golden, name: str) -> Tensor:
    """Noise ``(N, V)`` of the soft positions, which the reference draws one column earlier."""
    items = golden["in/input_ids"]
    noise = golden[f"in/{name}"].view(*items.shape, -1)
    return noise[:, :-1][items[:, 1:] != 0].clone()


def test_states_and_scores(golden: Callable[[str], Golden], batch_of: Callable) -> None:
    reference = golden("mvs")
    model, batch = build(reference), batch_of(reference)
    left = reference["in/input_ids"]
    valid, real = batch.items != 0, left != 0
    for name, states in {
        "hidden": model.backbone(batch.items),
        "hidden_complementary": model.complement(batch.items).states,
    }.items():
        reference.close(name, states[valid], reference[f"out/{name}"][real])
    user = model.query(batch.histories)
    reference.check("out/user", user)
    reference.check("out/scores", user @ model.backbone.item_embedding.weight.T)
    states = model.complementary(batch.items)
    learnt = batch.next_items != 0
    own, target = model.complementary.item_embedding.weight, batch.next_items[learnt]
    reference.check("out/loss_base_complementary", cross_entropy(states[learnt], own, target))


def test_views(golden: Callable[[str], Golden], batch_of: Callable) -> None:
    reference = golden("mvs")
    model, batch = build(reference), batch_of(reference)
    complement = model.complement(batch.items)
    learnt = batch.next_items != 0
    clean = model.backbone(batch.items)[learnt].detach()
    first, second = (draws(reference, name) for name in ("noise1", "noise2"))
    plain = complement.expected + model.noise_scale * first
    views = model.soft_embeddings(batch, complement, clean, first, second)
    soft = torch.nn.functional.pad(reference["in/input_ids"][:, 1:] != 0, (1, 0))
    found = {"plain_noise1": plain @ model.backbone.item_embedding.weight, "view1": views[0], "view2": views[1]}
    after_item = (torch.nn.functional.pad(reference["in/input_ids"][:, :-1], (1, 0)) != 0)[soft]
    assert after_item.any()
    assert not after_item.all()
    for name, embeddings in found.items():
        expected = reference[f"out/embedding_{name}"][soft]
        reference.close(f"{name} after items", embeddings[after_item], expected[after_item])
        reference.close(f"{name} after padding", embeddings[~after_item], expected[~after_item], PADDING)
    real = reference["in/input_ids"] != 0
    for name, states in zip(("view1", "view2"), model.view_states(batch.items, complement.soft, *views), strict=True):
        reference.close(name, states[batch.items != 0], reference[f"out/hidden_{name}"][real])


def test_losses_and_gradients(
    golden: Callable[[str], Golden], batch_of: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference = golden("mvs")
    model, batch = build(reference), batch_of(reference)
    logged: dict[str, Tensor] = {}
    record_terms(model, logged.update)
    noises = iter([draws(reference, "noise1"), draws(reference, "noise2")])
    monkeypatch.setattr(torch, "randn_like", lambda like: next(noises))
    total = model.training_step(batch, 0)
    theirs = {"ce": "ce", "label": "label", "ce_first": "ce_view1", "ce_second": "ce_view2"}
    theirs |= {"kl_first": "kl_view1", "kl_second": "kl_view2", "kl_cross": "kl_cross", "loss": "total"}
    for ours, name in theirs.items():
        reference.check(f"out/loss_{name}", logged[f"train/{ours}"])
    total.backward()
    parameters = dict(model.backbone.named_parameters())
    compared = 0
    for ours, names in official.mapping(reference, "model/"):
        for name, gradient in zip(names, parameters[ours].grad.chunk(len(names)), strict=True):
            if f"grad/model/{name}" in reference:
                reference.check(f"grad/model/{name}", gradient)
                compared += 1
    assert compared == len(reference.group("grad/")) > 0
    assert not [name for name, weight in model.complementary.named_parameters() if weight.grad is not None]


def test_label_smoothness_of_the_paper(golden: Callable[[str], Golden], batch_of: Callable) -> None:
    """The paper scores each model's states by its own table: side by side, they are one table of twice the width."""
    reference = golden("mvs")
    model, batch = build(reference), batch_of(reference)
    learnt = batch.next_items != 0
    states, others = model.backbone(batch.items)[learnt], model.complementary(batch.items)[learnt]
    tables = [part.item_embedding.weight for part in (model.backbone, model.complementary)]
    nothing = torch.zeros_like(states)
    value = mean_symmetric_kl(torch.cat([states, nothing], 1), torch.cat([nothing, others], 1), torch.cat(tables, 1))
    reference.check("out/loss_label_paper", value)
