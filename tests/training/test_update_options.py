"""Options of task=update that mean nothing are refused before anything is read; sizes are put where they belong."""

from __future__ import annotations

import pytest
from omegaconf import OmegaConf

from seqrec.runs.sizes import resized
from seqrec.training.update.configuration import check

CONFIG = OmegaConf.create(
    {
        "resume": None,
        "trainer": {"devices": 1, "accelerator": "cpu"},
        "callbacks": {
            "last": {"_target_": "seqrec.training.callbacks.checkpoints.LastCheckpoint"},
            "log": {"_target_": "seqrec.training.callbacks.epoch_log.EpochLog"},
        },
    }
)


def test_the_run_says_what_is_trained() -> None:
    check(CONFIG, ["task=update", "task.run=x", "data.path=y", "+trainer.x=1", "hydra.run.dir=z"], 0, 1)
    for word in ("model=gru4rec", "model.dim=3", "windows=prefixes", "seed=3", "paper=fenrec", "data=beauty"):
        with pytest.raises(ValueError, match=rf"{word}: an update takes that from the run"):
            check(CONFIG, ["task=update", word], 0, 1)


def test_values_out_of_range() -> None:
    with pytest.raises(ValueError, match=r"task.epochs is -1; it must be a whole number of at least 0"):
        check(CONFIG, [], -1, 1)
    with pytest.raises(ValueError, match=r"task.window is 0; it must be a whole number of at least 1"):
        check(CONFIG, [], 1, 0)
    with pytest.raises(ValueError, match=r"trainer.devices=2: an update works in one process"):
        check(OmegaConf.merge(CONFIG, {"trainer": {"devices": 2}}), [], 1, 1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="an update that was stopped is begun again"):
        check(OmegaConf.merge(CONFIG, {"resume": "auto"}), [], 1, 1)  # type: ignore[arg-type]


def test_sizes_are_replaced_where_they_are_those_of_the_catalogue() -> None:
    node = {"backbone": {"num_items": 50, "dim": 50}, "labels": {"num_items": 3}, "parts": [{"num_users": 9}]}
    found = resized(node, {"num_items": 50, "num_users": 9}, {"num_items": 57, "num_users": 11})
    assert found == {"backbone": {"num_items": 57, "dim": 50}, "labels": {"num_items": 3}, "parts": [{"num_users": 11}]}
