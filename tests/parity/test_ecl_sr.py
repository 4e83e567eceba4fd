"""ECL-SR against its official implementation: states, generated items, scores, every loss, gradients.

The reference's other conditions of the discriminator (``add``, ``cat``, ``atten``), its bidirectional form and the
targets ``inter`` and ``interk`` of its contrast are options that no published script uses; they are
not implemented. Position L of its position table belongs to ``atten``.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from seqrec.backbones.transformer import Transformer
from seqrec.data.batch import Batch
from seqrec.functional.cloze import newest, sampled
from seqrec.methods.ecl_sr import ECLSR
from seqrec.nn.attention import DotProductAttention
from seqrec.nn.trunk import TransformerTrunk
from tests.factories import record_terms
from tests.parity.golden import Golden
from tests.parity.recbole import LAYER


def trunk_state(old: dict[str, Tensor], length: int) -> dict[str, Tensor]:
    """Parameters of a trunk in our names."""
    new = {"position.weight": old["position_embedding.weight"][:length]}
    for kind in ("weight", "bias"):
        new[f"norm.{kind}"] = old[f"LayerNorm.{kind}"]
        for i in range(sum(name.endswith("attention.query.bias") for name in old)):
            theirs = f"trm_encoder.layer.{i}"
            new |= {f"layers.{i}.{ours}.{kind}": old[f"{theirs}.{name}.{kind}"] for ours, name in LAYER.items()}
            parts = [old[f"{theirs}.multi_head_attention.{part}.{kind}"] for part in ("query", "key", "value")]
            new[f"layers.{i}.attention.projection.{kind}"] = torch.cat(parts)
    return new


PADDING = 30.0  # how much coarser states of padding are in the reference


@pytest.fixture
def reference(golden: Callable[[str], Golden]) -> Golden:
    return golden("ecl_sr")


def build(reference: Golden) -> ECLSR:
    sizes = reference.meta["hparams"]
    assert sizes["w_rec"] == 1, "the method has no such weight"
    length, rest = sizes["L"], (sizes["n_layers"], sizes["n_heads"], sizes["inner"], 0.0, 0.0, DotProductAttention)
    model = ECLSR(
        Transformer(sizes["num_items"], length, sizes["d"], *rest, positions="from_newest"),
        torch.optim.Adam,
        TransformerTrunk(sizes["d"], length, *rest, causal=False, positions="from_newest"),
        sampled,
        "simultaneous",
        padding_learns=True,
        mask_ratio=sizes["mask_ratio"],
        window=sizes["k"],
        temperature=sizes["temperature"],
        contrast_weight=sizes["w_con"],
        generator_weight=sizes["w_gen"],
        discriminator_weight=sizes["w_disc"],
    ).double()
    for trunk, group in ((model.encoder, "encoder"), (model.generator, "generator")):
        trunk.load_state_dict(trunk_state(reference.group(f"param/{group}."), length))
    model.backbone.item_embedding.weight.data = reference["param/item_embedding.weight"]
    model.head.weight.data = reference["param/discriminator_linear.weight"]
    return model.train()


def drawn(reference: Golden) -> tuple[Tensor, Tensor]:
    """The windows' hidden positions ``(B, W)``, and those that the released code's truncated list names."""
    hidden = reference["in/masked_item_seq"] == reference.meta["hparams"]["num_items"] + 1
    named = (reference["in/mlm_label"] != 0).long()
    return hidden, torch.zeros_like(hidden, dtype=torch.long).scatter_add(1, reference["in/mlm_index"], named) > 0


@pytest.fixture
def step(reference: Golden, to_right: Callable, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """One step on the golden masks; the weights stay."""
    left, target = reference["in/item_seq"], reference["in/target"]
    model, items = build(reference), to_right(left, left)
    next_items = (items != 0) * torch.ones_like(items)
    masks = tuple(to_right(positions, left) for positions in drawn(reference))
    monkeypatch.setattr(model, "masked_positions", lambda *_: masks)
    resting = SimpleNamespace(step=lambda: None, zero_grad=lambda: None)
    monkeypatch.setattr(model, "optimizers", lambda: [resting] * len(model.players()))
    monkeypatch.setattr(model, "manual_backward", lambda loss: loss.backward())
    seen: dict[str, Tensor] = {}
    record_terms(model, seen.update)
    for name in ("inputs", "generate", "verdict"):
        watched = getattr(model, name)
        monkeypatch.setattr(model, name, lambda *a, f=watched, n=name: seen.setdefault(n, f(*a)))
    model.training_step(Batch(target, target, items, target, next_items), 0)
    return SimpleNamespace(model=model, seen=seen, left=left)


def test_states_and_scores(reference: Golden, step: SimpleNamespace, to_right: Callable) -> None:
    model, left, table = step.model, step.left, step.model.backbone.item_embedding
    hidden, masked = model.layout.encode(model.encoder, table(left), left != 0), reference["in/masked_item_seq"]
    reference.check("out/encoder_hidden", hidden, left != 0)
    reference.close("padding too", hidden, reference["out/encoder_hidden"], PADDING)
    reference.check("out/generator_hidden", model.layout.encode(model.generator, table(masked), masked != 0), left != 0)
    user = model.backbone.newest(to_right(left, left))
    reference.check("out/user_vector", user)
    reference.check("out/scores", user @ table.weight[:-1].T)


def test_masks_and_generated_items(reference: Golden, step: SimpleNamespace) -> None:
    task, made, left = step.seen["inputs"], step.seen["generate"], step.left
    hidden, named = drawn(reference)
    assert torch.equal(task.hidden, hidden) and torch.equal(task.filled, named)
    most = step.model.layout.most_filled(left, step.model.mask_ratio)
    assert most == reference["in/mlm_index"].shape[1]
    assert torch.equal(named.sum(1), hidden.sum(1).clamp(max=most)) and not (named & ~hidden).any()
    if reference.meta["hparams"]["mask_strategy"] == "prob":  # its list runs from old to new
        assert torch.equal(named, newest(hidden, most))
    reference.check("out/generated_seq", made.items)
    assert torch.equal((made.items == left) & (left != 0), reference["out/label_original"].bool())
    assert torch.equal((made.items != left) & (left != 0), reference["out/label_replaced"].bool())


def test_discriminator(reference: Golden, step: SimpleNamespace) -> None:
    model, made, left = step.model, step.seen["generate"].items, step.left
    table = model.backbone.item_embedding
    states = model.layout.encode(model.encoder, table(left), left != 0)
    visible = ((made != 0).cumsum(1) > 0) & (left != 0)
    judged = model.layout.encode(model.encoder, table(made) + states, made != 0)
    reference.check("out/disc_hidden_addall_causal", judged, visible)
    reference.close("padding too", judged, reference["out/disc_hidden_addall_causal"], PADDING)
    reference.check("out/replace_prob", step.seen["verdict"].sigmoid(), visible)


def test_losses(reference: Golden, step: SimpleNamespace) -> None:
    model, logged, task = step.model, step.seen, step.seen["inputs"]
    for name, ours in {
        "rec": "recommendation",
        "con": "contrast",
        "disc": "discriminator",
        "gen": "generator",
        "total": "loss",
    }.items():
        reference.check(f"out/loss_{name}", logged[f"train/{ours}"])
    newest = torch.zeros_like(task.supervised)
    newest[:, -1] = True
    states = model.states_twice(task)[0]
    reference.check("out/loss_rec_last", model.recommendation_loss(states, task._replace(supervised=newest)))
    first, second = reference["in/con_view0"], reference["in/con_view1"]
    reference.check("out/con_avgk", model.contrast_loss(first, second, task.items))
    model.window = first.shape[1]
    reference.check("out/con_avg", model.contrast_loss(first, second, task.items))


def test_gradients(reference: Golden, step: SimpleNamespace) -> None:
    model, ours = step.model, {}
    for trunk, group in ((model.encoder, "encoder"), (model.generator, "generator")):
        position = trunk.position.weight.grad
        ours[f"{group}.position_embedding.weight"] = torch.cat([position, torch.zeros_like(position[:1])])
        for i, layer in enumerate(trunk.layers):
            parts = layer.attention.projection.weight.grad.chunk(3)
            for part, gradient in zip(("query", "key", "value"), parts, strict=True):
                ours[f"{group}.trm_encoder.layer.{i}.multi_head_attention.{part}.weight"] = gradient
            for name, theirs in LAYER.items():
                ours[f"{group}.trm_encoder.layer.{i}.{theirs}.weight"] = layer.get_parameter(f"{name}.weight").grad
    ours["discriminator_linear.weight"] = model.head.weight.grad
    ours["item_embedding.weight"] = model.backbone.item_embedding.weight.grad
    compared = reference.group("grad/")
    assert compared
    for name in compared:
        # Whether look-ups of padding give gradient to its row is not the model's affair.
        where = torch.arange(len(ours[name])) > 0 if name == "item_embedding.weight" else None
        reference.check(f"grad/{name}", ours[name], where)
