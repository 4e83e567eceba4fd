"""Each part of EASNRec against its golden file: attention, memory, augmentation, losses."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from seqrec.functional.augment import choose
from seqrec.functional.augment_states import drop_out, hide, perturb
from seqrec.functional.generation import generate
from seqrec.functional.in_batch.info_nce import anchored_info_nce, anchored_info_nce_rows
from seqrec.functional.pooling import newest_mean
from seqrec.methods.easnrec.contrast import StateContrast
from seqrec.methods.easnrec.memory import ExternalMemory, first_reads, remember, written
from seqrec.methods.easnrec.memory_rules import gated_update, slot_mean, slot_sum, token_softmax
from seqrec.methods.easnrec.siamese import FullyConnected
from seqrec.methods.easnrec.uncertainty import UncertaintyAttention
from seqrec.nn.attention import biased_scores
from seqrec.nn.packing import Packing
from tests.parity.easnrec_golden import (
    PROJECTIONS,
    draws,
    feed,
    full_model,
    given_augmentation,
    no_encoder,
    packed_noise,
)
from tests.parity.golden import Golden


@pytest.fixture
def reference(golden: Callable[[str], Golden]) -> Golden:
    return golden("easnrec")


def test_uncertainty_attention(reference: Golden, to_right: Callable, to_left: Callable) -> None:
    left = reference["in/item_seq"]
    ids = to_right(left, left)
    packing = Packing(ids != 0)
    tokens = packing.pack(to_right(reference["in/uaa_x"], left))
    dim, heads = tokens.shape[1], reference["in/uaa_noise_q"].shape[1]
    noise = torch.stack([reference["in/uaa_noise_q"], reference["in/uaa_noise_k"]])
    for causal, name in ((True, "causal"), (False, "bi")):
        kernel = UncertaintyAttention(dim, heads, 0.0, causal, noise_std=0.01).double()
        for kind in ("weight", "bias"):
            parts = [reference[f"param/uaa.{part}.{kind}"] for part in PROJECTIONS]
            getattr(kernel.projection, kind).data = torch.cat(parts)
        feed(kernel, [packed_noise(noise, left, to_right, packing)], packing)
        context = packing.unpack(kernel(tokens, packing))
        reference.check(f"out/uaa_context_{name}", to_left(context, left), left != 0)
        context = packing.unpack(kernel.eval()(tokens, packing))
        reference.check(f"out/uaa_context_eval_{name}", to_left(context, left), left != 0)


def test_uncertainty_scores(reference: Golden) -> None:
    x, noise = reference["in/uaa_x"], [reference["in/uaa_noise_q"], reference["in/uaa_noise_k"]]
    kernel = UncertaintyAttention(x.shape[2], noise[0].shape[1], 0.0, True, noise_std=0.01).double()
    for kind in ("weight", "bias"):
        getattr(kernel.projection, kind).data = torch.cat(
            [reference[f"param/uaa.{part}.{kind}"] for part in PROJECTIONS]
        )
    query, key, _, penalty_query, penalty_key = kernel.split_heads(kernel.projection(x))
    for name, (q, k) in {
        "original": (query, key),
        "perturbed": (query + noise[0], key + noise[1]),
    }.items():
        penalty = biased_scores(x.new_zeros(1, 1, 1), penalty_query, penalty_key, -1.0)
        scores = biased_scores(penalty, q, k, 1.0)
        reference.check(f"out/uaa_scores_{name}", scores.view_as(reference[f"out/uaa_scores_{name}"]))


def memory(reference: Golden, slot_dim_differs: bool = True, **choices: Any) -> ExternalMemory:
    stored = reference["in/memory"]
    built = ExternalMemory(reference["in/emm_h"].shape[2], len(stored), 0.0, stored.shape[1], **choices).double()
    built.memory.copy_(stored)
    for name in ("w_w", "w_u", "w_r", "w_c"):
        getattr(built, name).data = reference[f"param/emm.{name}"]
    suffix = "_content" if choices.get("addressing") == "content" else ""
    built.addressing.w_a.data = reference[f"param/emm.w_a{suffix}"]
    fusion: Any = built.fusion
    for name, parameter in fusion.named_parameters():
        key = {"w_o.weight": "w_o"}.get(name, name)
        parameter.data = reference[f"param/emm.{key}"]
    return built


@pytest.mark.parametrize(("addressing", "suffix"), [("direct", ""), ("content", "_content")])
def test_memory_addressing(reference: Golden, addressing: str, suffix: str) -> None:
    built = memory(reference, addressing=addressing)
    weights = built.addressing(reference["in/emm_h"], built.memory)
    where = reference["in/item_seq"] != 0
    reference.check(f"out/read_weights{suffix}", weights, where)
    reference.check(f"out/read_vector{suffix}", weights @ built.memory, where)


@pytest.mark.parametrize("fusion", ["add_norm", "add", "concat", "gate"])
def test_memory_fusion(reference: Golden, fusion: str) -> None:
    built = memory(reference, fusion=fusion)
    where = reference["in/item_seq"] != 0
    reference.check(f"out/fuse_{fusion}", built(reference["in/emm_h"]), where)


@pytest.mark.parametrize(
    ("name", "rule"), [("slot_mean", slot_mean), ("sum", slot_sum), ("token_softmax", token_softmax)]
)
def test_memory_write(reference: Golden, name: str, rule: Callable) -> None:
    built = memory(reference, write_norm=name)
    where = reference["in/item_seq"] != 0
    tokens = reference["in/emm_h"][where]
    weights, value = rule(tokens, tokens @ built.w_w)
    scattered = tokens.new_zeros(*where.shape, weights.shape[1])
    scattered[where] = weights.detach()
    update = gated_update(built.memory, value, built.w_u, built.w_r, built.w_c)
    names = {"weights": scattered, "value": value, "gate_update": update.update, "gate_reset": update.reset}
    names |= {"candidate": update.candidate, "memory_new": update.memory}
    for part, actual in names.items():
        if f"out/write_{part}_{name}" in reference:
            reference.check(f"out/write_{part}_{name}", actual)

    built.train()
    with first_reads(built) as seen:
        built(tokens)
    remember(seen)
    built.settle()
    reference.check(f"out/write_memory_new_{name}", built.memory)


def test_delayed_write_has_gradient(reference: Golden) -> None:
    built = memory(reference).train()
    where = reference["in/item_seq"] != 0
    built.remember(reference["in/emm_h"][where])
    states = reference["in/emm_h_next"]
    with written(built):
        read = built.addressing(states, built.live) @ built.live
        reference.check("out/read_vector_next", read, where)
        (read * reference["in/emm_probe"]).sum().backward()
    for name in ("w_w", "w_u", "w_r", "w_c"):
        reference.check(f"grad/emm.{name}", getattr(built, name).grad)
    reference.check("grad/emm.w_a", built.get_parameter("addressing.w_a").grad)


def test_augmentation_and_contrast(reference: Golden, to_right: Callable, to_left: Callable) -> None:
    left, window = reference["in/item_seq"], int(reference["in/k"])
    states, keep, delta, hidden = draws(reference, left, to_right)
    choice = reference["in/aug_choice"]
    valid = to_right(left, left) != 0
    copies = drop_out(states, keep), perturb(states, delta), hide(states, hidden)
    augmented = choose(choice, *copies)
    for name, copy in zip(("dropout", "perturbation", "mask"), copies, strict=True):
        reference.check(f"out/aug_{name}", to_left(copy, left), left != 0)
    reference.check("out/aug_dynamic", to_left(augmented, left), left != 0)

    user, positive = newest_mean(states, valid, window), newest_mean(augmented, valid, window)
    reference.check("out/avgk", user)
    reference.check("out/avgk_augmented", positive)
    tau = reference.meta["hparams"]["tau"]
    rows = anchored_info_nce_rows(user, positive, user, tau)
    reference.check("out/con_per_user", rows)
    reference.check("out/loss_con_sum", rows.sum())
    reference.check("out/loss_con", anchored_info_nce(user, positive, user, tau))
    reference.check("out/loss_con_augmented_negatives", anchored_info_nce(user, positive, positive, tau))
    given = partial(given_augmentation, reference, to_right)
    unused: Any = no_encoder
    contrast = StateContrast(window, tau, given)(states, to_right(left, left), choice, unused)
    reference.check("out/loss_con", contrast.loss)


def test_siamese_network(reference: Golden) -> None:
    real, fake = reference["in/siamese_real"], reference["in/siamese_gen"]
    network = FullyConnected(real.shape[1]).double()
    network.load_state_dict(reference.group("param/siamese."))

    def pool(states: Tensor, valid: Tensor) -> Tensor:
        return newest_mean(states, valid, window=1)

    valid = torch.ones(len(real), 1, dtype=torch.bool)
    f_real, f_fake = (network(x[:, None], valid, pool) for x in (real, fake))
    reference.check("out/siamese_f_real", f_real)
    reference.check("out/siamese_f_gen", f_fake)
    similarity = F.cosine_similarity(f_real, f_fake)
    reference.check("out/sim", similarity)
    reference.check("out/loss_sim_gen", -similarity.mean())
    reference.check("out/loss_sim_disc", -(1 - similarity).mean())


def test_generator_loss_from_logits(reference: Golden) -> None:
    """The logits are the product of themselves and a table of unit vectors."""
    logits, mask = reference["in/gen_logits"][..., 1:-1], reference["in/gen_mask"]
    target = reference["in/item_seq"][mask] - 1
    units = torch.eye(logits.shape[-1], dtype=torch.float64)
    count = mask.sum(1, keepdim=True)
    users = (count > 0).sum()
    per_user = (1.0 / count.clamp(min=1)).double().expand(mask.shape)[mask]
    for name, weight in (
        ("user_mean", per_user / users),
        ("token_mean", torch.full_like(per_user, 1.0 / len(per_user))),
        ("literal", per_user),
    ):
        loss, choice, mean = generate(logits[mask], units, target, weight)
        reference.check(f"out/loss_mlm_{name}", loss)
    assert torch.equal(choice, logits[mask].argmax(1))
    torch.testing.assert_close(mean, logits[mask].softmax(1))
    weight_of_similarity = reference.meta["hparams"]["lambda_1_2_standalone"]
    loss, *_ = generate(logits[mask], units, target, per_user / users)
    reference.check("out/loss_gen", loss + weight_of_similarity * reference["out/loss_sim_gen"])


def test_detection_loss_from_logits(reference: Golden, to_right: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    left = reference["in/item_seq"]
    items, generated, logits = (
        to_right(reference[f"in/{name}"], left) for name in ("item_seq", "gen_seq", "disc_logit")
    )
    model = full_model(reference)
    monkeypatch.setattr(model, "verdict", lambda states, generated: logits)
    loss = model.detection_loss(logits, items, generated)
    reference.check("out/loss_rid", loss)
    judged = (items != 0).sum() - len(items)
    reference.check("out/loss_rid_sum", loss * judged)
    weight = reference.meta["hparams"]["lambda_1_2_standalone"]
    reference.check("out/loss_disc", loss + weight * reference["out/loss_sim_disc"])
