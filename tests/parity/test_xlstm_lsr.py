"""xLSTM-LSR: cells and blocks against the xlstm package, the model against its composition in plain code.

No code of the paper is known, so the parity of the whole is that of our reconstruction.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from seqrec.backbones.xlstm.blocks import MLSTMBlock, SLSTMBlock
from seqrec.backbones.xlstm.mlstm import chunkwise, empty_memory, parallel, recurrent
from seqrec.backbones.xlstm.slstm import scalar_memory
from seqrec.backbones.xlstm.xlstm import XLSTM, windows
from seqrec.functional.losses import next_item
from seqrec.nn.packing import Packing
from tests.parity.golden import Golden, gradients

MLSTM = {
    "norm.weight": "xlstm_norm.weight",
    "skip": "xlstm.learnable_skip",
    "up.weight": "xlstm.proj_up.weight",
    "convolution.bias": "xlstm.conv1d.conv.bias",
    "head_norm.weight": "xlstm.mlstm_cell.outnorm.weight",
    "down.weight": "xlstm.proj_down.weight",
}
SLSTM = {
    "norm.weight": "xlstm_norm.weight",
    "convolution.bias": "xlstm.conv1d.conv.bias",
    "head_norm.weight": "xlstm.group_norm.weight",
    "ffn_norm.weight": "ffn_norm.weight",
    "ffn_in.weight": "ffn.proj_up.weight",
    "ffn_out.weight": "ffn.proj_down.weight",
}


def kernel(old: dict[str, Tensor]) -> Tensor:
    """The package's kernel is ``(P, 1, size)``, its last tap the newest."""
    return old["xlstm.conv1d.conv.weight"][:, 0].flip(1).T


def mlstm_state(old: dict[str, Tensor]) -> dict[str, Tensor]:
    state = {ours: old[theirs] for ours, theirs in MLSTM.items()}
    state["convolution.kernel"] = kernel(old)
    state["query_key.weight"] = torch.stack([old[f"xlstm.{part}_proj.weight"] for part in "qk"])
    state["value.weight"] = old["xlstm.v_proj.weight"][None]
    for kind in ("weight", "bias"):
        state[f"gates.{kind}"] = torch.cat([old[f"xlstm.mlstm_cell.{gate}gate.{kind}"] for gate in "if"])
    return state


def slstm_state(old: dict[str, Tensor], heads: int) -> dict[str, Tensor]:
    """What the package calls the forget gate's matrix feeds the input gate, and the other way round."""
    state = {ours: old[theirs] for ours, theirs in SLSTM.items()}
    state["convolution.kernel"] = kernel(old)
    state["input_forget.weight"] = torch.stack([old[f"xlstm.{gate}gate.weight"] for gate in "fi"])
    state["value_output.weight"] = torch.stack([old[f"xlstm.{gate}gate.weight"] for gate in "zo"])
    state["recurrent"] = recurrent_kernel(old["xlstm.slstm_cell._recurrent_kernel_"])
    state["bias"] = old["xlstm.slstm_cell._bias_"].view(4, heads, 1, -1)
    return state


def recurrent_kernel(theirs: Tensor) -> Tensor:
    """``(H, 4 * E, E)``, outputs before inputs, to ``(4, H, E, E)``."""
    return theirs.unflatten(1, (4, -1)).permute(1, 0, 3, 2)


def mlstm_block(golden: Golden, old: dict[str, Tensor], num_blocks: int = 1) -> MLSTMBlock:
    inner, _, size = old["xlstm.conv1d.conv.weight"].shape
    group = old["xlstm.q_proj.weight"].shape[-1]
    heads = len(old["xlstm.mlstm_cell.igate.bias"])
    block = MLSTMBlock(len(old["xlstm_norm.weight"]), inner, heads, size, group, 0.0, num_blocks)
    block.load_state_dict(mlstm_state(old))
    return block.double()


def slstm_block(golden: Golden, old: dict[str, Tensor]) -> SLSTMBlock:
    dim, _, size = old["xlstm.conv1d.conv.weight"].shape
    heads = len(old["xlstm.fgate.weight"])
    block = SLSTMBlock(dim, heads, size, old["ffn.proj_down.weight"].shape[1], 0.0, index=0, num_blocks=1)
    block.load_state_dict(slstm_state(old, heads))
    return block.double()


