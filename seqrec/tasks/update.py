"""update: a new run from a finished one and a log of what came later; old numbers stay."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from seqrec import inference
from seqrec.data.store import write_entry
from seqrec.reporting.run_report import write_report
from seqrec.reporting.terminal import show_start
from seqrec.reporting.update_report import show_update
from seqrec.runs.card import RunCard
from seqrec.runs.catalog import write_catalog, write_users
from seqrec.runs.configuration import configuration_hash
from seqrec.runs.files import write_json
from seqrec.runs.folder import CONFIG, HISTORIES, UPDATE
from seqrec.runs.origin import Origin
from seqrec.training.build import load_data
from seqrec.training.callbacks.train_on import write_config
from seqrec.training.loggers import open_loggers
from seqrec.training.origin import origin
from seqrec.training.process import prepare_process
from seqrec.training.references import reference_results
from seqrec.training.run import own_folder, plain, show_data
from seqrec.training.update.configuration import check, updated_config
from seqrec.training.update.finished import FinishedRun
from seqrec.training.update.judged import as_before, judged
from seqrec.training.update.log import histories, reader
from seqrec.training.update.tune import GrownModel, fine_tune
from seqrec.training.update.whole import remove_killed, whole_or_nothing


def update(
    config: DictConfig,
    run: str,
    log: str,
    epochs: int,
    steps: int,
    freeze: bool,
    window: int,
    min_user: int | None,
    min_item: int | None,
) -> float:
    """Update a run in a folder of its own; returns the best validation metric.

    Args:
        config: the whole configuration; of ``data`` it says how the log is read.
        run: folder of a finished run.
        log: ``new`` or ``whole``, see :func:`~seqrec.training.update.log.histories`.
        epochs, steps: of the fine-tuning; ``conf/task/update.yaml`` gives them to the trainer.
        freeze: train the rows of new items and users alone.
        window: positions within which two items of a history are neighbours.
        min_user, min_item: interactions that a new user, a new item needs in the log.
    """
    prepare_process()
    overrides, folder = list(HydraConfig.get().overrides.task), Path(HydraConfig.get().runtime.output_dir)
    check(config, overrides, epochs, window)
    remove_killed(folder)
    with own_folder(config), whole_or_nothing(folder):
        old = FinishedRun.of(Path(run).expanduser(), config)
        options = reader(old, config, overrides)
        sequences = histories(old, config, options, log, min_user, min_item)
        complete, protocol = updated_config(old, config, overrides, sequences, options, folder)
        write_entry(folder / HISTORIES, sequences, {"run": str(old.folder), "log": options})
        data = load_data(complete.data)
        show_data(data)
        grown = GrownModel.of(old, complete, data, protocol, window)
        write_config(complete, folder)
        now = origin()
        replace(Origin.read(old.folder), command=now.command, git_commit=now.git_commit).write(folder)
        write_catalog(folder, sequences)
        if grown.model.knows_users:
            write_users(folder, sequences)
        show_start(complete.name, grown.model, folder)
        with open_loggers(complete.logger, plain(complete), folder, grown.model.monitor) as loggers:
            tuned = fine_tune(grown, data, complete, folder, loggers, freeze)
        result = tuned.result(data)
        before = as_before(inference.load(old.folder).model, old.sizes, old.catalog.count, sequences.num_items)
        scores: dict[str, Any] = {"before": lambda: before}
        scores |= {"grown": partial(tuned.score, trained=False), "after": partial(tuned.score, trained=True)}
        report = judged(scores, data, grown.model, old.sizes)
        report |= {"run": str(old.folder), "epoch": result.best_epoch, "starts": grown.starts}
        used = configuration_hash(folder / CONFIG)
        machine, asked = tuned.fitted.machine, Origin.read(folder)
        card = RunCard.of(data, protocol, result, grown.model.monitor, complete.seed, asked, machine, used)
        write_json(folder / UPDATE, report)
        references = reference_results(data, protocol)
        write_report(folder, complete.name, data, card, result, references, tuned.fitted.log.rows)
        show_update(f"{complete.name} on {data.name}, test split", report, folder)
    return result.val[grown.model.monitor]
