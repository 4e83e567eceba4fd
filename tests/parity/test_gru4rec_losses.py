"""GRU4Rec's losses against its official implementation, at its own scores and through one of its steps.

Its session-parallel batches, its item bias and its optimizer are not part of the project, so what a second
step learns (``after_2_steps``, ``full_scores``, gradients of ``step1``) is not compared.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from seqrec.functional.shared_negatives import bpr_max, shared_softmax
from tests.parity.golden import Golden


def loss_of(golden: Golden, kind: str, columns: Tensor, scores: Tensor) -> Tensor:
    """The loss of ``columns`` ``(G + K,)``, items whose scores are ``(G, G + K)``."""
    hyper = golden.meta["hyper"]
    if kind == "bprmax":
        return bpr_max(scores, hyper["bprmax"]["bpreg"], hyper["bprmax"]["elu_param"])
    log_count = golden["in/official_xe.item_counts"][columns].log()
    sampled = torch.arange(len(columns)) >= len(scores)
    strength = torch.where(sampled, hyper["sample_alpha"], 1.0) * hyper["xe"]["logq"]
    return shared_softmax(scores, strength * log_count)


@pytest.mark.parametrize("step", [0, 1])
@pytest.mark.parametrize("kind", ["xe", "bprmax"])
def test_losses(golden: Callable[[str], Golden], kind: str, step: int) -> None:
    reference = golden("gru4rec")
    place = f"official_{kind}.step{step}"
    loss = loss_of(reference, kind, reference[f"in/{place}.y"], reference[f"out/{place}.scores"])
    reference.check(f"out/{place}.loss", loss)


@pytest.mark.parametrize("kind", ["xe", "bprmax"])
def test_gradients_of_the_first_step(golden: Callable[[str], Golden], kind: str) -> None:
    reference = golden("gru4rec")
    place = f"official_{kind}.step0"
    old = {name: value.requires_grad_() for name, value in reference.group("param/official.").items()}
    cell = nn.GRUCell(old["G.0.weight_ih"].shape[1], old["G.0.weight_hh"].shape[1], dtype=torch.float64)
    cell.load_state_dict({name.removeprefix("G.0."): value for name, value in old.items() if name.startswith("G.0.")})
    columns, table = reference[f"in/{place}.y"], old["Wy.weight"]
    hidden = cell(table[reference[f"in/{place}.x"]])
    reference.check(f"out/{place}.hidden", hidden)
    scores = hidden @ table[columns].T + old["By.weight"][columns].T
    reference.check(f"out/{place}.scores", scores)
    loss_of(reference, kind, columns, scores).backward()
    assert cell.weight_hh.grad is not None
    gradients = {"G.0.weight_hh": cell.weight_hh.grad, "Wy.weight": table.grad, "By.weight": old["By.weight"].grad}
    for name in reference.group(f"grad/{place}."):
        gradient = gradients[name]
        assert gradient is not None
        reference.check(f"grad/{place}.{name}", gradient)