def count(old: dict[str, Tensor], stream: str) -> int:
    return len({name.split(".")[1] for name in old if name.startswith(stream)})


def part(old: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): x for name, x in old.items() if name.startswith(prefix)}


def build(golden: Golden) -> XLSTM:
    old = golden.group("param/model.")
    table = old["item_embedding.weight"]
    inner, _, size = old["long_blocks.0.xlstm.conv1d.conv.weight"].shape
    heads = len(old["short_blocks.0.xlstm.fgate.weight"])
    model = XLSTM(
        len(table) - 1,
        table.shape[1],
        count(old, "long_blocks"),
        count(old, "short_blocks"),
        heads,
        inner,
        old["short_blocks.0.ffn.proj_down.weight"].shape[1],
        golden["out/model.short_window"].shape[1],
        size,
        old["long_blocks.0.xlstm.q_proj.weight"].shape[-1],
        0.0,
    ).double()
    new = {"item_embedding.weight": torch.cat([table, table.new_zeros(1, table.shape[1])])}
    new |= {name: old[name] for name in ("long_norm.weight", "short_norm.weight", "gate.weight", "gate.bias")}
    for i in range(len(model.long_blocks)):
        state = mlstm_state(part(old, f"long_blocks.{i}."))
        new |= {f"long_blocks.{i}.{name}": x for name, x in state.items()}
    for i in range(len(model.short_blocks)):
        state = slstm_state(part(old, f"short_blocks.{i}."), heads)
        new |= {f"short_blocks.{i}.{name}": x for name, x in state.items()}
    model.load_state_dict(new)
    return model


def test_mlstm_cell(golden: Callable[[str], Golden]) -> None:
    reference = golden("xlstm_lsr")
    vectors = [reference[f"in/mlstm_cell.{name}"] for name in "qkv"]
    gates = [reference[f"in/mlstm_cell.{name}gate"][..., 0] for name in "if"]
    inputs = [*vectors, *gates]
    reference.check("out/mlstm_cell.parallel", parallel(*inputs))
    by_chunk, last = chunkwise(*inputs, 3)  # type: ignore[call-arg, arg-type]
    reference.check("out/mlstm_cell.chunkwise", by_chunk)
    memory, outputs = empty_memory(inputs[0]), []
    for t in range(inputs[0].shape[2]):
        output, memory = recurrent(*(x[:, :, t] for x in inputs), memory)  # type: ignore[call-arg, arg-type]
        outputs.append(output)
    reference.check("out/mlstm_cell.recurrent", torch.stack(outputs, 2))
    for found in (memory, last):
        reference.check("out/mlstm_cell.C", found.values)
        reference.check("out/mlstm_cell.n", found.normaliser[..., None])
        reference.check("out/mlstm_cell.m", found.stabiliser[..., None, None])


def test_slstm_cell(golden: Callable[[str], Golden]) -> None:
    """The package's stabilised c, n and m follow from our ratio and log normaliser, once m is known."""
    reference = golden("xlstm_lsr")
    kernel = recurrent_kernel(reference["param/slstm_cell._recurrent_kernel_"])
    _, heads, width, _ = kernel.shape
    bias = reference["param/slstm_cell._bias_"].view(4, heads, 1, width)
    gates = reference["in/slstm_cell.x"].unflatten(-1, (4, heads, width)).permute(1, 2, 3, 0, 4) + bias
    y, ratio, log_normaliser = scalar_memory(gates, kernel)
    reference.check("out/slstm_cell.y", y.permute(2, 1, 0, 3))

    stabiliser: Any = None
    for t in range(len(y)):
        before = y[t - 1] if t else torch.zeros_like(y[0])
        i, f, _, _ = gates[t] + before @ kernel
        stabiliser = i if stabiliser is None else torch.maximum(i, stabiliser + F.logsigmoid(f))
    normaliser = torch.exp(log_normaliser - stabiliser)
    state = [y[-1], ratio * normaliser, normaliser, stabiliser]
    reference.check("out/slstm_cell.state", torch.stack(state).transpose(1, 2).flatten(2))


