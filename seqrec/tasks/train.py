"""train: fit a model, select its weights on validation, rank the test split, write the run folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.callbacks import ModelCheckpoint

from seqrec.data.datamodule import SequenceDataModule
from seqrec.methods.base import Recommender
from seqrec.metrics import Protocol
from seqrec.reporting.figures import plot_comparison, plot_curves, plot_slices
from seqrec.reporting.terminal import show_result, show_start
from seqrec.runs.card import protocol_card
from seqrec.runs.folder import CONFIG, FIRST_STAGE, METRICS
from seqrec.runs.result import Result, per_user, slices, write_json
from seqrec.training.callbacks.checkpoints import last_checkpoint, selection
from seqrec.training.callbacks.epoch_log import History
from seqrec.training.callbacks.interrupts import HeedInterrupts
from seqrec.training.callbacks.progress import EpochProgress
from seqrec.training.catalog import fill_catalog
from seqrec.training.evaluator_check import check_evaluator
from seqrec.training.quiet import silence_libraries
from seqrec.training.references import reference_results
from seqrec.training.resume import stored_config
from seqrec.training.stages import chosen, first_config, start_from, train_first

References = dict[str, dict[str, float]]


def train(config: DictConfig) -> float:
    """Run the whole job in Hydra's output folder and return the best validation metric."""
    folder = Path(HydraConfig.get().runtime.output_dir)
    config = stored_config(config, list(HydraConfig.get().overrides.task), folder)
    config.name = config.name or HydraConfig.get().runtime.choices["model"]
    silence_libraries()
    pl.seed_everything(config.seed, verbose=False)
    data, protocol = prepare(config)
    weights = first_stage(config, protocol, folder)
    model = build(config, protocol)
    if weights is not None:
        start_from(model, config.warm_start.into, weights)
    history = History(folder)
    logger = instantiate(config.logger)
    trainer: pl.Trainer = instantiate(
        config.trainer,
        default_root_dir=str(folder),
        logger=logger or False,
        callbacks=[*selection(config, model, folder), history, EpochProgress(model.monitor), HeedInterrupts()],
        enable_progress_bar=False,
    )
    references: References = {}
    if trainer.is_global_zero:
        folder.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(config, folder / CONFIG, resolve=True)
        show_start(config.name, model, data, folder)
        check_evaluator(data, protocol)
        references = reference_results(data, protocol)
    failed = True
    try:
        if logger is not None:
            logger.log_hyperparams(OmegaConf.to_container(config, resolve=True))
        trainer.fit(model, datamodule=data, ckpt_path=last_checkpoint(config, folder), weights_only=True)
        if trainer.interrupted:
            raise KeyboardInterrupt  # Lightning ends quietly; a stopped run must not report a result
        result = evaluate_best(trainer, model, data, history)
        if trainer.is_global_zero:
            write_results(folder, config, model, data, result, references, history, logger)
        failed = False
    finally:
        if logger is not None:
            logger.experiment.finish(exit_code=int(failed))
    return result.val[model.monitor]


def first_stage(config: DictConfig, protocol: Protocol, folder: Path) -> Path | None:
    """Train what :mod:`seqrec.training.stages` describes, unless that is done; None if the run needs no weights."""
    if config.warm_start is None or last_checkpoint(config, folder) is not None:
        return None
    first, place = first_config(config), folder / FIRST_STAGE
    if not (place / METRICS).exists():
        data, _ = prepare(first)
        train_first(first, config, build(first, protocol), data, place)
    pl.seed_everything(config.seed, verbose=False)  # the same draws whether the stage was trained now or before
    return chosen(first, place)


def prepare(config: DictConfig) -> tuple[SequenceDataModule, Protocol]:
    """The prepared data set and the protocol; the sizes of the catalogue enter the configuration."""
    data: SequenceDataModule = instantiate(config.data)
    data.setup()
    fill_catalog(config, data)
    return data, instantiate(config.protocol, _convert_="all")


def build(config: DictConfig, protocol: Protocol) -> Recommender:
    """The model under its protocol; the same seed gives the same initial weights."""
    torch.manual_seed(config.seed)
    model: Recommender = instantiate(config.model, _convert_="all")
    model.protocol = protocol
    return model


def evaluate_best(trainer: pl.Trainer, model: Recommender, data: SequenceDataModule, history: History) -> Result:
    """Validation and test metrics of the weights that were best on validation.

    Raises:
        RuntimeError: there are none; the test split is never ranked without a selection on validation.
    """
    assert isinstance(trainer.checkpoint_callback, ModelCheckpoint)
    path = trainer.checkpoint_callback.best_model_path
    if not path:
        raise RuntimeError("no best checkpoint was written: the validation metric was never logged")
    best = torch.load(path, weights_only=True, map_location="cpu")
    epochs = trainer.current_epoch
    model.load_state_dict(best["state_dict"])
    trainer.logger = None  # a second look at validation is no point of the curves
    trainer.validate(model, datamodule=data, verbose=False)
    val = model.ranks.compute()[0]
    trainer.test(model, datamodule=data, verbose=False)
    test, row, rank = model.ranks.compute()
    return Result(val, test, epochs, int(best["epoch"]) + 1, history.seconds, row, rank)


def write_results(
    folder: Path,
    config: DictConfig,
    model: Recommender,
    data: SequenceDataModule,
    result: Result,
    references: References,
    history: History,
    logger: Any,
) -> None:
    """Fill the run folder, send the same to the logger, show the table."""
    table = per_user(data, result)
    parts = slices(table, model.protocol)
    card = protocol_card(data, model.protocol, result, model.monitor, config.seed)
    name = config.name
    everything = dict(sorted((references | {name: result.test}).items(), key=lambda row: row[1]["mrr"]))
    table.write_parquet(folder / "per_user.parquet")
    metric = f"ndcg@{model.protocol.cutoffs[len(model.protocol.cutoffs) // 2]}"
    plot_curves(history.rows, model.monitor, folder / "curves.png")
    plot_comparison(everything, metric, folder / "comparison.png")
    plot_slices(parts, metric, folder / "slices.png")
    write_json(folder / "protocol.json", card)
    metrics = {"val": result.val, "test": result.test, "epochs": result.epochs, "seconds": result.seconds}
    more = {"best_epoch": result.best_epoch, "references": references, "slices": parts}
    first = folder / FIRST_STAGE / METRICS
    warm = {"warm_start": json.loads(first.read_text())} if first.exists() else {}
    write_json(folder / METRICS, metrics | more | warm)
    if hasattr(logger, "log_image"):
        logger.log_metrics({f"test/{key}": value for key, value in result.test.items()})
        columns = list(parts[0])
        logger.log_table("slices", columns=columns, data=[[part[column] for column in columns] for part in parts])
        for picture in ("curves", "comparison", "slices"):
            logger.log_image(f"plots/{picture}", [str(folder / f"{picture}.png")])
    show_result(f"{name} on {data.name}, test split", everything, list(result.test), folder)
