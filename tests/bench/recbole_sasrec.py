"""RecBole's SASRec on the sequences that seqrec trains on; run by compare.py inside RecBole's own environment.

    python recbole_sasrec.py sequences.inter out.json --steps 40

Times a few dozen training steps, from which the epoch follows (all its steps have the same shape), and one full
validation. RecBole is used as it ships; ``--no-anomaly`` switches off the anomaly detection that importing its
sequential models turns on.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import tempfile
import time
from pathlib import Path

import torch
from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.utils import get_model, get_trainer, init_seed
from recbole.utils.case_study import full_sort_topk

WARM_UP = 3


def main() -> None:
    """Prepare, time and write the figures as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("inter", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--max-length", type=int, default=50)
    parser.add_argument("--dim", type=int, default=64)
    parser.add_argument("--dropout", type=float, default=0.5)
    parser.add_argument("--no-anomaly", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        dataset_folder = Path(folder, "log")
        dataset_folder.mkdir()
        shutil.copy(arguments.inter, dataset_folder / "log.inter")
        result = measure(arguments, folder)
    arguments.out.write_text(json.dumps(result))


def measure(arguments: argparse.Namespace, folder: str) -> dict[str, float]:
    """Seconds of preparation, of an epoch and of a validation; peak memory in MB."""
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
        "eval_batch_size": 4096,
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
    start = time.perf_counter()
    dataset = create_dataset(config)
    train, valid, test = data_preparation(config, dataset)
    preparation = time.perf_counter() - start
    model = get_model("SASRec")(config, train.dataset)
    trainer = get_trainer(config["MODEL_TYPE"], "SASRec")(config, model)
    if arguments.no_anomaly:
        torch.autograd.set_detect_anomaly(False)
    steps = timed_steps(trainer, model, train, arguments.steps)
    walls, cpus = (sorted(column) for column in zip(*steps, strict=True))
    model.eval()
    before = time.perf_counter(), time.process_time()
    trainer._valid_epoch(valid)
    evaluation = time.perf_counter() - before[0], time.process_time() - before[1]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    users = list(range(1, dataset.user_num))
    return {
        "preparation_seconds": preparation,
        "seconds_per_epoch": walls[len(walls) // 2] * len(train),
        "cpu_seconds_per_epoch": cpus[len(cpus) // 2] * len(train),
        "steps_per_epoch": len(train),
        "pairs_per_epoch": len(train.dataset),
        "evaluation_seconds": evaluation[0],
        "evaluation_cpu_seconds": evaluation[1],
        "top10_of_one_user_seconds": seconds_of_top10(users, 1, 100, model, test),
        "top10_of_1024_users_seconds": seconds_of_top10(users, 1024, 5, model, test),
        "peak_memory_mb": peak,
        "threads": torch.get_num_threads(),
        "steps_timed": len(steps),
    }


def seconds_of_top10(users: list[int], count: int, repeats: int, model, test) -> float:
    """Median wall seconds of the ten best items for some users."""
    seconds = []
    for first in range(0, (1 + repeats) * count, count):
        some = [users[i % len(users)] for i in range(first, first + count)]
        start = time.perf_counter()
        full_sort_topk(some, model, test, k=10, device=torch.device("cpu"))
        seconds.append(time.perf_counter() - start)
    return sorted(seconds[1:])[repeats // 2]


def timed_steps(trainer, model, train, count: int) -> list[tuple[float, float]]:
    """Wall and CPU seconds of ``count`` steps after the warm-up, each with its batch."""
    model.train()
    batches, steps = iter(train), []
    for _ in range(WARM_UP + count):
        begin = time.perf_counter(), time.process_time()
        interaction = next(batches)
        trainer.optimizer.zero_grad()
        loss = model.calculate_loss(interaction)
        loss.item()
        loss.backward()
        trainer.optimizer.step()
        steps.append((time.perf_counter() - begin[0], time.process_time() - begin[1]))
    return steps[WARM_UP:]


if __name__ == "__main__":
    main()
