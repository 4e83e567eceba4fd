"""EASNRec's alternating turns against Adams that are written out."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from seqrec.functional.keyed_random import Stream
from seqrec.methods.easnrec.similarity import Influence, Joint
from seqrec.nn.chosen import Chosen
from tests.methods.small_easnrec import BATCHES, build, of, plain

GENERATOR, OTHERS = Influence(-1.0, 0.0, 1.0, generator_only=True), Influence(0.0, 1.0, 0.0)


@pytest.mark.parametrize("own_discriminator", [False, True])
def test_alternating_turns_have_moments_of_their_own(own_discriminator: bool) -> None:
    """Three steps against Adams that are written out here, each fed with the gradient of its turn's own loss."""
    ours, theirs = (plain(memory=None, own_discriminator=own_discriminator, adversarial="alternating") for _ in "ab")
    ours.build_optimizer = partial(torch.optim.Adam, lr=0.01)
    optimizers = ours.build_optimizers()
    ours.optimizers = lambda: optimizers  # type: ignore[method-assign, assignment]
    players = {name: list(nn.ModuleList(m).parameters()) for name, m in theirs.players().items()}
    judges = ["discriminator"] if own_discriminator else ["discriminator", "encoder"]
    order = [
        ("generator", ["generator", "embedding"]),
        ("discriminator", judges),
        ("encoder", ["encoder", "embedding"]),
    ]
    rate = {("generator", "embedding"): theirs.lambda_4, ("discriminator", "encoder"): theirs.lambda_5}
    moments: dict[tuple[str, Tensor], list[Tensor]] = {}
    for number, batch in enumerate(BATCHES, start=1):
        masked = Chosen(theirs.masking(batch.items, batch.row, 0.4))
        ours.alternating_step(batch, masked, ours.rng_keys(batch.row, Stream.VIEW))
        made = filled = None
        for turn, acting in order:
            states = theirs.backbone(batch.items)
            if turn == "generator":
                made, filled = theirs.generate(batch.items, masked)
                alone = theirs.similarity(batch.items, states, made, filled, GENERATOR).mean()
                loss = made.loss - theirs.lambda_1 * alone
            elif turn == "discriminator":
                assert made is not None and filled is not None
                alike = theirs.similarity(batch.items, states, made, filled, OTHERS).mean()
                loss = theirs.detection_loss(states, batch.items, made.items) - theirs.lambda_2 * (1 - alike)
            else:
                contrast = theirs.contrast(
                    states, batch.items, theirs.rng_keys(batch.row, Stream.VIEW), theirs.backbone
                )
                loss = theirs.recommendation_loss(states, batch) + theirs.lambda_3 * contrast.loss
            acted = [(player, p) for player in acting for p in players[player]]
            found = torch.autograd.grad(loss, [p for _, p in acted], allow_unused=True)
            for (player, p), gradient in zip(acted, found, strict=True):
                if gradient is None:
                    continue
                first, second = moments.setdefault((turn, p), [torch.zeros_like(p), torch.zeros_like(p)])
                first.mul_(0.9).add_(0.1 * gradient)
                second.mul_(0.999).add_(0.001 * gradient**2)
                step = (first / (1 - 0.9**number)) / ((second / (1 - 0.999**number)).sqrt() + 1e-8)
                p.data -= 0.01 * rate.get((turn, player), 1.0) * step
    for (name, a), b in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-9, msg=of(name))


def test_states_of_other_optimizers_are_refused_and_weights_alone_are_not() -> None:
    """Once the players of alternating turns had one optimizer each, and memories decayed with all else."""
    model = build("alternating")
    one: dict[str, Any] = {"param_groups": [{}]}
    two: dict[str, Any] = {"param_groups": [{}, {}]}
    for states in ([one] * 4, [one, two] * 3):
        with pytest.raises(ValueError, match="stored with other optimizers than its model has"):
            model.on_load_checkpoint({"optimizer_states": states})
    model.on_load_checkpoint({"optimizer_states": [one] * 6, "random_states": []})
    model.on_load_checkpoint({"random_states": []})


def test_joint_similarity_has_no_turns() -> None:
    with pytest.raises(ValueError, match="model/similarity=split"):
        build("alternating", similarity=Joint())
