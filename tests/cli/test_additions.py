"""Arguments that no file lists: + adds what the target's signature has, and nothing else."""

from __future__ import annotations

import pytest

from seqrec.cli.overrides import check_configuration

CALLBACK = "{_target_:pytorch_lightning.callbacks.LearningRateMonitor,logging_interval:epoch}"
LOGGER = "{_target_:pytorch_lightning.loggers.CSVLogger,save_dir:logs}"


def refusal(*words: str, targets: bool = True) -> str:
    with pytest.raises(ValueError) as caught:
        check_configuration(["model=sasrec", *words], targets=targets)
    return str(caught.value)


@pytest.mark.parametrize(
    "line",
    [
        "+trainer.accumulate_grad_batches=2",
        "+trainer.val_check_interval=0.5 +trainer.min_epochs=3",
        "+model.optimizer.betas=[0.9,0.98] +model.optimizer.weight_decay=0",
        "+trainer.callbacks=[{_target_:pytorch_lightning.callbacks.LearningRateMonitor}]",
        "+model.optimizer.eps=${model.optimizer.lr}",
        "+callbacks.early_stopping.min_delta=0.1",
        "logger=wandb +logger.wandb.prefix=a",
        "logger=csv +logger.csv.flush_logs_every_n_steps=5",
        f"+callbacks.mine={CALLBACK}",
        f"logger=none +logger.mine={LOGGER}",
        f"logger=csv +logger.mine={LOGGER}",
    ],
)
def test_arguments_of_the_signature_can_be_added(line: str) -> None:
    check_configuration(["model=sasrec", *line.split()])


def test_an_added_value_is_part_of_the_configuration() -> None:
    config = check_configuration(["model=sasrec", "+trainer.accumulate_grad_batches=2"])
    assert config.trainer.accumulate_grad_batches == 2


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("+trainer.accumulate_grad_batches=x", "trainer.accumulate_grad_batches is 'x'; it must be a whole number"),
        ("+model.optimizer.betas=[0.9]", "model.optimizer.betas is [0.9]; it must be a list of 2"),
        ("+model.optimizer.betas=[a,b]", "it must be a list of 2 (each a number"),
        ("+model.backbone.x=1", "model.backbone has no key 'x'"),
        ("+trainer.acumulate_grad_batches=2", "did you mean +trainer.accumulate_grad_batches?"),
        ("+trainer.max_epoch=2", "did you mean trainer.max_epochs?"),
        ("+trainer.max_epochs=2", "exists already; write trainer.max_epochs=2"),
        ("+catalog.x=1", "catalog has no key 'x'"),
        ("+model.x.y=1", "model has no key 'x'"),
        ("+callbacks.progress.x=1", "callbacks.progress has no key 'x'; with + it takes nothing"),
        ("+callbacks.mine=3", "write +callbacks.<name>={_target_:package.Class,...}"),
        (
            "+callbacks.mine={_target_:os.system}",
            "callbacks.mine._target_ is 'os.system'; a configuration may only call",
        ),
        ("+callbacks.mine={_target_:seqrec.training.callbacks.progress.EpochProgres}", "did you mean 'EpochProgress'?"),
        (f"+callbacks.mine={CALLBACK.replace('interval', 'intervall')}", "did you mean 'logging_interval'?"),
        ("logger=csv +logger.csv.flush_logs_every_n_steps=x", "it must be a whole number"),
        ("+logger.tags=[a]", "logger holds nodes by name"),
    ],
)
def test_others_are_refused(line: str, message: str) -> None:
    assert message in refusal(*line.split())


@pytest.mark.parametrize("key", ["trainer.accumulate_grad_batches=2", "trainer.min_epochs=2", "model.optimizer.eps=0"])
def test_without_a_plus_the_message_says_to_write_one(key: str) -> None:
    assert refusal(key).endswith(f"write +{key}")
    assert refusal(key, targets=False).endswith(f"write +{key}")


def test_sweeps_add_too() -> None:
    check_configuration(["model=sasrec", "+trainer.accumulate_grad_batches=1,2"], multirun=True)
    with pytest.raises(ValueError, match="is 'x'"):
        check_configuration(["model=sasrec", "+trainer.accumulate_grad_batches=1,x"], multirun=True)
