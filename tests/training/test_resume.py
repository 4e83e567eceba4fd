"""Configurations that older versions stored are read in the words of today."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import yaml
from omegaconf import DictConfig, OmegaConf

from seqrec.runs.folder import CONFIG, LAST
from seqrec.training.resume import stored_or_given

STORED = {  # the shape of version 0.1: no callbacks, one logger or none, protocols named after papers
    "seed": 3,
    "resume": None,
    "patience": 10,
    "catalog": {"num_items": 5},
    "data": {"_target_": "seqrec.data.synthetic.Synthetic", "root": None},
    "model": {
        "_target_": "seqrec.methods.icsrec.ICSRec",
        "pair_contrast": {
            "_target_": "seqrec.functional.hard_negatives.in_batch",
            "_partial_": True,
            "temperature": 1.0,
        },
    },
    "protocol": {"_target_": "seqrec.metrics.Protocol", "name": "fenrec", "remove_seen": True},
    "trainer": {"max_epochs": 2},
    "logger": None,
}


def composed() -> DictConfig:
    now = {**STORED, "resume": "here", "logger": {}, "callbacks": {"last": {"_target_": "x"}}, "seed": 0}
    return OmegaConf.create({**now, "trainer": {"max_epochs": 9}})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / LAST).parent.mkdir()
    torch.save({"state_dict": {}, "epoch": 0}, tmp_path / LAST)
    (tmp_path / CONFIG).write_text(yaml.safe_dump(STORED))
    return tmp_path


def test_names_that_moved_lead_to_those_of_today_and_new_parts_are_as_composed(folder: Path) -> None:
    stored = stored_or_given(composed(), [], folder)
    assert stored.data._target_ == "seqrec.data.sets.synthetic.Synthetic"
    assert stored.model.pair_contrast == {"_target_": "seqrec.methods.contrastive.InBatchContrast", "temperature": 1.0}
    assert stored.logger == {} and stored.callbacks.last._target_ == "x"
    assert (stored.seed, stored.trainer.max_epochs) == (3, 2)


def test_the_one_logger_of_an_older_run_is_kept(folder: Path) -> None:
    logger = {"_target_": "pytorch_lightning.loggers.WandbLogger", "project": "mine"}
    (folder / CONFIG).write_text(yaml.safe_dump({**STORED, "logger": logger}))
    assert stored_or_given(composed(), [], folder).logger == {"logger": logger}


def test_budgets_are_taken_from_the_command_line_and_nothing_else(folder: Path) -> None:
    stored = stored_or_given(composed(), ["trainer.max_epochs=9"], folder)
    assert stored.trainer.max_epochs == 9
    with pytest.raises(ValueError, match="seed=0 would make another run than the stored one"):
        stored_or_given(composed(), ["seed=0"], folder)


STOPPING = "seqrec.training.callbacks.checkpoints.EarlyStopping"


@pytest.mark.parametrize("key", ["patience", "patience_steps"])
def test_another_patience_reaches_the_callback(folder: Path, key: str) -> None:
    config = composed()
    config[key], config.callbacks.early_stopping = 7, {"_target_": STOPPING, key: f"${{{key}}}"}
    (folder / CONFIG).write_text(
        yaml.safe_dump({**STORED, "callbacks": {"early_stopping": {"_target_": STOPPING, key: 10}}})
    )
    stored = stored_or_given(config, [f"{key}=7"], folder)
    assert stored[key] == stored.callbacks.early_stopping[key] == 7
    (folder / CONFIG).write_text(yaml.safe_dump({**STORED, "callbacks": {}}))
    stored = stored_or_given(config, [f"{key}=7"], folder)
    assert stored[key] == 7 and stored.callbacks == {}


@pytest.mark.parametrize("machine", ["ddp", "cpu", "gpu"])
def test_a_trainer_group_gives_the_machine_and_not_the_length(folder: Path, machine: str) -> None:
    config = composed()
    new = {"max_epochs": 300, "max_time": None, "accelerator": "gpu", "devices": 4, "strategy": "ddp", "precision": 16}
    config.trainer = new
    stored = stored_or_given(config, [f"trainer={machine}"], folder)
    assert stored.trainer == {
        "max_epochs": 2, "accelerator": "gpu", "devices": 4, "strategy": "ddp", "precision": 16
    }  # fmt: skip
    stored = stored_or_given(config, [f"trainer={machine}", "trainer.max_epochs=300"], folder)
    assert stored.trainer.max_epochs == 300


SCHEDULES = [
    {"scheduler": {"_target_": "torch.optim.lr_scheduler.CosineAnnealingLR", "T_max": 2}},
    {"scheduler": {"_target_": "torch.optim.lr_scheduler.MultiStepLR", "milestones": {"end": 2}}},
    {
        "discriminator": {
            "scheduler": {"_target_": "torch.optim.lr_scheduler.ConstantLR", "total_iters": 2, "gamma": 0.5}
        }
    },
]


@pytest.mark.parametrize("model", SCHEDULES, ids=["cosine", "nested", "of-a-part"])
def test_a_longer_budget_is_refused_where_the_learning_rate_was_laid_out_for_the_shorter(
    folder: Path, model: dict[str, object]
) -> None:
    (folder / CONFIG).write_text(yaml.safe_dump({**STORED, "model": model}))
    with pytest.raises(ValueError, match=r"laid out for 2 epochs \(model\..*=2\)"):
        stored_or_given(composed(), ["trainer.max_epochs=9"], folder)
    shorter = composed()
    shorter.trainer.max_epochs = 1
    assert stored_or_given(shorter, ["trainer.max_epochs=1"], folder).trainer.max_epochs == 1
    assert stored_or_given(composed(), [], folder).trainer.max_epochs == 2
