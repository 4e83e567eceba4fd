"""An epoch of seqrec's self-supervised baselines beside their plain forms (``plain_forms.py``), as one table of ratios.

    python tests/bench/compare_plain.py beauty --models iclrec coserec cbit mvs maerec

seqrec's epochs are whole ones of ``main.py task=bench``; a plain epoch follows from the median of timed steps, without
its k-means, similarity tables and masks of paths, which seqrec's figure has. Of models with augmented views the views
of one epoch are timed alone, too. Nothing else should run meanwhile. All figures are stored as JSON.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from plain_forms import FORMS, MAERec
from processes import ROOT, run
from torch import Tensor

from seqrec.data.indices.item_graph import transitions
from seqrec.data.windows import Windows, last_window
from seqrec.methods.contrastive.view_contrast import ViewContrastive
from seqrec.methods.coserec import CoSeRec
from seqrec.training.build import build, load_data
from seqrec.training.catalog import with_catalog

WARM_UP = 2
AFTER_WARM_UP = {"coserec": ["model.warmup_epochs=-1"]}  # where a plain form is of later epochs


def main() -> None:
    """Run both sides in turns and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="beauty, sports, toys, ml1m, ...")
    parser.add_argument("--models", nargs="+", choices=FORMS, default=list(FORMS))
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--steps", type=int, default=10, help="steps of the plain form that are timed a round")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("multirun/bench"))
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    print(f"{'CPU seconds an epoch':24}{'seqrec':>10}{'plain':>10}{'ratio':>8}")
    for name in arguments.models:
        rounds = [one_round(name, arguments, number) for number in range(arguments.rounds)]
        arguments.out.mkdir(parents=True, exist_ok=True)
        (arguments.out / f"plain-{name}-{arguments.data}.json").write_text(json.dumps(rounds, indent=1))
        for row in ("epoch", "views"):
            if row in rounds[0]["plain"]:
                ours, plain = (statistics.median(found[side][row] for found in rounds) for side in ("seqrec", "plain"))
                print(f"{name + ', ' + row:24}{ours:10.2f}{plain:10.2f}{plain / ours:7.1f}x", flush=True)


def one_round(name: str, arguments: argparse.Namespace, number: int) -> dict[str, dict[str, float]]:
    """CPU seconds of both sides."""
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        published = compose("config", [f"model={name}", f"data={arguments.data}", "settings=none"])
        size = f"data.batch_size={published.data.batch_size}"
        options = [f"model={name}", f"data={arguments.data}", "task=bench", size, *AFTER_WARM_UP.get(name, ())]
        config = compose("config", options)
    module = load_data(config.data)
    config = with_catalog(config, module)
    windows, width = module.training_windows(0), config.data.max_length
    torch.manual_seed(number)
    random.seed(number)
    batches = torch.randperm(len(windows)).split(config.data.batch_size)
    sequences = module.sequences
    items, offsets = sequences.items.tolist(), sequences.offsets.tolist()
    form = FORMS[name](config, sequences.num_items, [set(items[a:b]) for a, b in pairwise(offsets)])
    if isinstance(form, MAERec):
        whole = last_window(sequences, int(sequences.lengths.max()), torch.Generator())
        form.connect(*transitions(whole, config.model.distance))
    optimizer = torch.optim.Adam((weight for weight in form.parameters() if weight.requires_grad), lr=1e-3)

    def step(rows: Tensor) -> None:
        loss = form(*lists(windows, items, rows, width))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    few = batches[: WARM_UP + arguments.steps]
    found = {
        "seqrec": {"epoch": ours(options, arguments, number)},
        "plain": {"epoch": len(batches) * median_seconds(step, few)},
    }
    model = build(config.model, instantiate(config.protocol, _convert_="all"), config.seed)
    plain: Any = form
    if isinstance(model, ViewContrastive):
        model.windows = windows
        if isinstance(model, CoSeRec):
            model.prepare(sequences)
            model.refresh()
        made = median_seconds(lambda _: model.make_views(), few)
        batches_of_few: list[Any] = [windows.batch(rows, width) for rows in few]
        histories = [lists(windows, items, rows, width)[1] for rows in few]
        found["seqrec"]["views"] = made + len(batches) * median_seconds(model.views, batches_of_few)
        found["plain"]["views"] = len(batches) * median_seconds(plain.views, histories)
    return found


def lists(windows: Windows, items: list[int], rows: Tensor, width: int) -> tuple[list[int], list[list[int]], list[int]]:
    """Users, histories and targets of windows, as lists."""
    start, stop = torch.maximum(windows.start[rows], windows.stop[rows] - width).tolist(), windows.stop[rows].tolist()
    return windows.user[rows].tolist(), [items[a:b] for a, b in zip(start, stop, strict=True)], [items[b] for b in stop]


def median_seconds(function: Callable[[Any], object], batches: Sequence[Any]) -> float:
    """Median CPU seconds of a batch, the first ones left out."""
    seconds = []
    for batch in batches:
        before = time.process_time()
        function(batch)
        seconds.append(time.process_time() - before)
    return statistics.median(seconds[WARM_UP:])


def ours(options: list[str], arguments: argparse.Namespace, number: int) -> float:
    """CPU seconds of an epoch of ``main.py task=bench``."""
    folder = (arguments.out / f"seqrec-{options[0][6:]}{number}").resolve()
    whole = ["task.epochs=1", "task.validation_batches=1"]
    command = [sys.executable, "main.py", *options, *whole, f"hydra.run.dir={folder}"]
    run(command, arguments.threads)
    found: float = json.loads((folder / "bench.json").read_text())["cpu_seconds_per_epoch"]
    return found


if __name__ == "__main__":
    main()
