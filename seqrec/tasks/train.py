"""train: fit a model, select its weights on validation, rank the test split, write the run folder."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig

from seqrec.metrics import Protocol
from seqrec.reporting.run_report import write_report
from seqrec.reporting.terminal import show_result, show_start
from seqrec.runs.card import RunCard
from seqrec.runs.catalog import write_catalog, write_users
from seqrec.runs.configuration import configuration_hash
from seqrec.runs.folder import CONFIG
from seqrec.runs.origin import Origin, git_commit
from seqrec.runs.processes import is_first
from seqrec.training.build import build, load_data, start_from
from seqrec.training.callbacks.pruning import pruning
from seqrec.training.evaluator_check import check_evaluator
from seqrec.training.fit import fit
from seqrec.training.logged_result import log_result
from seqrec.training.loggers import open_loggers
from seqrec.training.origin import origin
from seqrec.training.process import prepare_process
from seqrec.training.references import reference_results
from seqrec.training.run import open_run, own_folder, plain
from seqrec.training.stages import Stage, stages
from seqrec.training.start_check import check_callbacks


def train(config: DictConfig) -> float:
    """Run the whole job in Hydra's output folder and return the best validation metric."""
    prepare_process()
    with own_folder(config):
        return _train(config)


def _train(config: DictConfig) -> float:
    run = open_run(config)
    check_callbacks(run.config.callbacks)
    first_stages, own = stages(run.config, run.folder)
    chief = is_first()  # of several processes, the one that writes
    if chief:
        own.open()
        begun = origin() if run.begins else Origin.read(own.folder).continued(git_commit())
        begun.write(own.folder)
        write_catalog(own.folder, run.data.sequences)
        check_evaluator(run.data, run.protocol)
    weights = None
    for stage in first_stages:
        weights = stage.finished() or pretrain(stage, run.protocol)
    model = build(own.config.model, run.protocol, own.config.seed)
    if weights is not None:
        start_from(model, own.into, weights)
    if chief and model.knows_users:
        write_users(own.folder, run.data.sequences)
    if chief:
        show_start(own.config.name, model, own.folder)
    with open_loggers(own.config.logger, plain(own.config), own.folder, model.monitor) as loggers:
        fitted = fit(model, run.data, own.config, own.folder, loggers, pruning())
        result = fitted.evaluate()
        if fitted.trainer.is_global_zero:
            references = reference_results(run.data, run.protocol)
            asked, used = Origin.read(own.folder), configuration_hash(own.folder / CONFIG)
            card = RunCard.of(
                run.data, run.protocol, result, model.monitor, own.config.seed, asked, fitted.machine, used
            )
            report = write_report(own.folder, own.config.name, run.data, card, result, references, fitted.log.rows)
            tables = {"slices": report.slices, "epochs": fitted.log.rows, "comparison": report.comparison.records()}
            log_result(loggers, result, card, report.references, tables, report.pictures, plain(own.config))
    if fitted.trainer.is_global_zero:  # below what loggers print at their end
        show_result(f"{own.config.name} on {run.data.name}, test split", report.comparison, own.folder)
    return result.val[model.monitor]


def pretrain(stage: Stage, protocol: Protocol) -> Path:
    """Train the model of a first stage; returns its selected weights."""
    data = load_data(stage.config.data)
    model = build(stage.config.model, protocol, stage.config.seed)
    if is_first():
        stage.open()
        show_start(stage.config.name, model, stage.folder, stage.config.patience is not None)
    return stage.finish(fit(model, data, stage.config, stage.folder))
