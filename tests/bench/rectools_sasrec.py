"""RecTools' SASRec on the sequences that seqrec trains on; run by compare.py inside RecTools' own environment.

Times a few training steps, and validation as its users do it: recommend ten items to all users, then its metrics.
It learns from the newest items of a user that fit its window, so from fewer pairs where histories are longer.
"""

from __future__ import annotations

import argparse
from typing import Any

import pandas
import peer
import torch
from pytorch_lightning import Callback, Trainer
from rectools.dataset import Dataset
from rectools.metrics import NDCG, Recall, calc_metrics
from rectools.models import SASRecModel


class Clock(Callback):
    """Seconds until the first step, and from the end of one step to the end of the next: with its batch."""

    def __init__(self) -> None:
        self.start = peer.now()
        self.steps: list[peer.Step] = []

    def on_train_start(self, trainer: Any, module: Any) -> None:
        self.preparation, _ = peer.since(self.start)
        self.start = peer.now()
        self.steps_per_epoch = trainer.num_training_batches

    def on_train_batch_end(self, *_: Any) -> None:
        self.steps.append(peer.since(self.start))
        self.start = peer.now()


def main() -> None:
    """Prepare, time and write the figures as JSON."""
    arguments = peer.command_line()
    peer.write(arguments.out, measure(arguments))


def measure(arguments: argparse.Namespace) -> dict[str, float]:
    """Seconds of preparation, of an epoch, of a validation and of recommendations."""
    clock = Clock()
    log = pandas.read_csv(arguments.interactions, sep="\t").set_axis(["user_id", "item_id", "datetime"], axis=1)
    log["datetime"] = pandas.to_datetime(log["datetime"], unit="s")
    log["weight"] = 1.0
    newest_first = log[::-1].groupby("user_id").cumcount()
    training, validation = log[newest_first >= 2], log[newest_first == 1]
    dataset = Dataset.construct(training)
    model = SASRecModel(
        n_factors=arguments.dim,
        n_blocks=2,
        n_heads=2,
        dropout_rate=arguments.dropout,
        session_max_len=arguments.max_length,
        batch_size=arguments.batch_size,
        loss="softmax",
        recommend_torch_device="cpu",
        recommend_batch_size=arguments.batch_size,
        get_trainer_func=lambda: Trainer(
            max_steps=peer.WARM_UP + arguments.steps,
            accelerator="cpu",
            callbacks=[clock],
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        ),
    )
    model.fit(dataset)
    clock = next(callback for callback in model.fit_trainer.callbacks if isinstance(callback, Clock))  # it is copied
    known = training["user_id"].unique()
    users = validation["user_id"][validation["user_id"].isin(known)].to_numpy()
    start = peer.now()
    found = model.recommend(users, dataset, k=10, filter_viewed=False)
    calc_metrics({"ndcg": NDCG(10), "recall": Recall(10)}, found, validation)
    wall, cpu = peer.since(start)
    kept = training.groupby("user_id").size().clip(upper=arguments.max_length + 1) - 1
    return {
        "preparation_seconds": clock.preparation,
        "evaluation_seconds": wall,
        "evaluation_cpu_seconds": cpu,
        **peer.epoch(clock.steps, clock.steps_per_epoch, int(kept.sum())),
        **peer.top10(lambda rows: model.recommend(users[rows], dataset, k=10, filter_viewed=False), len(users)),
    }


if __name__ == "__main__":
    torch.manual_seed(0)
    main()
