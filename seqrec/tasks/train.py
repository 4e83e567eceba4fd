"""train: fit a model, select its weights on validation, rank the test split, write the run folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint

from seqrec.data.datamodule import SequenceDataModule
from seqrec.methods.base import Recommender
from seqrec.metrics import Protocol
from seqrec.tasks.canaries import check_evaluator
from seqrec.tasks.catalog import fill_catalog
from seqrec.tasks.console import EpochProgress, show_result, show_start, silence_libraries
from seqrec.tasks.history import History
from seqrec.tasks.plots import plot_comparison, plot_curves, plot_slices
from seqrec.tasks.references import reference_results
from seqrec.tasks.report import Result, per_user, protocol_card, slices, write_json
from seqrec.tasks.run_folder import CONFIG, LAST, stored_config

References = dict[str, dict[str, float]]


def train(config: DictConfig) -> float:
    """Run the whole job in Hydra's output folder and return the best validation metric."""
    folder = Path(HydraConfig.get().runtime.output_dir)
    config = stored_config(config, list(HydraConfig.get().overrides.task), folder)
    config.name = config.name or HydraConfig.get().runtime.choices["model"]
    silence_libraries()
    pl.seed_everything(config.seed, verbose=False)
    data, protocol = prepare(config)
    model = build(config, protocol)
    history = History(folder)
    logger = instantiate(config.logger)
    trainer: pl.Trainer = instantiate(
        config.trainer,
        default_root_dir=str(folder),
        logger=logger or False,
        callbacks=[*selection(config, model, folder), history, EpochProgress(model.monitor)],
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


def selection(config: DictConfig, model: Recommender, folder: Path) -> list[pl.Callback]:
    """Early stopping, best and last checkpoint; the best by the model's own validation metric.

    The last is written after the best, so that it knows it, and after every epoch: Lightning's ``save_last``
    skips epochs without a new best.
    """
    metric = f"val/{model.monitor}"
    stopping = EarlyStopping(metric, mode="max", patience=config.patience, check_on_train_epoch_end=False)
    place: dict[str, Any] = {"dirpath": folder / "checkpoints", "enable_version_counter": False}
    best = BestCheckpoint(filename="best", monitor=metric, mode="max", save_on_train_epoch_end=True, **place)
    last = ModelCheckpoint(filename="last", save_on_train_epoch_end=True, **place)
    return [stopping, best, last]


class BestCheckpoint(ModelCheckpoint):
    """The best checkpoint of a run whose folder may have been moved since it stopped."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue with the best so far, at its place in the folder of today."""
        best = str(Path(self.dirpath or "") / Path(state_dict["best_model_path"]).name)
        scores = dict.fromkeys([best], state_dict["best_model_score"])
        paths = {"dirpath": self.dirpath, "best_model_path": best, "kth_best_model_path": best}
        super().load_state_dict(state_dict | paths | {"best_k_models": scores})


def last_checkpoint(config: DictConfig, folder: Path) -> Path | None:
    """Where to go on from, None for a fresh run."""
    path = folder / LAST
    return path if config.resume is not None and path.exists() else None


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
    write_json(folder / "metrics.json", metrics | more)
    if hasattr(logger, "log_image"):
        logger.log_metrics({f"test/{key}": value for key, value in result.test.items()})
        columns = list(parts[0])
        logger.log_table("slices", columns=columns, data=[[part[column] for column in columns] for part in parts])
        for picture in ("curves", "comparison", "slices"):
            logger.log_image(f"plots/{picture}", [str(folder / f"{picture}.png")])
    show_result(f"{name} on {data.name}, test split", everything, list(result.test), folder)
