"""EASNRec against its golden file, a plain transcription of equations (2)-(28)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqrec.backbones.transformer import Transformer
from seqrec.data.batch import Batch
from seqrec.functional.augment import choose
from seqrec.functional.augment_states import drop_out, hide, perturb
from seqrec.functional.contrast import contrast_states, info_nce, info_nce_rows
from seqrec.functional.generation import generate
from seqrec.functional.pooling import newest, newest_mean
from seqrec.methods.easnrec import EASNRec
from seqrec.nn.memory import ExternalMemory, gated_update, slot_mean, slot_sum, token_softmax
from seqrec.nn.packing import Packing
from seqrec.nn.siamese import FullyConnected
from seqrec.nn.trunk import TransformerTrunk
from seqrec.nn.uncertainty import UncertaintyAttention

LAYER = {
    "output": "dense",
    "attention_norm": "attn_norm",
    "ffn_in": "ffn1",
    "ffn_out": "ffn2",
    "ffn_norm": "ffn_norm",
}
PROJECTIONS = ("query", "key", "value", "query_p", "key_p")
MEMORY = {
    "addressing.w_a": "w_a",
    "w_w": "w_w",
    "w_u": "w_u",
    "w_r": "w_r",
    "w_c": "w_c",
    "fusion.norm.weight": "norm.weight",
    "fusion.norm.bias": "norm.bias",
}


@pytest.fixture
def reference(golden: Callable):
    return golden("easnrec")


def test_uncertainty_attention(reference, to_right: Callable, to_left: Callable) -> None:
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
        feed(kernel, [packed_noise(noise, left, to_right, packing)])
        context = packing.unpack(kernel(tokens, packing))
        reference.check(f"out/uaa_context_{name}", to_left(context, left), left != 0)
        context = packing.unpack(kernel.eval()(tokens, packing))
        reference.check(f"out/uaa_context_eval_{name}", to_left(context, left), left != 0)


def packed_noise(noise: Tensor, left: Tensor, to_right: Callable, packing: Packing) -> Tensor:
    """``(2, B, H, L, D / H)`` for left-padded queries and keys -> ``(N, 2 * D)``."""
    return packing.pack(to_right(noise.permute(1, 3, 0, 2, 4).flatten(2), left))


def feed(kernel: UncertaintyAttention, noise: list[Tensor]) -> None:
    """The kernel's next noises."""
    queue = iter(noise)
    kernel.noise = lambda like: next(queue)  # type: ignore[method-assign]


def memory(reference, slot_dim_differs: bool = True, **choices: str) -> ExternalMemory:
    stored = reference["in/memory"]
    built = ExternalMemory(
        reference["in/emm_h"].shape[2], len(stored), 0.0, stored.shape[1], **choices
    ).double()
    built.memory.copy_(stored)
    for name in ("w_w", "w_u", "w_r", "w_c"):
        getattr(built, name).data = reference[f"param/emm.{name}"]
    suffix = "_content" if choices.get("addressing") == "content" else ""
    built.addressing.w_a.data = reference[f"param/emm.w_a{suffix}"]
    for name, parameter in built.fusion.named_parameters():
        key = {"w_o.weight": "w_o"}.get(name, name)
        parameter.data = reference[f"param/emm.{key}"]
    return built


@pytest.mark.parametrize(("addressing", "suffix"), [("direct", ""), ("content", "_content")])
def test_memory_addressing(reference, addressing: str, suffix: str) -> None:
    built = memory(reference, addressing=addressing)
    weights = built.addressing(reference["in/emm_h"], built.memory)
    where = reference["in/item_seq"] != 0
    reference.check(f"out/read_weights{suffix}", weights, where)
    reference.check(f"out/read_vector{suffix}", weights @ built.memory, where)


@pytest.mark.parametrize("fusion", ["add_norm", "add", "concat", "gate"])
def test_memory_fusion(reference, fusion: str) -> None:
    built = memory(reference, fusion=fusion)
    where = reference["in/item_seq"] != 0
    reference.check(f"out/fuse_{fusion}", built(reference["in/emm_h"]), where)


@pytest.mark.parametrize(
    ("name", "rule"), [("slot_mean", slot_mean), ("sum", slot_sum), ("token_softmax", token_softmax)]
)
def test_memory_write(reference, name: str, rule: Callable) -> None:
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
    built.open(write=True)
    built(tokens)
    built.close()
    built.eval()
    reference.check(f"out/write_memory_new_{name}", built.memory)


def test_delayed_write_has_gradient(reference) -> None:
    built = memory(reference).train()
    where = reference["in/item_seq"] != 0
    built.open(write=True)
    built(reference["in/emm_h"][where])
    built.close()
    built.open(write=True)
    states = reference["in/emm_h_next"]
    read = built.addressing(states, built.live) @ built.live
    reference.check("out/read_vector_next", read, where)
    (read * reference["in/emm_probe"]).sum().backward()
    for name in ("w_w", "w_u", "w_r", "w_c"):
        reference.check(f"grad/emm.{name}", getattr(built, name).grad)
    reference.check("grad/emm.w_a", built.addressing.w_a.grad)


