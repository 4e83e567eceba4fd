"""Stops a trial of a search that is worse than the others were at the same epoch."""

from __future__ import annotations

import pytorch_lightning as pl
from pytorch_lightning.trainer.states import TrainerFn

from seqrec.runs.trial import ASKED, PRUNE, PRUNED, TrialName, quieten


def pruning() -> list[pl.Callback]:
    """What a run needs that is a trial; nothing where it is none."""
    name = TrialName.of_this_run()
    return [Pruning(name)] if name else []


class Pruning(pl.Callback):
    """Reports each validation to the study, whose median of earlier trials decides.

    The run ends as one that stopped early does: its best weights are judged. Several processes of one run are never
    stopped, for each would ask by itself.

    Args:
        name: of the trial.
    """

    def __init__(self, name: TrialName) -> None:
        quieten()
        import optuna  # of the extra seqrec[optuna], without which there is no trial

        quieten()
        study = optuna.load_study(study_name=name.study, storage=name.storage)
        rule = study.user_attrs[ASKED][PRUNE]
        study.pruner = optuna.pruners.MedianPruner(rule["after_trials"], rule["after_epochs"])
        self.trial = optuna.trial.Trial(study, study.trials[name.number]._trial_id)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """A run that was stopped, and killed before its end, trains no more."""
        if self.trial.user_attrs.get(PRUNED):
            trainer.should_stop = True

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Report the metric that the model is selected by."""
        if trainer.state.fn != TrainerFn.FITTING or trainer.world_size > 1:
            return
        self.trial.report(float(trainer.callback_metrics[f"val/{pl_module.monitor}"]), trainer.current_epoch + 1)
        if self.trial.should_prune():
            self.trial.set_user_attr(PRUNED, True)
            trainer.should_stop = True
