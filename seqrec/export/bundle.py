"""From a finished run to a bundle: a folder that numpy and onnxruntime, or a browser, can recommend from."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from seqrec import __version__
from seqrec.export.encoder import encoder_graph
from seqrec.export.exportable import exportable
from seqrec.export.files import write_floats, write_tables
from seqrec.export.graph import Graph
from seqrec.export.parity import measure, refuse
from seqrec.export.quantise import fold, quantise
from seqrec.export.score import score_graph
from seqrec.export.step import step_graph
from seqrec.export.tables import item_tables, user_table
from seqrec.export.to_onnx import OPSET, check_installed
from seqrec.inference.engine import TorchEngine
from seqrec.inference.recommender import recommender
from seqrec.runs.catalog import CATALOG, USERS
from seqrec.runs.files import read_json, write_json
from seqrec.runs.folder import CARD as RUN_CARD
from seqrec.serving import bundle
from seqrec.serving.cost import cpu_milliseconds, first_answer, instructions
from seqrec.serving.recommend import LoadedModel

PARITY, COST, NAMES, PAGE = "parity.json", "cost.json", "names.json", "index.html"
SOURCES = {"bundle": "recommend", "recommend": bundle.LISTS, "order": bundle.ORDER, "session": bundle.SESSION}
"""Files of ``seqrec.serving`` and what they are called in a bundle, both without ``.py``."""


class Written(NamedTuple):
    """A bundle and what was measured of it.

    Attributes:
        folder: of the bundle.
        parity: see :func:`seqrec.export.parity.measure`.
        cost: what ``cost.json`` holds.
    """

    folder: Path
    parity: dict[str, Any]
    cost: dict[str, Any]


def write_bundle(run: Path, output: Path, quant: str = "none", names: Mapping[str, str] | None = None) -> Written:
    """Write a bundle, whole or not at all; an older one in its place is replaced.

    Args:
        run: folder of a finished run.
        output: folder to write.
        quant: ``none`` for float32, ``int8`` for 8 bits in encoder and tables.
        names: what the page calls an item, by the text of its id.

    Raises:
        ValueError: the run has no model that learns, a package is missing, ``output`` is something else, or in float32
            the bundle does not recommend what the run does.
    """
    check_installed()
    if quant not in bundle.QUANTS:
        raise ValueError(f"quant is {quant!r}; choose {' or '.join(bundle.QUANTS)}")
    with _replacing(output) as folder:
        model = recommender(run)
        _write_model(model, folder, quant)
        _copy_rest(run, folder, names or {})
        _sign(folder, {})
        made = bundle.load(folder)
        parity = measure(model, made)
        if quant == "none":
            refuse(parity)
        times = cpu_milliseconds({"bundle": made})["bundle"]
        sizes = {path.name: path.stat().st_size for path in sorted(folder.iterdir())}
        cost = {
            **instructions(),
            "bytes": sum(sizes.values()),
            "bytes_by_file": sizes,
            "cpu_ms": {str(n): {"p50": middle, "p99": last} for n, (middle, last) in times.items()},
            "first_answer": first_answer(folder),
        }
        _sign(folder, {PARITY: parity, COST: cost})
    return Written(output, parity, cost)


def _write_model(model: LoadedModel, folder: Path, quant: str) -> None:
    """Graphs, tables and the card of a run."""
    assert isinstance(model.engine, TorchEngine)
    scorer = model.engine.scorer
    recommender = exportable(scorer.model)
    graph = encoder_graph(recommender, folder / bundle.ENCODER, scorer.max_length)
    if (folder / bundle.ENCODER).exists():
        fold(folder / bundle.ENCODER)
        if quant != "none":
            _quantise(folder / bundle.ENCODER)
    step = step_graph(recommender, folder / bundle.STEP)
    if step is not None:
        fold(folder / bundle.STEP)
    recommender.hold()  # as it was; encoder_graph has released it
    tables, users = item_tables(recommender), user_table(recommender)
    score_graph(folder / bundle.SCORE, write_tables(folder, tables, quant))
    if users is not None and model.users is not None:
        write_floats(folder / bundle.USERS, users.numpy())
        _write(folder / bundle.USER_IDS, list(model.users.raw))
    _write(folder / bundle.IDS, list(model.items.raw))
    model.popularity[1:-1].astype("<i4").tofile(folder / bundle.POPULAR)
    _write(folder / bundle.CARD, _card(model, graph, quant, scorer.folder) | {
        "dim": tables.input.shape[1],
        "user_dim": 0 if users is None else users.shape[1],
        "states": {} if step is None else step.states,
        "id_type": str(scorer.catalog.raw.dtype),
    })  # fmt: skip


def _card(model: LoadedModel, graph: Graph, quant: str, run: Path) -> dict[str, Any]:
    return {
        "format": bundle.FORMAT,
        "model": model.name,
        "quant": quant,
        "num_items": len(model.items.raw),
        "vector_dim": graph.vector_dim,
        "max_length": graph.max_length,
        "remove_seen": model.remove_seen,
        "query": {"append_mask": graph.append_mask, "keep": graph.keep, "drop_oldest": graph.drop_oldest},
        "inputs": list(graph.inputs),
        "versions": {
            "seqrec": __version__,
            "opset": OPSET,
            **{name: version(name) for name in ("torch", "onnx", "onnxruntime")},
        },
        "card": read_json(run / RUN_CARD) if (run / RUN_CARD).exists() else None,
    }


def _quantise(path: Path) -> None:
    smaller = path.with_suffix(".int8")
    quantise(path, smaller)
    smaller.replace(path)


def _copy_rest(run: Path, folder: Path, names: Mapping[str, str]) -> None:
    """What a bundle takes as it is: catalogue, runner and page; and the names of the items."""
    for table in (CATALOG, USERS):
        if (run / table).exists():
            shutil.copyfile(run / table, folder / table)
    package = files("seqrec")
    for source, name in SOURCES.items():
        (folder / f"{name}.py").write_bytes((package / "serving" / f"{source}.py").read_bytes())
    (folder / PAGE).write_bytes((package / "export" / "page" / PAGE).read_bytes())
    ids = json.loads((folder / bundle.IDS).read_text(encoding="utf-8"))
    if names:
        _write(folder / NAMES, [names.get(str(item)) for item in ids])


def _sign(folder: Path, more: dict[str, Any]) -> None:
    """Write ``more`` and enter sizes and hashes of all files into the card."""
    for name, content in more.items():
        write_json(folder / name, content)
    card = json.loads((folder / bundle.CARD).read_text(encoding="utf-8"))
    others = sorted(path for path in folder.iterdir() if path.is_file() and path.name != bundle.CARD)
    card["files"] = {path.name: {"sha256": bundle.digest(path), "bytes": path.stat().st_size} for path in others}
    write_json(folder / bundle.CARD, card)


def _write(path: Path, content: Any) -> None:
    """Small JSON without spaces."""
    path.write_text(json.dumps(content, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")


@contextmanager
def _replacing(output: Path) -> Iterator[Path]:
    """A new folder beside ``output`` that takes its place if nothing went wrong, else is removed.

    Raises:
        ValueError: ``output`` is there and no bundle.
    """
    output = Path(os.path.abspath(output))
    old = output.exists()
    if old and not (output.is_dir() and ((output / bundle.CARD).exists() or not any(output.iterdir()))):
        raise ValueError(f"{output} is there already and no bundle; give another folder, or remove it")
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{output.name}.", dir=output.parent) as place:
        made, before = Path(place) / "made", Path(place) / "before"
        made.mkdir()
        yield made
        if old:
            output.rename(before)
        try:
            made.rename(output)
        except OSError:
            if old:
                before.rename(output)
            raise