def test_augmentation_and_contrast(reference, to_right: Callable, to_left: Callable) -> None:
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
    rows = info_nce_rows(user, positive, user, tau)
    reference.check("out/con_per_user", rows)
    reference.check("out/loss_con_sum", rows.sum())
    reference.check("out/loss_con", info_nce(user, positive, user, tau))
    reference.check("out/loss_con_augmented_negatives", info_nce(user, positive, positive, tau))
    given = partial(given_augmentation, reference, to_right)
    contrast = contrast_states(states, to_right(left, left), choice, no_encoder, window, tau, given)
    reference.check("out/loss_con", contrast)


def draws(reference, left: Tensor, to_right: Callable) -> list[Tensor]:
    names = ("in/hidden", "in/aug_dropout_keep", "in/aug_delta", "in/aug_mask_positions")
    return [to_right(reference[name], left) for name in names]


def given_augmentation(reference, to_right: Callable, taken: Tensor, valid: Tensor, keys: Tensor) -> Tensor:
    """The dynamic augmentation of the newest states, with the golden file's draws."""
    _, keep, delta, hidden = draws(reference, reference["in/item_seq"], to_right)
    window = taken.shape[1]
    keep, delta = (newest(x, valid, window)[0] for x in (keep, delta))
    hidden = newest(hidden[..., None], valid, window)[0][..., 0]
    return choose(
        reference["in/aug_choice"], drop_out(taken, keep), perturb(taken, delta), hide(taken, hidden)
    )


def no_encoder(items: Tensor) -> Tensor:
    raise AssertionError("a contrast of states encodes nothing")


def test_siamese_network(reference) -> None:
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


def test_generator_loss_from_logits(reference) -> None:
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


