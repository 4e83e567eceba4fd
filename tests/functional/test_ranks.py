"""Contrasts on two processes: value and averaged gradient of the loss of the whole batch, as one process finds them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import torch.distributed as dist
from torch import Tensor

from seqrec.functional.in_batch.info_nce import info_nce, nt_xent, pairwise_nt_xent
from seqrec.functional.ranks import of_all_ranks, of_first_rank
from seqrec.methods.contrastive.contrasts import HardNegativeContrast
from seqrec.methods.contrastive.view_contrast import ViewContrastive
from seqrec.methods.easnrec.contrast import StateContrast
from tests.two_ranks import RANKS, on_both

B, D = 7, 4  # shares of 4 and 3 rows

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]


def in_batch(first: Tensor, second: Tensor, labels: Tensor) -> Tensor:
    return info_nce(of_all_ranks(first), of_all_ranks(second), of_all_ranks(labels), 0.5)


def two_views(first: Tensor, second: Tensor, labels: Tensor) -> Tensor:
    return nt_xent(of_all_ranks(first), of_all_ranks(second), 0.5)


def many_views(first: Tensor, second: Tensor, labels: Tensor) -> Tensor:
    views = torch.stack([first, second, first - second], dim=1)
    return pairwise_nt_xent(of_all_ranks(views).transpose(0, 1), 0.5).sum()


def augmented_states(first: Tensor, second: Tensor, labels: Tensor) -> Tensor:
    """EASNRec's, of histories of two items."""

    def augment(states: Tensor, valid: Tensor, keys: Tensor) -> Tensor:
        return states * 2 + 1

    states, items = torch.stack([first, second], dim=1), torch.ones(len(first), 2, dtype=torch.long)
    return StateContrast(2, 0.5, augment)(states, items, labels, None).loss  # type: ignore[arg-type]


def side_by_side(first: Tensor, second: Tensor, labels: Tensor) -> Tensor:
    """ICLRec's and CoSeRec's, of states at all positions."""
    model = SimpleNamespace(temperature=0.5)
    return ViewContrastive.instance_loss(model, torch.cat([first, second])[:, None])  # type: ignore[arg-type]


def enduring(first: Tensor, second: Tensor, labels: Tensor) -> Tensor:
    contrast = HardNegativeContrast(1.0, 0, 2, 2, 0.1, 8.0, 0.2, 0.4, 0.1)
    first, second, labels = of_all_ranks(first), of_all_ranks(second), of_all_ranks(labels)
    return contrast(first, second, labels, contrast.negatives(first, second, labels, 0))


LOSSES: dict[str, Loss] = {
    loss.__name__: loss for loss in (in_batch, two_views, many_views, augmented_states, side_by_side, enduring)
}


def value_and_gradient(loss: Loss, rows: slice) -> tuple[Tensor, Tensor]:
    """Of ``loss`` of rows of a batch, at the weights that make their two views."""
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(B, D, generator=generator)[rows]
    weight = torch.randn(D, 2 * D, generator=generator).requires_grad_()
    labels = torch.tensor([0, 1, 2, 3, 2, 4, 1])[rows]
    torch.manual_seed(0)
    first, second = (inputs @ weight).chunk(2, dim=1)
    value = loss(first, second, labels)
    value.backward()
    assert weight.grad is not None
    return value.detach(), weight.grad


def on_a_rank(rank: int, folder: Path) -> None:
    found = {}
    for name, loss in LOSSES.items():
        value, gradient = value_and_gradient(loss, slice(rank, None, RANKS))
        dist.all_reduce(gradient)  # as DistributedDataParallel does
        found[name] = value, gradient / RANKS
    found["first"] = of_first_rank(torch.full((2,), float(rank))), torch.zeros(())
    torch.save(found, folder / f"{rank}.pt")


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, tuple[Tensor, Tensor]]]:
    folder = tmp_path_factory.mktemp("ranks")
    on_both(on_a_rank, folder)
    return [torch.load(folder / f"{rank}.pt") for rank in range(RANKS)]


@pytest.mark.parametrize("name", LOSSES)
def test_two_processes_have_the_loss_of_the_whole_batch(
    found: list[dict[str, tuple[Tensor, Tensor]]], name: str
) -> None:
    value, gradient = value_and_gradient(LOSSES[name], slice(None))
    part = value_and_gradient(LOSSES[name], slice(0, None, RANKS))[0]
    assert not torch.allclose(part, value, rtol=1e-2)  # or nothing would be seen here
    for of_rank in found:
        torch.testing.assert_close(of_rank[name][0], value)
        torch.testing.assert_close(of_rank[name][1], gradient)


def test_what_rank_0_drew_is_everywhere(found: list[dict[str, tuple[Tensor, Tensor]]]) -> None:
    assert all(torch.equal(of_rank["first"][0], torch.zeros(2)) for of_rank in found)


def test_one_process_keeps_what_it_has() -> None:
    x = torch.randn(3, 2)
    assert of_all_ranks(x) is x
    assert of_first_rank(x) is x
