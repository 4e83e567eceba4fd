"""Models whose networks learn in turns need a strategy that does not wait for every gradient; a GPU must be there."""

from __future__ import annotations

import pytest
import torch

from seqrec.cli.overrides import check_configuration
from seqrec.training.strategies import check_accelerator, check_strategy

PLAIN = [
    ["trainer=ddp"],
    ["trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2"],
    ["trainer=cpu", "trainer.devices=2"],
    ["trainer=cpu", "trainer.devices=2", "trainer.strategy=ddp_spawn"],
    ["trainer=cpu", "trainer.strategy=ddp_find_unused_parameters_false"],
    ["trainer=gpu", "trainer.devices=[0,1]"],
    ["trainer=gpu", "trainer.devices='0,1'"],
    ["trainer=gpu", "trainer.devices=-1"],
]
FITTING = [
    ["trainer=ddp_adversarial"],
    ["trainer=cpu"],
    ["trainer=gpu"],
    ["trainer=gpu", "trainer.devices=[1]"],
    ["trainer=cpu", "trainer.devices=2", "trainer.strategy=ddp_find_unused_parameters_true"],
]


@pytest.fixture(autouse=True)
def four_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine with four GPUs."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)


@pytest.mark.parametrize("model", ["easnrec", "ecl_sr", "elecrec"])
@pytest.mark.parametrize("words", PLAIN, ids=" ".join)
def test_plain_ddp_is_refused_with_the_right_trainer(model: str, words: list[str]) -> None:
    with pytest.raises(ValueError, match=r"^trainer\.strategy=ddp\w*: .*; choose trainer=ddp_adversarial$"):
        check_strategy(check_configuration([f"model={model}", *words], targets=False))


@pytest.mark.parametrize("words", FITTING, ids=" ".join)
def test_others_pass(words: list[str]) -> None:
    check_strategy(check_configuration(["model=easnrec", *words], targets=False))


@pytest.mark.parametrize("accelerator", ["gpu", "cuda"])
def test_a_gpu_that_is_not_there_is_refused_with_what_to_choose(
    accelerator: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    trainer = check_configuration(["model=sasrec", "trainer=gpu", f"trainer.accelerator={accelerator}"], targets=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match=f"accelerator={accelerator}: PyTorch finds no GPU here; choose trainer=cpu"):
        check_accelerator(trainer.trainer)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    check_accelerator(trainer.trainer)


@pytest.mark.parametrize("words", PLAIN, ids=" ".join)
def test_models_with_one_optimizer_pass(words: list[str]) -> None:
    check_strategy(check_configuration(["model=sasrec", *words], targets=False))


FSDP = ["trainer=fsdp", "trainer.accelerator=cpu", "trainer.devices=2"]
SPARSE = ["model=sasrec", "model/loss=gbce", "+overlay=sparse_items"]
TABLE = "model/table=sharded"


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["model=easnrec", *FSDP], "trainer=fsdp: EASNRec steps its own optimizers .*; choose trainer=ddp_adversarial"),
        (["model=popularity", *FSDP], "trainer=fsdp: Popularity counts .*; choose trainer=auto"),
        (["model=sasrec", "trainer=ddp", "trainer.strategy=fsdp"], "trainer.strategy=fsdp: .*; choose trainer=fsdp"),
        ([*SPARSE, *FSDP], r"model\.sparse_items=true: trainer=fsdp cannot divide"),
        ([*SPARSE, "trainer=ddp", "trainer.accelerator=gpu"], r"model\.sparse_items=true: NCCL"),
        ([*SPARSE, "trainer=gpu", "trainer.devices=[0,1]"], r"model\.sparse_items=true: NCCL"),
        (["model=sasrec", TABLE], "model/table=sharded: .*add trainer=fsdp"),
        (["model=sasrec", "model/loss=gbce", TABLE, *FSDP], "model/table=sharded: SASRec and FENRec alone"),
        (["model=sasrec", "model/backbone=gru", TABLE, *FSDP], "model/table=sharded: SASRec and FENRec alone"),
    ],
)
def test_what_cannot_be_divided_or_added_up_is_refused(words: list[str], named: str) -> None:
    with pytest.raises(ValueError, match=f"^{named}"):
        check_strategy(check_configuration(words, targets=False))


@pytest.mark.parametrize(
    "words",
    [
        [*SPARSE, "trainer=gpu"],
        [*SPARSE, "trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2"],
        ["model=fenrec", *FSDP],
        ["model=fenrec", TABLE, *FSDP],
        ["model=sasrec", TABLE, *FSDP],
    ],
)
def test_what_can_passes(words: list[str]) -> None:
    check_strategy(check_configuration(words, targets=False))