def test_blocks(golden: Callable[[str], Golden]) -> None:
    reference = golden("xlstm_lsr")
    x = reference["in/block.x"]
    packing = Packing(torch.ones(x.shape[:2], dtype=torch.bool))
    place = packing.pack(torch.arange(x.shape[1]).expand(x.shape[:2]))
    block = mlstm_block(reference, reference.group("param/mlstm_block."))
    reference.check("out/mlstm_block.y", packing.unpack(block(packing.pack(x), packing, place)))
    reference.check("out/slstm_block.y", slstm_block(reference, reference.group("param/slstm_block."))(x))


def test_model(golden: Callable[[str], Golden]) -> None:
    reference = golden("xlstm_lsr")
    model = build(reference)
    items, length = reference["in/seq_right_padded"], reference["in/length"]
    rows = torch.arange(len(items))
    packing, place, tokens = model.packed(model.item_embedding(items), items != 0)
    newest = torch.empty_like(items)
    newest.view(-1)[packing.index] = torch.arange(len(tokens))
    newest = newest[rows, length - 1]
    long = model.long_states(tokens, packing, place)
    reference.check("out/model.hidden_long", packing.unpack(long), items != 0)
    reference.check("out/model.user_long", long[newest])

    older = (length - 1).clamp(max=model.short_window - 1)
    index = windows(newest, older, model.short_window)
    filled = torch.arange(model.short_window) <= older[:, None]
    reference.check("out/model.short_window", packing.pack(items)[index] * filled)
    short = model.short_states(tokens, newest, length - 1)
    reference.check("out/model.user_short", short)
    reference.check("out/model.gate", torch.sigmoid(model.gate(torch.cat([long[newest], short], -1))))

    user = model(items)[rows, length - 1]
    reference.check("out/model.user", user)
    reference.check("out/model.user", model.newest(items))
    table = model.item_embedding.weight
    reference.check("out/model.scores", user @ table[:-1].T)
    target = reference["in/target"]
    loss = next_item(user, target, table, torch.zeros_like(target), padding_class=True)
    reference.check("out/model.loss_ce", loss)
    loss.backward()
    check_gradients(reference, model)


def check_gradients(golden: Golden, model: XLSTM) -> None:
    ours = gradients(model)
    found = {name: ours[name] for name in ("long_norm.weight", "short_norm.weight", "gate.weight", "gate.bias")}
    found["item_embedding.weight"] = ours["item_embedding.weight"][:-1]
    for i, block in enumerate(model.long_blocks):
        at = f"long_blocks.{i}"
        found |= {f"{at}.{theirs}": ours[f"{at}.{name}"] for name, theirs in MLSTM.items()}
        found[f"{at}.xlstm.conv1d.conv.weight"] = ours[f"{at}.convolution.kernel"].T.flip(1)[:, None]
        for part, gradient in zip("qk", ours[f"{at}.query_key.weight"], strict=True):
            found[f"{at}.xlstm.{part}_proj.weight"] = gradient
        found[f"{at}.xlstm.v_proj.weight"] = ours[f"{at}.value.weight"][0]
        for kind in ("weight", "bias"):
            for gate, gradient in zip("if", ours[f"{at}.gates.{kind}"].split(block.num_heads), strict=True):
                found[f"{at}.xlstm.mlstm_cell.{gate}gate.{kind}"] = gradient
    for i in range(len(model.short_blocks)):
        at = f"short_blocks.{i}"
        found |= {f"{at}.{theirs}": ours[f"{at}.{name}"] for name, theirs in SLSTM.items()}
        found[f"{at}.xlstm.conv1d.conv.weight"] = ours[f"{at}.convolution.kernel"].T.flip(1)[:, None]
        for pair, gates in (("input_forget", "fi"), ("value_output", "zo")):
            for gate, gradient in zip(gates, ours[f"{at}.{pair}.weight"], strict=True):
                found[f"{at}.xlstm.{gate}gate.weight"] = gradient
        found[f"{at}.xlstm.slstm_cell._recurrent_kernel_"] = ours[f"{at}.recurrent"].permute(1, 0, 3, 2).flatten(1, 2)
        found[f"{at}.xlstm.slstm_cell._bias_"] = ours[f"{at}.bias"].flatten()
    compared = golden.group("grad/model.")
    assert compared
    for name in compared:
        golden.check(f"grad/model.{name}", found[name])
