"""predict: lists of recommended items for the users of a file, part by part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from seqrec import __version__
from seqrec.opening import load
from seqrec.serving.inputs import digest, open_requests
from seqrec.serving.outputs import Output
from seqrec.serving.parts import write_parts

COUNTED = {
    "unknown_items": "unknown items in the histories were left out",
    "empty_histories": "histories have no known item, so they got the most popular ones",
    "short_lists": "lists are shorter, since no more items remain",
}


def predict(
    config: DictConfig,
    run: str,
    input: str,
    output: str,
    k: int,
    seen: str,
    allow: Sequence[Any] | None,
    block: Sequence[Any],
    unknown: str,
    empty: str,
    form: str | None,
    columns: Mapping[str, str | None],
    read: Mapping[str, Any],
    index: str,
    part_users: int,
) -> None:
    """Write a list of k items for each user of ``input`` to ``output``.

    Args:
        config: the whole configuration, of which the task alone counts: the run knows its model and its data.
        run: folder of a finished run.
        input: log, nested lists or sequence file, see :func:`~seqrec.serving.inputs.open_requests`.
        output: ``.parquet``, ``.csv`` or ``.jsonl``, see :class:`~seqrec.serving.outputs.Output`.
        k, seen, allow, block, unknown, empty: see :meth:`~seqrec.serving.recommend.LoadedModel.recommend`.
        form: ``long`` or ``nested``; None takes what fits the output.
        columns: names in the input of ``user``, ``item`` and ``time``.
        read: how the input is read.
        index: how the best items are found, see :func:`seqrec.load`.
        part_users: users in memory at a time; a killed job resumes after the last of these parts.

    Raises:
        ValueError: what is wrong with an option, the run or a file.
    """
    if part_users < 1:
        raise ValueError(f"task.part_users is {part_users}; it must be at least 1")
    given: dict[str, Any] = {"columns": _plain(columns), "read": _plain(read)}
    screen, target = Console(highlight=False, markup=False), Output(Path(output).expanduser(), form)
    options: dict[str, Any] = {"seen": seen, "block": list(block), "unknown": unknown, "empty": empty}
    options["allow"] = None if allow is None else list(allow)
    with target.alone():
        rec = load(Path(run).expanduser(), index=index)
        # What is wrong with an option is said before a file is read.
        rec.recommend([], k, users=[] if rec.users else None, **options)
        source = Path(input).expanduser()
        request = {"input": digest(source), "model": rec.engine.fingerprint, "index": index, "version": __version__}
        requests = open_requests(source, given["columns"], rec.items, given["read"])
        if target.begin(request | options | given | {"k": k, "part_users": part_users}):
            screen.print(f"resuming after the parts in {target.parts}", soft_wrap=True)
        counts = write_parts(rec, requests, target, screen, part_users, {"k": k} | options)
    screen.print(f"{requests.rows:,} lists of {k} items in {target.path}", soft_wrap=True)
    for name, meaning in COUNTED.items():
        screen.print(f"{counts[name]:,} {meaning}", soft_wrap=True)


def _plain(node: Any) -> Any:
    """A node of the configuration as a mapping of plain values."""
    return OmegaConf.to_container(OmegaConf.create(dict(node)))
