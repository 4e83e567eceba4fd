"""seqrec's SASRec beside those of RecBole and RecTools on the same data and the same machine, in turns, as one table.

    python tests/bench/compare.py beauty
    python tests/bench/compare.py ml1m --dim 256 --peers rectools
    python tests/bench/compare.py beauty --prefixes

The first use of a peer installs it into an environment of its own. A peer's epoch follows from its median step; its
validation is timed whole. Nothing else should run meanwhile. All figures are stored as JSON.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import venv
from pathlib import Path

import polars
import torch
from hydra import compose, initialize_config_dir
from processes import ROOT, run

from seqrec.training.build import load_data

HERE = Path(__file__).parent
SIZES = {"beauty": (50, 256, 0.5), "ml1m": (200, 128, 0.2)}  # longest history, batch, dropout; others as beauty
REQUIREMENTS = {
    "recbole": ["torch", "numpy<2", "setuptools<81", "recbole==1.2.1"],
    "rectools": ["torch", "rectools[torch]==0.19.0"],
    "replay": ["torch", "replay-rec==0.22.0", "lightning"],
}
VARIANTS: dict[str, list[list[str]]] = {"recbole": [[], ["--no-anomaly"]], "rectools": [[]]}
ROWS = (
    "preparation_seconds",
    "seconds_per_epoch",
    "cpu_seconds_per_epoch",
    "evaluation_seconds",
    "evaluation_cpu_seconds",
    "top10_of_one_user_seconds",
    "top10_of_1024_users_seconds",
    "peak_memory_mb",
)


def main() -> None:
    """Run both sides in turns and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="beauty, sports, toys, ml1m, ...")
    parser.add_argument("--peers", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--dim", type=int, default=64)
    parser.add_argument("--prefixes", action="store_true", help="seqrec learns one prefix a row, as RecBole does")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=3, help="whole epochs of seqrec that are timed a round")
    parser.add_argument("--steps", type=int, default=30, help="training steps of a peer that are timed a round")
    parser.add_argument("--out", type=Path, default=Path("multirun/bench"))
    arguments = parser.parse_args()
    arguments.out = arguments.out.resolve()
    arguments.out.mkdir(parents=True, exist_ok=True)
    interactions = arguments.out / f"{arguments.data}.inter"
    write_interactions(arguments.data, interactions)
    pythons = {name: environment(name, arguments.out / "environments") for name in arguments.peers}
    figures: dict[str, list[dict[str, float]]] = {}
    for number in range(arguments.rounds):
        figures.setdefault("seqrec", []).append(ours(arguments, number))
        for name, python in pythons.items():
            for options in VARIANTS[name]:
                script, out = HERE / f"{name}_sasrec.py", arguments.out / f"{name}{number}{''.join(options)}.json"
                run([*map(str, (python, script, interactions, out)), *sizes(arguments), *options])
                figures.setdefault(" ".join([name, *options]), []).append(json.loads(out.read_text()))
    (arguments.out / f"{arguments.data}.json").write_text(json.dumps(figures, indent=1))
    print_table(figures)


def environment(name: str, folder: Path) -> Path:
    """The interpreter of a peer's own environment, which is made at its first use."""
    python, complete = folder / name / "bin" / "python", folder / name / "complete"
    if not complete.exists():
        print(f"installing {name} into {folder / name}")
        venv.create(folder / name, clear=True, with_pip=True)
        run([str(python), "-m", "pip", "install", *REQUIREMENTS[name]])
        complete.touch()
    return python


def sizes(arguments: argparse.Namespace) -> list[str]:
    """Sizes of the model and of what is timed, for a peer."""
    length, batch, dropout = SIZES.get(arguments.data, SIZES["beauty"])
    given = {
        "steps": arguments.steps,
        "dim": arguments.dim,
        "max-length": length,
        "batch-size": batch,
        "dropout": dropout,
    }
    return [f"--{name}={value}" for name, value in given.items()]


def write_interactions(data: str, path: Path) -> None:
    """The sequences in the format of RecBole; the place in the history is the time stamp."""
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        sequences = load_data(compose("config", [f"data={data}"]).data).sequences
    place = torch.arange(len(sequences.items)) - torch.repeat_interleave(sequences.offsets[:-1], sequences.lengths)
    user = torch.repeat_interleave(torch.arange(sequences.num_users), sequences.lengths)
    columns = {"user_id:token": user, "item_id:token": sequences.items, "timestamp:float": place}
    polars.DataFrame({name: column.numpy() for name, column in columns.items()}).write_csv(path, separator="\t")


def ours(arguments: argparse.Namespace, number: int) -> dict[str, float]:
    """Figures of ``main.py task=bench``."""
    folder = arguments.out / f"seqrec{number}"
    length, batch, dropout = SIZES.get(arguments.data, SIZES["beauty"])
    network = {
        "dim": arguments.dim, "ffn_dim": 4 * arguments.dim, "dropout": dropout, "attention_dropout": dropout
    }  # fmt: skip
    options = [f"model.backbone.{name}={value}" for name, value in network.items()]
    options += [f"data.max_length={length}", f"data.batch_size={batch}"]
    options += ["windows=prefixes"] if arguments.prefixes else []
    command = [sys.executable, "main.py", "task=bench", "model=sasrec", f"data={arguments.data}", *options]
    run([*command, f"task.epochs={arguments.epochs}", f"hydra.run.dir={folder}"])
    result: dict[str, float] = json.loads((folder / "bench.json").read_text())
    return result


def print_table(figures: dict[str, list[dict[str, float]]]) -> None:
    """Medians by side, and how many times less seqrec needs."""
    print(f"{'':26}" + "".join(f"{name:>28}" for name in figures))
    for row in ROWS:
        medians = {name: statistics.median(run[row] for run in runs) for name, runs in figures.items()}
        cells = [
            f"{value:,.2f}" + ("" if name == "seqrec" else f" ({value / medians['seqrec']:.1f}x)")
            for name, value in medians.items()
        ]
        print(f"{row:26}" + "".join(f"{cell:>28}" for cell in cells))


if __name__ == "__main__":
    main()
