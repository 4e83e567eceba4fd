"""Players and turns, on EASNRec: owners, freezing, steps, clipping, resuming."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, Literal

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor

from seqrec.functional import augment
from seqrec.methods.easnrec.easnrec import EASNRec
from seqrec.nn.attention import DotProductAttention
from seqrec.nn.chosen import Chosen
from seqrec.nn.schedules import LinearWarmup
from tests.methods.small import trainer
from tests.methods.small_easnrec import BATCHES, NoContrast, build, loader, moved, offline, weights


@pytest.mark.parametrize("own_discriminator", [False, True])
def test_every_parameter_has_one_owner(own_discriminator: bool) -> None:
    model = build(own_discriminator=own_discriminator)
    owned = [id(p) for group in model.parameter_groups() for p in group]
    assert sorted(owned) == sorted(id(p) for p in model.parameters())


def test_two_owners_and_no_owner_are_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    model = build()
    players = dict(model.players())
    monkeypatch.setattr(model, "players", lambda: players | {"generator": [*players["generator"], model.head]})
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

    def watched(*players: str) -> _watch:
        return _watch(model, original(*players), turns)

    model.turn = watched  # type: ignore[method-assign, assignment]
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
    return f"{first}.{rest[0]}" + (".weight" if rest[0] == "item_embedding" else "") if first == "backbone" else first


class _watch:
    """A turn that notes which parameters it moved."""

    def __init__(self, model: EASNRec, turn: Any, turns: list[set[str]]) -> None:
        self.model, self.turn, self.turns = model, turn, turns

    def __enter__(self) -> Any:
        self.before = weights(self.model)
        return self.turn.__enter__()

    def __exit__(self, *error: object) -> Any:
        self.turns.append(moved(self.model, self.before))
        return self.turn.__exit__(*error)


def test_the_generator_alone_climbs_and_the_others_descend_the_similarity() -> None:
    """Simultaneous gradients of the similarity terms, against two plain backward passes."""
    model = offline(build(dropout=0.0, attention=DotProductAttention, memory=None, contrast=NoContrast()))
    masked = augment.masked_positions(BATCHES[0].items, torch.arange(6), 0.4)

    def gradients(similar_generator: float, similar_discriminator: float) -> dict[str, Tensor]:
        model.lambda_1, model.lambda_2 = similar_generator, similar_discriminator
        for optimizer in model.optimizers():
            optimizer.step = lambda: None  # type: ignore[method-assign]
            optimizer.zero_grad()
            optimizer.zero_grad = lambda: None
        for parameter in model.parameters():
            parameter.grad = None
        model.simultaneous_step(BATCHES[0], Chosen(masked), BATCHES[0].row)
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
    changed = [n for n in plain if n.startswith("generator.") and not torch.allclose(plain[n], both[n], atol=1e-8)]
    assert changed


def fit(folder: Path, epochs: int, resume: Path | None = None) -> EASNRec:
    model = build(scheduler=partial(torch.optim.lr_scheduler.ExponentialLR, gamma=0.5))
    run = trainer(max_epochs=epochs)
    pl.seed_everything(7 if resume is None else 8, verbose=False)
    run.fit(model, loader(), loader(), ckpt_path=resume)
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
        names = [n for n, p in model.named_parameters() if any(p is q for m in modules for q in m.parameters())]
        step = torch.stack([(model.get_parameter(n) - before[n]).norm() for n in names]).norm().item()
        assert 0.9e-3 < step < 1.01e-3


@pytest.mark.parametrize("algorithm", ["norm", "value"])
def test_the_trainers_clipping_holds_for_each_player(algorithm: Literal["norm", "value"]) -> None:
    model = build(optimizer=partial(torch.optim.SGD, lr=1.0))
    model.clip_limit, model.clip_algorithm = 1e-4, algorithm
    before = weights(model)
    trainer(limit_train_batches=1).fit(model, loader())
    names = {parameter: name for name, parameter in model.named_parameters()}
    for group in model.parameter_groups():
        moves = torch.cat([(parameter - before[names[parameter]]).flatten() for parameter in group])
        assert 0.9e-4 < (moves.norm() if algorithm == "norm" else moves.abs().max()) < 1.01e-4


def test_players_that_act_in_two_turns_gather_a_gradient_for_each() -> None:
    model = offline(build("alternating"))
    table, rate, small = model.backbone.item_embedding.weight, 0.1, model.lambda_4
    start, model.accumulate = table.detach().clone(), 2

    def turns(gradient: float) -> list[Tensor]:
        after = []
        for player, factor in (("generator", 1.0), ("encoder", 10.0)):
            with model.turn(player, "embedding") as step:
                step(factor * gradient * table.sum())
            after.append(start - table.detach())
        return after

    model._steps_now = False
    assert not any(bool(moved.any()) for moved in turns(1.0))
    model._steps_now = True
    first, second = turns(3.0)
    torch.testing.assert_close(first, torch.full_like(first, rate * small * 2.0))
    torch.testing.assert_close(second, torch.full_like(second, rate * (small * 2.0 + 20.0)))


@pytest.mark.parametrize("adversarial", ["simultaneous", "alternating"])
def test_a_batch_is_one_step_of_a_budget(adversarial: str) -> None:
    model = build(adversarial)
    fitted = trainer(max_epochs=3, max_steps=4)
    fitted.fit(model, loader())  # three batches an epoch
    assert fitted.global_step == 4
    taken = [next(iter(optimizer.state.values()))["step"] for optimizer in fitted.optimizers]
    assert taken == [4] * (6 if adversarial == "alternating" else 4)


def test_the_last_batches_of_an_epoch_step_though_they_are_fewer() -> None:
    model = build("alternating", scheduler=partial(LinearWarmup, num_steps=4))
    model.accumulate = 2
    trainer(max_epochs=1).fit(model, loader())  # three batches
    taken = [next(iter(optimizer.state.values()))["step"] for optimizer in model.trainer.optimizers]
    assert taken == [2] * 6  # three turns of two players, each with moments of its own
    factors = [factor for turn in model.turns() for factor in turn.values()]
    assert factors == [1.0, 0.2, 1.0, 0.05, 1.0, 1.0]  # lambda_4 for the table, lambda_5 for the encoder
    rates = [optimizer.param_groups[0]["lr"] for optimizer in model.optimizers()]
    assert rates == pytest.approx([1e-2 * factor * 3 / 4 for factor in factors])
