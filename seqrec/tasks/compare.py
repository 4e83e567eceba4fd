"""compare: whether methods differ by more than chance, from the folders of their runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl
from omegaconf import DictConfig

from seqrec.inference.build import build
from seqrec.inference.load import stored_config
from seqrec.reporting.comparison import Choices, ranks_of
from seqrec.reporting.comparison import compare as compared
from seqrec.reporting.terminal import show_comparison
from seqrec.runs.comparable import Judged, methods
from seqrec.runs.folder import CONFIG
from seqrec.runs.slicing import slices, steps_since_target, with_columns


def compare(
    config: DictConfig,
    runs: Sequence[str] | Mapping[str, Sequence[str]],
    output: str,
    metrics: Sequence[str] | None,
    baseline: str | None,
    level: float,
    replicates: int,
    seed: int,
) -> None:
    """Compare finished runs user by user; runs that differ in their seeds alone are one method.

    Args:
        config: the whole configuration, of which the task alone counts.
        runs: folders of runs, or of several; a mapping of names to such lists says what belongs together.
        output: folder for tables and picture.
        metrics: such as ``ndcg@10``; None takes NDCG and recall at the middle cutoff.
        baseline: name of the method that all others are compared with; None compares all pairs.
        level: of the intervals.
        replicates: of the bootstrap.
        seed: of the bootstrap.

    Raises:
        ValueError: what is wrong with an option or a run, or which field tells two runs apart.
    """
    given = {str(name): _paths(of) for name, of in runs.items()} if isinstance(runs, Mapping) else _paths(runs)
    found = methods(given)
    members = [run for method in found for run in method.runs]
    protocol = members[0].run.card
    asked = _metrics(metrics, protocol.cutoffs)
    ranks = ranks_of(found)
    more, left_out = _of_data_set(members)
    users = with_columns([one.users for one in members], more)
    result = compared(ranks, Choices(asked, baseline, level, replicates, seed), slices(users))
    title = f"{protocol.data['name']}, {protocol.protocol}, {protocol.evaluated_users:,} users"
    show_comparison(title, result, Path(output).expanduser(), left_out)


def _paths(names: Sequence[str]) -> list[Path]:
    return [Path(str(name)).expanduser() for name in names]


def _metrics(asked: Sequence[str] | None, cutoffs: Sequence[int]) -> list[str]:
    """The metrics to compare.

    Raises:
        ValueError: the runs do not have one of them.
    """
    known = [f"{name}@{k}" for name in ("ndcg", "recall") for k in sorted(cutoffs)] + ["mrr"]
    middle = sorted(cutoffs)[len(cutoffs) // 2]
    chosen = [f"ndcg@{middle}", f"recall@{middle}"] if asked is None else [str(name) for name in asked]
    wrong = [name for name in chosen if name not in known]
    if wrong or not chosen or len(set(chosen)) < len(chosen):
        raise ValueError(f"task.metrics={','.join(chosen)}; choose some of {', '.join(known)}, each once")
    return chosen


def _of_data_set(members: Sequence[Judged]) -> tuple[pl.DataFrame | None, str | None]:
    """What the data set of the runs tells about users; else why it tells nothing."""
    one = next((run for run in members if (run.folder / CONFIG).exists()), None)
    if one is None:
        return None, f"no run folder holds {CONFIG}, so its data set is not known"
    try:
        data = build(stored_config(one.folder / CONFIG)["data"], "data")
        data.setup()
        if data.sequences.digest() != one.run.card.data["sha256"]:
            return None, f"data={data.name} is no longer what the runs were judged on"
        return steps_since_target(data), None
    except (OSError, ValueError) as error:
        return None, " ".join(str(error).split())
