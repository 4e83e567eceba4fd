"""ELECRec against its official implementation: states, distribution of draws, labels, every loss, gradients.

``loss_disc_mask_only`` and ``loss_disc_sum`` are options that no published script uses; they are not implemented.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from seqrec.backbones.transformer import Transformer
from seqrec.data.batch import Batch
from seqrec.functional.generation import draw
from seqrec.functional.left_padding import left_padded
from seqrec.methods.elecrec import ELECRec
from seqrec.nn.attention import DotProductAttention
from seqrec.nn.trunk import TransformerTrunk
from tests.factories import record_terms
from tests.parity.golden import Golden

LAYER = {
    "output": "attention.dense",
    "attention_norm": "attention.LayerNorm",
    "ffn_in": "intermediate.dense_1",
    "ffn_out": "intermediate.dense_2",
    "ffn_norm": "intermediate.LayerNorm",
}

PADDING = 30.0  # how much coarser states of padding are in the reference


@pytest.fixture
def reference(golden: Callable[[str], Golden]) -> Golden:
    return golden("elecrec")


def trunk_state(reference: Golden, network: str) -> dict[str, Tensor]:
    """Parameters of a trunk in our names; the positions are stored with the generator."""
    old = reference.group(f"param/{network}.")
    new = {"position.weight": reference["param/generator.position_embeddings.weight"]}
    for kind in ("weight", "bias"):
        new[f"norm.{kind}"] = old[f"LayerNorm.{kind}"]
        for i in range(sum(name.endswith("attention.query.bias") for name in old)):
            theirs = f"item_encoder.layer.{i}"
            new |= {f"layers.{i}.{ours}.{kind}": old[f"{theirs}.{name}.{kind}"] for ours, name in LAYER.items()}
            parts = [old[f"{theirs}.attention.{part}.{kind}"] for part in ("query", "key", "value")]
            new[f"layers.{i}.attention.projection.{kind}"] = torch.cat(parts)
    return new


def build(reference: Golden) -> ELECRec:
    sizes = reference.meta["hparams"]
    length, rest = sizes["L"], (sizes["n_layers"], sizes["n_heads"], sizes["inner"], 0.0, 0.0, DotProductAttention)
    model = ELECRec(
        Transformer(sizes["num_items"], length, sizes["d"], *rest, positions="from_newest"),
        torch.optim.Adam,
        TransformerTrunk(sizes["d"], length, *rest, causal=True, positions="from_newest"),
        "simultaneous",
        sizes["sharing"],
        padding_learns=True,
        shared_lr_multiplier=2.0,
        sample_ratio=sizes["sample_ratio"],
        power=sizes["prob_power"],
        generator_weight=sizes["w_gen"],
        discriminator_weight=sizes["w_disc"],
    ).double()
    model.generator.load_state_dict(trunk_state(reference, "generator"))
    model.discriminator.load_state_dict(trunk_state(reference, "discriminator"))
    model.head.load_state_dict(reference.group("param/discriminator.dis_projection."))
    model.backbone.item_embedding.weight.data = reference["param/generator.item_embeddings.weight"]
    return model.train()


@pytest.fixture
def step(reference: Golden, to_right: Callable, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """One step on the golden draws; the weights stay."""
    left = reference["in/item_seq"]
    model, items, target = build(reference), to_right(left, left), reference["in/target_seq"][:, -1]
    given = reference["in/replace_mask"] != 0
    laid_out = model.inputs(Batch(target, target, items, target, items))._replace(drawn=given)
    monkeypatch.setattr(model, "inputs", lambda batch: laid_out)
    monkeypatch.setattr("seqrec.methods.elecrec.draw", lambda *_: reference["in/sampled_raw"][given] - 1)
    resting = SimpleNamespace(step=lambda: None, zero_grad=lambda: None)
    monkeypatch.setattr(model, "optimizers", lambda: [resting] * len(model.players()))
    monkeypatch.setattr(model, "manual_backward", lambda loss: loss.backward())
    seen: dict[str, Tensor] = {}
    record_terms(model, seen.update)
    for name in ("generator_states", "generate"):
        watched = getattr(model, name)
        monkeypatch.setattr(model, name, lambda *a, f=watched, n=name: seen.setdefault(n, f(*a)))
    model.training_step(Batch(target, target, items, target, items), 0)
    return SimpleNamespace(model=model, seen=seen, task=laid_out, left=left, right=items)


def test_windows_and_discriminator_input(reference: Golden, step: SimpleNamespace) -> None:
    assert torch.equal(step.task.items, step.left)
    assert torch.equal(left_padded(step.right, step.right != 0, step.left.shape[1]), step.left)
    assert torch.equal(step.task.next_items, reference["in/target_seq"])
    made, known = step.seen["generate"], step.task.next_items
    reference.check("out/disc_input", made)
    reference.check("out/label_positive", (made == known).double())
    reference.check("out/label_negative", (made != known).double())


def test_states_and_scores(reference: Golden, step: SimpleNamespace) -> None:
    model, left, table = step.model, step.left, step.model.backbone.item_embedding
    states = step.seen["generator_states"]
    reference.check("out/generator_hidden", states, left != 0)
    reference.close("padding too", states, reference["out/generator_hidden"], PADDING)
    made = step.seen["generate"]
    judged = model.layout.encode(model.discriminator, table(made), made != 0)
    reference.check("out/disc_hidden", judged, (made != 0).cumsum(1) > 0)
    reference.check("out/disc_hidden_eval", model.layout.encode(model.discriminator, table(left), left != 0), left != 0)
    user = model.backbone.newest(step.right)
    reference.check("out/user_vector", user)
    reference.check("out/scores", user @ table.weight.T)


def test_draws_follow_the_distribution(reference: Golden, step: SimpleNamespace) -> None:
    """Draws at equally spaced levels meet each id as often as its probability says."""
    levels, weight = 4000, reference["out/sampling_weight"]
    valid = torch.nonzero(step.left != 0)[::7]
    states, classes = step.seen["generator_states"], step.model.backbone.item_embedding.weight[1:]
    for row, column in valid.tolist():
        uniform = (torch.arange(levels) + 0.5) / levels
        drawn = 1 + draw(states[row, column].expand(levels, -1), classes, uniform.double(), step.model.power)
        expected = weight[row, column] / weight[row, column].sum()
        found = torch.bincount(drawn, minlength=len(expected)) / levels
        torch.testing.assert_close(found.double(), expected, rtol=0, atol=1.01 / levels)


def test_losses(reference: Golden, step: SimpleNamespace) -> None:
    for name, ours in {"gen": "generator", "disc": "discriminator", "total": "loss"}.items():
        reference.check(f"out/loss_{name}", step.seen[f"train/{ours}"])


def test_gradients(reference: Golden, step: SimpleNamespace) -> None:
    model = step.model
    ours = {
        "generator.item_embeddings.weight": model.backbone.item_embedding.weight.grad,
        "generator.position_embeddings.weight": model.generator.position.weight.grad,
        "discriminator.dis_projection.weight": model.head.weight.grad,
    }
    for trunk, network in ((model.generator, "generator"), (model.discriminator, "discriminator")):
        ours[f"{network}.LayerNorm.weight"] = trunk.norm.weight.grad
        for i, layer in enumerate(trunk.layers):
            for part, gradient in zip(
                ("query", "key", "value"), layer.attention.projection.weight.grad.chunk(3), strict=True
            ):
                ours[f"{network}.item_encoder.layer.{i}.attention.{part}.weight"] = gradient
            for name, theirs in LAYER.items():
                gradient = layer.get_parameter(f"{name}.weight").grad
                ours[f"{network}.item_encoder.layer.{i}.{theirs}.weight"] = gradient
    compared = reference.group("grad/")
    assert compared
    for name in compared:
        # Whether look-ups of padding give gradient to its row is not the model's affair.
        where = torch.arange(len(ours[name])) > 0 if name == "generator.item_embeddings.weight" else None
        reference.check(f"grad/{name}", ours[name], where)