def test_detection_loss_from_logits(reference, to_right: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
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


def trunk_state(reference, player: str) -> dict[str, Tensor]:
    """Parameters of a trunk in our names."""
    old = reference.group(f"param/full.{player}.")
    state = {"position.weight": old["position.weight"]}
    state |= {f"norm.{kind}": old[f"norm.{kind}"] for kind in ("weight", "bias")}
    for i in range(reference.meta["hparams"]["n_layers"]):
        for kind in ("weight", "bias"):
            for ours, theirs in LAYER.items():
                state[f"layers.{i}.{ours}.{kind}"] = old[f"layers.{i}.{theirs}.{kind}"]
            parts = [old[f"layers.{i}.{part}.{kind}"] for part in PROJECTIONS]
            state[f"layers.{i}.attention.projection.{kind}"] = torch.cat(parts)
    state |= {f"memory.{ours}": old[f"memory.{theirs}"] for ours, theirs in MEMORY.items()}
    return state | {"memory.memory": reference[f"in/full_memory_{player}"]}


def full_model(reference, contrast: Callable | None = None) -> EASNRec:
    sizes = reference.meta["hparams"]
    memory = partial(ExternalMemory, num_slots=sizes["slots"], dropout=0.0, slot_dim=sizes["dm_full"])
    attention = partial(UncertaintyAttention, noise_std=0.01)
    shape = (
        sizes["d"],
        sizes["L"],
        sizes["n_layers"],
        sizes["n_heads"],
        sizes["ffn_inner"],
        0.0,
        0.0,
        attention,
    )
    dim, length, *rest = shape
    backbone = Transformer(
        sizes["num_items"], length, dim, *rest, causal=True, positions="from_newest", memory=memory
    )
    generator = TransformerTrunk(*shape, causal=False, positions="from_newest", memory=memory)
    model = EASNRec(
        backbone,
        torch.optim.Adam,
        generator,
        contrast or no_encoder,
        FullyConnected(dim),
        "simultaneous",
        mask_ratio=sizes["mask_ratio"],
        window=sizes["k"],
        generator_similarity_weight=sizes["lambda_1"],
        discriminator_similarity_weight=sizes["lambda_2"],
        contrast_weight=sizes["lambda_3"],
        generator_weight=sizes["lambda_4"],
        discriminator_weight=sizes["lambda_5"],
    ).double()
    model.backbone.trunk.load_state_dict(trunk_state(reference, "encoder"))
    model.generator.load_state_dict(trunk_state(reference, "generator"))
    model.backbone.item_embedding.weight.data = reference["param/full.item_embedding.weight"]
    model.head.load_state_dict(reference.group("param/full.disc_head."))
    model.siamese.load_state_dict(reference.group("param/full.siamese."))
    return model


def full_batch(reference, to_right: Callable) -> Batch:
    left, target = reference["in/item_seq"], reference["in/target"]
    items = to_right(left, left)
    newest_column = (items != 0).sum(1) - 1
    next_items = items.roll(-1, 1)
    next_items[torch.arange(len(items)), newest_column] = target
    return Batch(target, target, items, target, next_items * (items != 0))


def test_full_evaluation(reference, to_right: Callable) -> None:
    model, batch = full_model(reference).eval(), full_batch(reference, to_right)
    with torch.no_grad():
        user = model.represent(batch)
        reference.check("out/full_user_vector", user)
        reference.check("out/full_scores", user @ model.backbone.item_embedding.weight[:-1].T)


@pytest.fixture
def step(reference, to_right: Callable, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """One simultaneous training step on the golden noise, masks and draws; the weights stay."""
    sizes, left = reference.meta["hparams"], reference["in/item_seq"]
    given = partial(given_augmentation, reference, to_right)
    contrast = partial(contrast_states, window=sizes["k"], temperature=sizes["tau"], augment=given)
    model, batch = full_model(reference, contrast).train(), full_batch(reference, to_right)
    packing = Packing(batch.items != 0)
    for trunk, passes in (
        (model.backbone.trunk, ("encoder", "discriminator", "siamese")),
        (model.generator, ("generator",)),
    ):
        for i, layer in enumerate(trunk.layers):
            noises = [reference[f"in/full_noise_{name}"][i] for name in passes]
            feed(layer.attention, [packed_noise(noise, left, to_right, packing) for noise in noises])
    resting = SimpleNamespace(step=lambda: None, zero_grad=lambda: None)
    monkeypatch.setattr(model, "optimizers", lambda: [resting] * len(model.players()))
    monkeypatch.setattr(model, "manual_backward", lambda loss: loss.backward())
    seen: dict[str, list[Tensor]] = {}

    def watch(name: str, function: Callable) -> Callable:
        def called(*arguments):
            result = function(*arguments)
            seen.setdefault(name, []).append(result)
            return result

        return called

    for name in ("generate", "verdict", "similarity"):
        monkeypatch.setattr(model, name, watch(name, getattr(model, name)))
    for name, module in (
        ("trm", model.backbone.trunk.layers[-1]),
        ("encoder", model.backbone.trunk),
        ("generator", model.generator),
    ):
        module.register_forward_hook(
            lambda module, inputs, output, name=name: seen.setdefault(name, []).append(output)
        )
    terms = model.simultaneous_step(batch, to_right(reference["in/gen_mask"], left))
    return SimpleNamespace(model=model, batch=batch, packing=packing, terms=terms, seen=seen)


def test_full_states_and_outputs(reference, step: SimpleNamespace, to_left: Callable) -> None:
    left, seen = reference["in/item_seq"], step.seen
    where = left != 0
    reference.check("out/full_encoder_trm", to_left(step.packing.unpack(seen["trm"][0]), left), where)
    reference.check("out/full_encoder_hidden", to_left(seen["encoder"][0], left), where)
    reference.check("out/full_generator_hidden", to_left(seen["generator"][0], left), where)
    reference.check("out/full_generated_seq", to_left(seen["generate"][0].items, left))
    reference.check("out/full_disc_logit", to_left(seen["verdict"][0], left), where)
    reference.check("out/full_sim", seen["similarity"][0])


def test_full_losses(reference, step: SimpleNamespace) -> None:
    for theirs, ours in {
        "rec": "recommendation",
        "con": "contrast",
        "gen": "generator",
        "disc": "discriminator",
        "total": "loss",
    }.items():
        reference.check(f"out/full_loss_{theirs}", step.terms[ours])


def test_full_memories_after_the_write(reference, step: SimpleNamespace) -> None:
    step.model.eval()
    reference.check("out/full_memory_new_encoder", step.model.backbone.trunk.memory.memory)
    reference.check("out/full_memory_new_generator", step.model.generator.memory.memory)


def test_full_gradients(reference, step: SimpleNamespace) -> None:
    model = step.model
    compared = reference.group("grad/full.")
    assert compared
    for name in compared:
        if name.startswith(("encoder.", "generator.")):
            player, inner = name.split(".", 1)
            trunk = model.backbone.trunk if player == "encoder" else model.generator
            gradient = trunk_gradient(trunk, inner)
        elif name.startswith("item_embedding."):
            gradient = model.backbone.item_embedding.weight.grad
        else:
            gradient = model.get_parameter(name.replace("disc_head.", "head.")).grad
        reference.check(f"grad/full.{name}", gradient)


def trunk_gradient(trunk: nn.Module, name: str) -> Tensor:
    """The gradient of a parameter that the golden file calls ``name``."""
    if name.startswith("layers."):
        _, i, part, kind = name.split(".")
        if part in PROJECTIONS:
            stacked = trunk.get_parameter(f"layers.{i}.attention.projection.{kind}").grad
            return stacked.chunk(len(PROJECTIONS))[PROJECTIONS.index(part)]
        ours = {theirs: mine for mine, theirs in LAYER.items()}[part]
        return trunk.get_parameter(f"layers.{i}.{ours}.{kind}").grad
    if name.startswith("memory."):
        ours = {theirs: mine for mine, theirs in MEMORY.items()}[name.removeprefix("memory.")]
        return trunk.get_parameter(f"memory.{ours}").grad
    return trunk.get_parameter(name).grad
