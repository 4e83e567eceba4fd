"""CBiT against its official implementation: windows, views, both losses over two steps, gradients, the query.

The reference's lists of candidates (``out/test_candidates``) belong to its evaluator and are not compared; here the
protocol says what is ranked. Its windows are padded on the left, ours on the right.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from seqrec.backbones.pre_norm import PreNormTransformer
from seqrec.data.batch import Batch
from seqrec.data.sequences import Sequences
from seqrec.data.windows import held_out, sliding
from seqrec.functional.in_batch.info_nce import pairwise_nt_xent
from seqrec.methods.cbit import CBiT
from tests.factories import make_sequences, of_parts
from tests.parity.golden import Golden, gradients

LAYER = {
    "output.weight": "attention.output_linear.weight",
    "output.bias": "attention.output_linear.bias",
    "ffn_in.weight": "feed_forward.w_1.weight",
    "ffn_in.bias": "feed_forward.w_1.bias",
    "ffn_out.weight": "feed_forward.w_2.weight",
    "ffn_out.bias": "feed_forward.w_2.bias",
    "attention_norm.weight": "input_sublayer.norm.a_2",
    "attention_norm.bias": "input_sublayer.norm.b_2",
    "ffn_norm.weight": "output_sublayer.norm.a_2",
    "ffn_norm.bias": "output_sublayer.norm.b_2",
}


def build(golden: Golden) -> CBiT:
    old, hyper = golden.group("param/"), golden.meta["hyper"]
    table, positions = old["bert.embedding.token.weight"], old["bert.embedding.position.pe.weight"]
    layers = sum(name.endswith("w_1.bias") for name in old)
    inner = len(old["bert.transformer_blocks.0.feed_forward.w_1.bias"])
    length, dim = positions.shape
    heads = golden.meta["sizes"]["heads"]
    backbone = PreNormTransformer(len(table) - 2, length, dim, layers, heads, inner, dropout=0.0)
    model = CBiT(
        backbone,
        partial(torch.optim.Adam, lr=1e-3),
        max_length=length,
        mask_ratio=hyper["mask_prob"],
        num_views=hyper["num_positive"],
        temperature=hyper["tau"],
        theta_rate=hyper["alpha"],
        contrast_scale=hyper["lambda_"],
    ).double()
    assert backbone.trunk.layers[0].attention_norm.eps == hyper["ln_eps"]
    new = {
        "theta": model.theta,
        "backbone.item_embedding.weight": table,
        "backbone.trunk.position.weight": positions,
        "output.weight": old["out.weight"],
        "output.bias": old["out.bias"],
    }
    for i in range(layers):
        ours, theirs = f"backbone.trunk.layers.{i}", f"bert.transformer_blocks.{i}"
        new |= {f"{ours}.{a}": old[f"{theirs}.{b}"] for a, b in LAYER.items()}
        for kind in ("weight", "bias"):
            parts = [old[f"{theirs}.attention.linear_layers.{part}.{kind}"] for part in range(3)]
            new[f"{ours}.attention.projection.{kind}"] = torch.cat(parts)
    model.load_state_dict(new)
    return model.train()


def sequences(golden: Golden) -> Sequences:
    """The training sequences, each with its validation and test item."""
    histories = zip(golden["in/train_seqs"], golden["in/train_lens"], strict=True)
    held = torch.stack([golden["in/val_item"], golden["in/test_item"]], dim=1)
    rows = [torch.cat([row[:length], last]) for (row, length), last in zip(histories, held, strict=True)]
    return make_sequences(rows, golden.meta["sizes"]["V"] - 1)


def training_batch(golden: Golden, length: int) -> Batch:
    step = golden.meta["hyper"]["slide_window_step"]
    windows = sliding(sequences(golden), length, torch.Generator(), step)
    return windows.batch(torch.arange(len(windows)), length)


@pytest.fixture
def views(golden: Callable[[str], Golden], to_right: Callable) -> tuple[Tensor, Tensor, Tensor]:
    """Views ``(K, B, L)``, their learnt positions ``(K, B, L)`` and the items ``(B, L)``, on the right."""
    reference = golden("cbit")
    seen, learnt = [], []
    for k in range(reference.meta["hyper"]["num_positive"]):
        view, labels = reference[f"in/view{k}.seq"], reference[f"in/view{k}.labels"]
        seen.append(to_right(view, view))
        learnt.append(to_right(labels, view) != 0)
    return torch.stack(seen), torch.stack(learnt), reference["out/windows"][: len(seen[0])]


def test_windows(golden: Callable[[str], Golden]) -> None:
    reference = golden("cbit")
    model, length = build(reference), reference["out/windows"].shape[1]
    batch = training_batch(reference, length)
    found = model.appended(batch.items, batch.target)
    reference.check("out/windows", F.pad(found, (0, length - found.shape[1])))


def test_views(golden: Callable[[str], Golden], views: tuple[Tensor, Tensor, Tensor]) -> None:
    reference = golden("cbit")
    model = build(reference)
    seen, learnt, items = views
    states = torch.stack([model.backbone.windows(view) for view in seen])
    for k in range(len(seen)):
        reference.check(f"out/view{k}.hidden", states[k])
        loss = model.cloze_loss(states[k : k + 1], items, learnt[k : k + 1])
        reference.check(f"out/view{k}.loss_mlm", loss)
    contrast = model.contrasts(states)
    for j in range(len(seen)):
        for k in range(len(seen)):
            if j != k:
                reference.check(f"out/cl_{j}_{k}", contrast[j, k])
    raw = pairwise_nt_xent(states.flatten(2), reference.meta["hyper"]["tau"])
    reference.check("out/cl_dot_0_1", raw[0, 1])


def test_states_of_items_need_no_padding(golden: Callable[[str], Golden], views: tuple, to_left: Callable) -> None:
    reference = golden("cbit")
    backbone, windows = build(reference).backbone, reference["in/view0.seq"]
    trimmed = views[0][0][:, : int((windows != 0).sum(1).max())]
    states = F.pad(backbone(trimmed), (0, 0, 0, windows.shape[1] - trimmed.shape[1]))
    reference.check("out/view0.hidden", to_left(states, windows), windows != 0)


def test_two_steps(golden: Callable[[str], Golden], views: tuple[Tensor, Tensor, Tensor]) -> None:
    reference = golden("cbit")
    model = build(reference)
    seen, learnt, items = views
    batch = of_parts(lambda part: part[: len(items)], training_batch(reference, items.shape[1]))
    model.views = lambda items, rng_keys: (seen, learnt)  # type: ignore[method-assign]
    for step in range(2):
        model.zero_grad()
        loss = model.training_step(batch, step)
        reference.check(f"out/step{step}.loss_total", loss)
        reference.check(f"out/step{step}.theta", model.theta)
        loss.backward()
        check_gradients(reference, model, f"step{step}.")
    contrast = model.contrasts(model.backbone.windows(seen.flatten(0, 1)).unflatten(0, seen.shape[:2])).sum()
    reference.check("out/step0.loss_cl", contrast)
    reference.check("out/step1.loss_cl", contrast)


def check_gradients(golden: Golden, model: CBiT, group: str) -> None:
    ours = gradients(model)
    names = {
        "bert.embedding.token.weight": ours["backbone.item_embedding.weight"],
        "bert.embedding.position.pe.weight": ours["backbone.trunk.position.weight"],
        "out.weight": ours["output.weight"],
        "out.bias": ours["output.bias"],
    }
    for i in range(len(model.backbone.trunk.layers)):
        mine, theirs = f"backbone.trunk.layers.{i}", f"bert.transformer_blocks.{i}"
        names |= {f"{theirs}.{b}": ours[f"{mine}.{a}"] for a, b in LAYER.items()}
        for kind in ("weight", "bias"):
            parts = ours[f"{mine}.attention.projection.{kind}"].chunk(3)
            names |= {f"{theirs}.attention.linear_layers.{n}.{kind}": part for n, part in enumerate(parts)}
    compared = golden.group(f"grad/{group}")
    assert compared
    for name in compared:
        golden.check(f"grad/{group}{name}", names[name])


def test_query_and_scores(golden: Callable[[str], Golden], to_left: Callable) -> None:
    reference = golden("cbit")
    model = build(reference).eval()
    expected = reference["out/test_seq"]
    windows = held_out(sequences(reference), from_end=1)
    batch = windows.batch(torch.arange(len(windows)), expected.shape[1])
    assert torch.equal(batch.target, reference["in/test_item"])
    query = model.appended(batch.items, torch.full_like(batch.target, model.backbone.mask_token))
    query = F.pad(query, (0, expected.shape[1] - query.shape[1]))
    reference.check("out/test_seq", to_left(query, expected))
    user = model.query(batch.histories)
    reference.check("out/user", user)
    reference.check("out/scores", model.output(user))
    reference.close("scores", model.score(batch.histories), reference["out/scores"][:, 1:])
