"""Seconds from typing the command until SASRec's validation reaches a quality: start, data and validations included.

    python tests/bench/time_to_quality.py beauty --ndcg 0.040 model.optimizer.lr=0.002

Width 64, windows of 50, dropout 0.5, batches of 43 users (256 pairs on Beauty, as many as a batch of prefixes would
have); further words are options of main.py. Nothing else should run meanwhile.
"""

from __future__ import annotations

import argparse
import csv
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from processes import ROOT

SIZES = [
    "settings=none", "data.max_length=50", "data.batch_size=43", "model.backbone.dim=64", "model.backbone.ffn_dim=256",
    "model.backbone.dropout=0.5", "trainer.max_epochs=30",
]  # fmt: skip


def main() -> None:
    """Train until the epoch that is good enough, and say when it was."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--ndcg", type=float, default=0.040, help="validation NDCG@10")
    parser.add_argument("options", nargs="*")
    arguments = parser.parse_intermixed_args()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "log.csv")
        command = [sys.executable, "main.py", "model=sasrec", f"data={arguments.data}", f"hydra.run.dir={folder}"]
        start = time.perf_counter()
        process = subprocess.Popen(
            [*command, *SIZES, *arguments.options],
            cwd=ROOT,
            env={"OMP_NUM_THREADS": "2", **os.environ},
            stdout=subprocess.DEVNULL,
        )
        try:
            told = 0
            while process.poll() is None:
                values = curve(log)
                for epoch in range(told, len(values)):
                    print(
                        f"epoch {epoch + 1:2d}  {time.perf_counter() - start:6.1f} s  ndcg@10 {values[epoch]:.4f}",
                        flush=True,
                    )
                    if values[epoch] >= arguments.ndcg:
                        return
                told = len(values)
                time.sleep(0.1)
            sys.exit(f"{arguments.ndcg} was not reached; main.py ended with {process.returncode}")
        finally:
            process.kill()
            process.wait()


def curve(log: Path) -> list[float]:
    """Validation NDCG@10 of the epochs so far."""
    if not log.exists():
        return []
    with log.open() as file:
        return [float(row["val/ndcg@10"]) for row in csv.DictReader(file) if row.get("val/ndcg@10")]


if __name__ == "__main__":
    main()
