"""RecBole's SASRec on the sequences that seqrec trains on; run by compare.py inside RecBole's own environment.

Times a few dozen training steps and one full validation. RecBole is used as it ships; ``--no-anomaly`` switches off
the anomaly detection that importing its sequential models turns on.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path
from typing import Any

import peer
import torch
from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.utils import get_model, get_trainer, init_seed
from recbole.utils.case_study import full_sort_topk


def main() -> None:
    """Prepare, time and write the figures as JSON."""
    arguments = peer.command_line()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "log", "log.inter")
        log.parent.mkdir()
        shutil.copy(arguments.interactions, log)
        peer.write(arguments.out, measure(arguments, folder))


def measure(arguments: argparse.Namespace, folder: str) -> dict[str, float]:
    """Seconds of preparation, of an epoch, of a validation and of recommendations."""
    settings = {
        "data_path": folder,
        "use_gpu": False,
        "load_col": {"inter": ["user_id", "item_id", "timestamp"]},
        "loss_type": "CE",
        "train_neg_sample_args": None,
        "hidden_size": arguments.dim,
        "inner_size": 4 * arguments.dim,
        "hidden_dropout_prob": arguments.dropout,
        "attn_dropout_prob": arguments.dropout,
        "MAX_ITEM_LIST_LENGTH": arguments.max_length,
        "train_batch_size": arguments.batch_size,
        "eval_batch_size": 4096 * 64 // arguments.dim,  # its own 4,096 fills 12 GB on ML-1M at width 64
        "eval_args": {
            "split": {"LS": "valid_and_test"},
            "order": "TO",
            "group_by": "user",
            "mode": {"valid": "full", "test": "full"},
        },
        "topk": [10],
        "metrics": ["Recall", "NDCG"],
        "valid_metric": "NDCG@10",
        "checkpoint_dir": folder,
    }
    config = Config(model="SASRec", dataset="log", config_dict=settings)
    init_seed(0, True)
    start = peer.now()
    dataset = create_dataset(config)
    train, valid, test = data_preparation(config, dataset)
    preparation, _ = peer.since(start)
    model = get_model("SASRec")(config, train.dataset)
    trainer = get_trainer(config["MODEL_TYPE"], "SASRec")(config, model)
    if arguments.no_anomaly:
        torch.autograd.set_detect_anomaly(False)
    steps = timed_steps(trainer, model, train, arguments.steps)
    model.eval()
    start = peer.now()
    trainer._valid_epoch(valid)
    wall, cpu = peer.since(start)
    device = torch.device("cpu")
    return {
        "preparation_seconds": preparation,
        "evaluation_seconds": wall,
        "evaluation_cpu_seconds": cpu,
        **peer.epoch(steps, len(train), len(train.dataset)),
        **peer.top10(
            lambda users: full_sort_topk([u + 1 for u in users], model, test, k=10, device=device), dataset.user_num - 1
        ),
    }


def timed_steps(trainer: Any, model: Any, train: Any, count: int) -> list[peer.Step]:
    """Steps with their batches, the warm-up among them."""
    model.train()
    batches, steps = iter(train), []
    for _ in range(peer.WARM_UP + count):
        start = peer.now()
        interaction = next(batches)
        trainer.optimizer.zero_grad()
        loss = model.calculate_loss(interaction)
        loss.item()
        loss.backward()
        trainer.optimizer.step()
        steps.append(peer.since(start))
    return steps


if __name__ == "__main__":
    main()
