"""What is special to EASNRec: its players, its memories, its noise, its variants."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from seqrec.backbones.transformer import Transformer
from seqrec.data.batch import Batch
from seqrec.functional import augment, augment_states
from seqrec.functional.contrast import contrast_items, contrast_states
from seqrec.methods.easnrec import EASNRec
from seqrec.nn import siamese
from seqrec.nn.attention import DotProductAttention
from seqrec.nn.memory import ExternalMemory, memories_of
from seqrec.nn.trunk import TransformerTrunk
from seqrec.nn.uncertainty import UncertaintyAttention

ITEMS, LENGTH, DIM = 30, 9, 16
ADAM = partial(torch.optim.Adam, lr=1e-2)
UNCERTAIN = partial(UncertaintyAttention, noise_std=0.01)
MEMORY = partial(ExternalMemory, num_slots=5, dropout=0.1)
DYNAMIC = partial(augment_states.dynamic, probability=0.2, magnitude=0.1, ratio=0.4)
DSA = partial(augment.dsa, token=ITEMS + 1, crop_ratio=0.6, mask_ratio=0.3, reorder_ratio=0.6)


def of_states(change: Callable) -> Callable:
    return partial(contrast_states, window=3, temperature=0.05, augment=change)


OF_ITEMS = partial(contrast_items, window=3, temperature=0.05, augment=DSA)


def build(
    adversarial: str = "simultaneous",
    network: str | None = "fc",
    attention: Callable = UNCERTAIN,
    memory: Callable | None = MEMORY,
    contrast: Callable | None = None,
    own_discriminator: bool = False,
    dropout: float = 0.1,
    optimizer: Callable = ADAM,
    **base,
) -> EASNRec:
    torch.manual_seed(0)
    trunk = partial(
        TransformerTrunk,
        DIM,
        LENGTH,
        2,
        2,
        32,
        dropout,
        dropout,
        attention,
        positions="from_newest",
        memory=memory,
    )
    networks = {
        None: lambda: None,
        "fc": lambda: siamese.FullyConnected(DIM),
        "cnn": lambda: siamese.Convolution(DIM),
        "transformer": lambda: siamese.Attention(DIM, 2, 32, dropout),
        "lstm": lambda: siamese.Recurrent(DIM),
    }
    return EASNRec(
        Transformer(
            ITEMS, LENGTH, DIM, 2, 2, 32, dropout, dropout, attention, positions="from_newest", memory=memory
        ),
        optimizer,
        trunk(causal=False),
        contrast or of_states(DYNAMIC),
        networks[network](),
        adversarial,
        mask_ratio=0.4,
        window=3,
        generator_similarity_weight=0.05,
        discriminator_similarity_weight=0.05,
        contrast_weight=0.3,
        generator_weight=0.2,
        discriminator_weight=0.05,
        discriminator=trunk(causal=True) if own_discriminator else None,
        **base,
    )


def random_batch(rows: list[int], longest: int = LENGTH, seed: int = 0) -> Batch:
    """Histories that depend on the row only; one of them has a single item."""
    items, targets = torch.zeros(len(rows), longest, dtype=torch.long), []
    for b, row in enumerate(rows):
        generator = torch.Generator().manual_seed(1000 * seed + row)
        length = 1 if row == 3 else int(torch.randint(2, 7, (), generator=generator))
        drawn = torch.randint(1, ITEMS + 1, (length + 1,), generator=generator)
        items[b, :length] = drawn[:-1]
        targets.append(drawn[-1])
    target = torch.stack(targets)
    next_items = torch.cat([items[:, 1:], torch.zeros_like(items[:, :1])], 1)
    next_items[torch.arange(len(rows)), (items != 0).sum(1) - 1] = target
    row = torch.tensor(rows)
    return Batch(row, row, items, target, next_items)


BATCHES = [random_batch(list(range(start, start + 6))) for start in (0, 6, 12)]


def trainer(**changes) -> pl.Trainer:
    quiet = {
        "accelerator": "cpu",
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "max_epochs": 1,
    }
    return pl.Trainer(**(quiet | changes))


def loader() -> DataLoader:
    return DataLoader(BATCHES, batch_size=None, generator=torch.Generator())  # leaves the global state alone


def offline(model: EASNRec) -> EASNRec:
    """A model whose training step runs without a trainer, with plain gradient steps."""
    optimizers = [torch.optim.SGD(group, lr=0.1) for group in model.parameter_groups()]
    model.optimizers = lambda: optimizers  # type: ignore[method-assign]
    model.manual_backward = lambda loss: loss.backward()  # type: ignore[method-assign]
    model.log_dict = lambda *args, **kwargs: None  # type: ignore[method-assign]
    return model.train()


def moved(model: EASNRec, before: dict[str, Tensor]) -> set[str]:
    return {name for name, p in model.named_parameters() if not torch.equal(p, before[name])}


def weights(model: EASNRec) -> dict[str, Tensor]:
    return {name: p.detach().clone() for name, p in model.named_parameters()}


VARIANTS = {
    "default": {},
    "own_discriminator": {"own_discriminator": True},
    "no_siamese": {"network": None},
    "no_uncertainty": {"attention": DotProductAttention},
    "no_memory": {"memory": None},
    "no_uamm": {"attention": DotProductAttention, "memory": None},
    "cnn": {"network": "cnn"},
    "transformer": {"network": "transformer"},
    "lstm": {"network": "lstm"},
    "dropout": {"contrast": of_states(partial(augment_states.dropout, probability=0.2))},
    "perturbation": {"contrast": of_states(partial(augment_states.perturbation, magnitude=0.1))},
    "mask": {"contrast": of_states(partial(augment_states.mask, ratio=0.4))},
    "dsa": {"contrast": OF_ITEMS},
    "content": {"memory": partial(MEMORY, addressing="content", slot_dim=7, write_norm="token_softmax")},
    "concat": {"memory": partial(MEMORY, fusion="concat", write_norm="sum")},
}


@pytest.mark.parametrize("adversarial", ["simultaneous", "alternating"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_every_parameter_of_every_variant_learns(variant: str, adversarial: str) -> None:
    model = build(adversarial, **VARIANTS[variant])
    before = weights(model)
    trainer().fit(model, loader())
    still = before.keys() - moved(model, before)
    # The read softmax ignores a constant of its keys, and so does attention.
    assert not still, f"{variant}: {sorted(still)} did not move"
    assert all(torch.isfinite(p).all() for p in model.parameters())


@pytest.mark.parametrize("own_discriminator", [False, True])
def test_every_parameter_has_one_owner(own_discriminator: bool) -> None:
    model = build(own_discriminator=own_discriminator)
    owned = [id(p) for group in model.parameter_groups() for p in group]
    assert sorted(owned) == sorted(id(p) for p in model.parameters())


def test_two_owners_and_no_owner_are_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    model = build()
    players = dict(model.players())
    monkeypatch.setattr(
        model, "players", lambda: players | {"generator": [*players["generator"], model.head]}
    )
    with pytest.raises(ValueError, match="one owner"):
        model.parameter_groups()
    monkeypatch.setattr(model, "players", lambda: players | {"generator": []})
    with pytest.raises(ValueError, match=r"no player owns generator\."):
        model.parameter_groups()


def test_a_turn_freezes_the_others_and_thaws_them() -> None:
    model = build()
    with model.turn("generator"):
        learning = {name for name, p in model.named_parameters() if p.requires_grad}
        assert learning == {name for name, _ in model.named_parameters() if name.startswith("generator.")}
    assert all(p.requires_grad for p in model.parameters())
    with pytest.raises(ValueError, match="no player 'teacher'"), model.turn("teacher"):
        pass


@pytest.mark.parametrize(
    ("own_discriminator", "judging"),
    [(False, {"backbone.trunk", "head", "siamese"}), (True, {"head", "siamese"})],
)
def test_alternating_turns_move_their_players_only(own_discriminator: bool, judging: set[str]) -> None:
    model = offline(build("alternating", own_discriminator=own_discriminator))
    model.training_step(BATCHES[0], 0)  # so that there is a write to learn from
    turns: list[set[str]] = []
    original = model.turn

    def watched(*players):
        return _watch(model, original(*players), turns)

    model.turn = watched  # type: ignore[method-assign]
    model.training_step(BATCHES[1], 1)
    if own_discriminator:
        judging = judging | {"discriminator"}
    table = "backbone.item_embedding.weight"
    assert [{_part(name) for name in turn} for turn in turns] == [
        {"generator", table},
        judging,
        {"backbone.trunk", table},
    ]


def _part(name: str) -> str:
    first, *rest = name.split(".")
    return (
        f"{first}.{rest[0]}" + (".weight" if rest[0] == "item_embedding" else "")
        if first == "backbone"
        else first
    )


class _watch:
    """A turn that notes which parameters it moved."""

    def __init__(self, model: EASNRec, turn, turns: list[set[str]]) -> None:
        self.model, self.turn, self.turns = model, turn, turns

    def __enter__(self):
        self.before = weights(self.model)
        return self.turn.__enter__()

    def __exit__(self, *error):
        self.turns.append(moved(self.model, self.before))
        return self.turn.__exit__(*error)


def test_the_generator_alone_climbs_and_the_others_descend_the_similarity() -> None:
    """Simultaneous gradients of the similarity terms, against two plain backward passes."""
    model = offline(build(dropout=0.0, attention=DotProductAttention, memory=None, contrast=_no_contrast))
    masked = augment.masked_positions(BATCHES[0].items, torch.arange(6), 0.4)

    def gradients(similar_generator: float, similar_discriminator: float) -> dict[str, Tensor]:
        model.lambda_1, model.lambda_2 = similar_generator, similar_discriminator
        for optimizer in model.optimizers():
            optimizer.step = lambda: None
            optimizer.zero_grad()
            optimizer.zero_grad = lambda: None
        for parameter in model.parameters():
            parameter.grad = None
        model.simultaneous_step(BATCHES[0], masked)
        return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}

    tiny = 1e-9
    plain, both = gradients(0.0, tiny), gradients(0.5, 0.25)
    only_discriminator = gradients(0.0, 0.25)
    for name, gradient in both.items():
        if name.startswith(("head.", "siamese.", "backbone.trunk.")):
            torch.testing.assert_close(gradient, only_discriminator[name], rtol=1e-4, atol=1e-6)
    for name in plain:
        if name.startswith("generator."):
            torch.testing.assert_close(plain[name], only_discriminator[name], rtol=1e-4, atol=1e-7)
    changed = [
        n for n in plain if n.startswith("generator.") and not torch.allclose(plain[n], both[n], atol=1e-8)
    ]
    assert changed


def _no_contrast(states: Tensor, items: Tensor, keys: Tensor, encode: Callable) -> Tensor:
    return states.new_zeros(())


def test_memory_is_written_in_training_only_and_once_a_step() -> None:
    model = build(dropout=0.0)
    memory = model.backbone.trunk.memory
    start = memory.memory.clone()
    model.eval()
    model.represent(BATCHES[0])
    assert torch.equal(memory.memory, start) and memory.pending is None
    offline(model)
    model.represent(BATCHES[0])  # a pass outside of a step
    assert memory.pending is None
    model.training_step(BATCHES[0], 0)
    tokens = int((BATCHES[0].items != 0).sum())
    assert torch.equal(memory.memory, start) and memory.pending.shape == (tokens, DIM)
    assert model.generator.memory.pending.shape == (tokens, DIM)
    model.training_step(BATCHES[1], 1)
    assert not torch.equal(memory.memory, start)
    copied = copy.deepcopy(model.backbone.trunk)  # no graph is left behind
    written = memory.memory.clone()
    copied.eval()
    assert copied.memory.pending is None and not torch.equal(copied.memory.memory, written)
    stored = model.state_dict()["backbone.trunk.memory.memory"]
    torch.testing.assert_close(stored, copied.memory.memory)


def test_read_only_passes_use_the_memory_of_the_first_pass() -> None:
    trunk = build().backbone.trunk.train()
    memory = trunk.memory
    memory.pending = torch.randn(4, DIM)
    x = torch.randn(3, DIM)
    memory.fusion.dropout.p = 0.0
    with memories_of(trunk, trunk):
        torch.testing.assert_close(memory(x), memory(x))
        assert memory.recorded is not None and torch.equal(memory.recorded, x)


def test_a_delayed_write_gives_gradient_to_the_write_weights() -> None:
    model = offline(build())
    names = [
        f"{player}.{w}"
        for player in ("backbone.trunk.memory", "generator.memory")
        for w in ("w_w", "w_u", "w_r", "w_c")
    ]
    before = weights(model)
    model.training_step(BATCHES[0], 0)
    assert not moved(model, before) & set(names)
    model.training_step(BATCHES[1], 1)
    assert set(names) <= moved(model, before)


def test_evaluation_is_deterministic_and_keeps_both_branches() -> None:
    model = build(dropout=0.5).eval()
    torch.testing.assert_close(model.represent(BATCHES[0]), model.represent(BATCHES[0]), rtol=0, atol=0)
    for causal in (True, False):
        kernel = UncertaintyAttention(DIM, 2, 0.0, causal, noise_std=0.0)
        valid = BATCHES[0].items != 0
        packing = siamese.Packing(valid)
        tokens = torch.randn(int(valid.sum()), DIM)
        training, evaluation = kernel.train()(tokens, packing), kernel.eval()(tokens, packing)
        torch.testing.assert_close(training, evaluation)
    plain = DotProductAttention(DIM, 2, 0.0, True)
    kernel = UncertaintyAttention(DIM, 2, 0.0, True, noise_std=0.0).eval()
    with torch.no_grad():
        kernel.projection.weight[3 * DIM :] = 0.0
        plain.projection.weight.copy_(kernel.projection.weight[: 3 * DIM])
        plain.projection.bias.copy_(kernel.projection.bias[: 3 * DIM])
        kernel.projection.bias[3 * DIM :] = 0.0
    torch.testing.assert_close(kernel(tokens, packing), 2 * plain(tokens, packing))


def test_noise_has_its_standard_deviation_and_differs_between_passes() -> None:
    kernel = UncertaintyAttention(DIM, 2, 0.0, True, noise_std=0.01)
    drawn = kernel.noise(torch.zeros(1000, 2 * DIM))
    assert abs(drawn.std().item() - 0.01) < 5e-4
    assert not torch.equal(drawn, kernel.noise(drawn))


@pytest.mark.parametrize("network", ["fc", "cnn", "transformer", "lstm"])
def test_siamese_networks_ignore_padding(network: str) -> None:
    model = build(network=network).eval()
    batch = random_batch(list(range(6)), longest=6)
    valid = batch.items != 0
    states = torch.randn(6, 6, DIM) * valid[..., None]
    wider = torch.nn.functional.pad(states, (0, 0, 0, 3))
    torch.testing.assert_close(
        model.siamese(states, valid, model.pool),
        model.siamese(wider, torch.nn.functional.pad(valid, (0, 3)), model.pool),
    )


def fit(folder: Path, epochs: int, resume: Path | None = None) -> EASNRec:
    model = build(scheduler=partial(torch.optim.lr_scheduler.ExponentialLR, gamma=0.5))
    run = trainer(max_epochs=epochs)
    pl.seed_everything(7 if resume is None else 8, verbose=False)
    run.fit(model, loader(), ckpt_path=resume)
    run.save_checkpoint(folder / f"{epochs}.ckpt")
    return model


def test_a_resumed_run_is_the_same_run(tmp_path: Path) -> None:
    whole = fit(tmp_path, 3)
    fit(tmp_path, 1)
    resumed = fit(tmp_path, 3, tmp_path / "1.ckpt")
    for (name, ours), theirs in zip(whole.state_dict().items(), resumed.state_dict().values(), strict=True):
        assert torch.equal(ours, theirs), name
    rates = [optimizer.param_groups[0]["lr"] for optimizer in resumed.optimizers()]
    assert rates == [1e-2 * 0.5**3] * len(resumed.players())


def test_gradients_are_clipped_player_by_player() -> None:
    model = build(clip_norm=1e-3, optimizer=partial(torch.optim.SGD, lr=1.0))
    before = weights(model)
    trainer(limit_train_batches=1).fit(model, loader())
    for modules in model.players().values():
        names = [
            n for n, p in model.named_parameters() if any(p is q for m in modules for q in m.parameters())
        ]
        step = torch.stack([(model.get_parameter(n) - before[n]).norm() for n in names]).norm().item()
        assert 0.9e-3 < step < 1.01e-3


@pytest.mark.parametrize(("weight", "similarity"), [(0.0, 0.05), (0.05, 0.0)])
def test_similarity_weights_that_cannot_be_split_are_refused(weight: float, similarity: float) -> None:
    model = build()
    with pytest.raises(ValueError, match="siamese=null"):
        EASNRec(
            model.backbone, ADAM, model.generator, model.contrast, model.siamese, "simultaneous",
            0.4, 3, 0.05, similarity, 0.3, 0.2, weight,
        )  # fmt: skip


@pytest.mark.parametrize("option", ["addressing", "fusion", "write_norm"])
def test_unknown_memory_choices_name_the_valid_ones(option: str) -> None:
    with pytest.raises(ValueError, match=f"{option} is 'typo'; choose one of"):
        MEMORY(DIM, **{option: "typo"})
