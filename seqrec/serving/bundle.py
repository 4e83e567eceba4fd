"""A bundle: a trained model in a folder, at work with numpy and onnxruntime alone.

A bundle carries a copy of this file, called ``recommend.py``, and of what it needs of the package around it::

    python recommend.py --history a b c --k 10        # in the folder of the bundle
    import recommend; recommend.load().recommend([["a", "b", "c"]]).items

``docs/deploy.md`` of seqrec says what each file of a bundle holds.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:  # for readers; a bundle has its own copies of these files
    from seqrec.serving.engine import Pairs
    from seqrec.serving.recommend import LoadedModel, Recommendations
    from seqrec.serving.session import Session

FORMAT = 2
CARD = "bundle.json"
LISTS, ORDER, SESSION = "recommend_lists", "recommend_order", "recommend_session"
"""Modules of a bundle: copies of ``recommend``, ``order`` and ``session`` of ``seqrec.serving``."""

ENCODER, STEP, SCORE = "encoder.onnx", "encoder.step.onnx", "score.onnx"
ITEMS, SCALE, OUT_ITEMS, OUT_SCALE, BIAS = "items.bin", "scale.bin", "items_out.bin", "scale_out.bin", "bias.bin"
IDS, POPULAR, USERS, USER_IDS = "ids.json", "popular.bin", "users.bin", "users.json"
READ = (ENCODER, STEP, SCORE, ITEMS, SCALE, OUT_ITEMS, OUT_SCALE, BIAS, IDS, POPULAR, USERS, USER_IDS)
"""What a runner reads, where the model has it."""

QUANTS = ("none", "int8")  # float32, or 8 bits
IN_TABLE, IN_VECTOR = 127, 63
"""Largest numbers of a table and of a vector in 8 bits: x86 without VNNI adds two of their products in 16 bits."""
TINY = 1e-30  # in the place of a largest entry of 0


class OnnxEngine:
    """Scores with the graphs and tables of a bundle; see ``seqrec.serving.engine.Engine``.

    Args:
        folder: of the bundle.
        card: of it, checked.
        threads: of onnxruntime.

    Attributes:
        states: shape of each part of a history's state, of a model that takes one item after another; else empty.
    """

    def __init__(self, folder: Path, card: dict[str, Any], threads: int = 1) -> None:
        self.folder, self.card, self.threads = folder, card, threads
        self.max_length, self.width = int(card["max_length"]), int(card["num_items"]) + 2
        self.states: dict[str, tuple[int, ...]] = {name: tuple(shape) for name, shape in card["states"].items()}
        self._keep, self._drop, self._mask = (int(card["query"][n]) for n in ("keep", "drop_oldest", "append_mask"))
        self.fingerprint = fingerprint(card)
        self._quantised = card["quant"] == "int8"
        self._input, self._input_scale = self._table(ITEMS, SCALE, card["dim"])
        self._output, self._output_scale = self._input, self._input_scale
        if OUT_ITEMS in card["files"]:
            self._output, self._output_scale = self._table(OUT_ITEMS, OUT_SCALE, card["vector_dim"])
        self._bias = self._floats(BIAS, 1)[:, 0] if BIAS in card["files"] else None
        self._users = self._floats(USERS, card["user_dim"]) if USERS in card["files"] else None
        self._encoder = self._session(ENCODER) if ENCODER in card["files"] else None
        self._score = self._session(SCORE)
        self._step = self._session(STEP) if self.states else None

    def vectors(self, items: np.ndarray, users: np.ndarray | None) -> np.ndarray:
        """What asks for the next item, ``(B, D')`` float32, of histories ``(B, L)`` and users ``(B,)``.

        In 8 bits an encoder scales its inputs by the largest of a batch, so there histories are taken one by one: what
        is recommended to one does not depend on others.
        """
        if self._encoder is None:
            assert self._users is not None
            return np.array(self._users[users])
        inputs = self._inputs(items, users)
        if not self._quantised or len(items) == 1:
            return self._run(inputs)
        lengths = inputs["length"]
        rows = [{name: part[row : row + 1] for name, part in inputs.items()} for row in range(len(items))]
        each = [self._run(one | {"x": one["x"][:, : lengths[row]]}) for row, one in enumerate(rows)]
        return np.concatenate(each)

    def top(self, vectors: np.ndarray, penalty: np.ndarray, removed: Pairs, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Items ``(B, k)`` and their scores ``(B, k)``, higher scores first, equal ones by the lower item number."""
        if len(removed[0]):
            penalty = np.repeat(penalty, len(vectors), axis=0)
            penalty[removed] = -np.inf
        scores, items = self._score.run(None, {"vector": vectors, "penalty": penalty, "k": np.array([k])})
        return items, scores

    def scores(self, vectors: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Scores ``(B, M)`` of items ``(M,)``, equal to those of :meth:`top`."""
        table = self._output[items]
        bias = 0 if self._bias is None else self._bias[items]
        if self._output_scale is None:
            return vectors @ table.T + bias
        scale = np.maximum(np.abs(vectors).max(1, keepdims=True), np.float32(TINY)) / np.float32(IN_VECTOR)
        numbers = np.rint(vectors / scale).astype(np.int32)
        products = (numbers @ table.T.astype(np.int32)).astype(np.float32)
        return products * self._output_scale[items] * scale + bias

    def item_vectors(self) -> np.ndarray:
        """Vectors ``(I, D')`` by which the items are scored."""
        return _floats_of(self._output[1:-1], None if self._output_scale is None else self._output_scale[1:-1])

    def step(self, item: int, state: dict[str, np.ndarray]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """The vector ``(1, D')`` and the state after one more item.

        Args:
            item: its number.
            state: parts ``(1, ...)``, of the shapes in :attr:`states`; zeros before the first item.
        """
        assert self._step is not None
        vector, *after = self._step.run(None, {"x": self._embedded(np.array([item]))} | state)
        return _sound(vector), dict(zip(self.states, after, strict=True))

    def _inputs(self, items: np.ndarray, users: np.ndarray | None) -> dict[str, np.ndarray]:
        """Of the encoder: the newest items, without the oldest of them and with a mask token where the model is so."""
        numbers, length = items, (items != 0).sum(1)
        if self._mask or self._drop or items.shape[1] > self._keep:
            known, first = length, np.maximum(length - self._keep, 0) + self._drop
            length = known - first + self._mask
            place = first[:, None] + np.arange(int(length.max()))
            numbers = np.take_along_axis(items, np.minimum(place, items.shape[1] - 1), axis=1)
            numbers[place >= known[:, None]] = 0
            if self._mask:
                numbers[np.arange(len(items)), length - 1] = self.width - 1
        inputs = {"x": self._embedded(numbers), "length": length}
        if users is not None and self._users is not None:
            inputs["user"] = np.array(self._users[users])
        return inputs

    def _run(self, inputs: dict[str, np.ndarray]) -> np.ndarray:
        assert self._encoder is not None
        return _sound(self._encoder.run(None, inputs)[0])

    def _embedded(self, numbers: np.ndarray) -> np.ndarray:
        return _floats_of(self._input[numbers], None if self._input_scale is None else self._input_scale[numbers])

    def _table(self, rows: str, scale: str, dim: int) -> tuple[np.ndarray, np.ndarray | None]:
        """A table ``(I + 2, dim)``, mapped, and the scale ``(I + 2,)`` of its rows."""
        if not self._quantised:
            return self._floats(rows, dim), None
        table = np.memmap(self.folder / rows, np.int8, "r").reshape(self.width, dim)
        return table.view(np.ndarray), np.array(self._floats(scale, 1)[:, 0])

    def _floats(self, name: str, dim: int) -> np.ndarray:
        return np.memmap(self.folder / name, "<f4", "r").reshape(-1, dim).view(np.ndarray)  # quicker to index

    def _session(self, name: str) -> Any:
        try:
            import onnxruntime
        except ImportError:
            raise ValueError("a bundle needs onnxruntime; run: pip install onnxruntime") from None
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = self.threads, 1  # it would take all cores
        options.log_severity_level = 3
        return onnxruntime.InferenceSession(str(self.folder / name), options, providers=["CPUExecutionProvider"])


def read_bundle(folder: str | Path, threads: int = 1) -> dict[str, Any]:
    """What a bundle holds, as arguments of ``LoadedModel``.

    Args:
        folder: of the bundle.
        threads: for each call.

    Raises:
        ValueError: it is no bundle, one of another version, or its files are not those that were written.
    """
    folder = Path(folder)
    card = read_card(folder)
    try:
        check_files(folder, card, READ)
        users = json.loads((folder / USER_IDS).read_text(encoding="utf-8")) if USER_IDS in card["files"] else None
        return {
            "engine": OnnxEngine(folder, card, threads),
            "items": json.loads((folder / IDS).read_text(encoding="utf-8")),
            "counts": np.fromfile(folder / POPULAR, "<i4"),
            "remove_seen": card["remove_seen"],
            "name": card["model"],
            "users": users,
        }
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"{folder / CARD} is not what an export writes ({error!r}); was it changed?") from None


def read_card(folder: Path) -> dict[str, Any]:
    """``bundle.json`` of a folder.

    Raises:
        ValueError: there is none, or one that this version does not understand.
    """
    path = folder / CARD
    if not path.is_file():
        raise ValueError(f"{folder} holds no bundle ({CARD} is missing); give the folder that task=export has written")
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
        known = card["format"]
    except (ValueError, TypeError, KeyError):
        raise ValueError(f"{path} is not the card of a bundle; was it changed? Export the run again") from None
    if known != FORMAT:
        raise ValueError(f"{folder} is a bundle of format {known!r}, and this version reads format {FORMAT}")
    needed = {"files", "model", "dim", "vector_dim", "user_dim", "num_items", "max_length", "quant", "query", "states"}
    missing = sorted((needed | {"remove_seen"}) - set(card))
    if missing or card["quant"] not in QUANTS:
        wrong = f"lacks {', '.join(missing)}" if missing else f"has the quantisation {card['quant']!r}"
        raise ValueError(f"{path} {wrong}; was it changed? Export the run again")
    return dict(card)


def check_files(folder: Path, card: dict[str, Any], names: tuple[str, ...]) -> None:
    """See that files of a bundle, those of ``names`` that it has, are as they were written.

    Raises:
        ValueError: one is missing or differs.
    """
    for name in [name for name in names if name in card["files"]]:
        path, written = folder / name, card["files"][name]
        if not path.is_file():
            raise ValueError(f"{path} is missing; copy the whole bundle, or export the run again")
        size = path.stat().st_size
        if size != written["bytes"]:
            raise ValueError(f"{path} has {size} bytes instead of {written['bytes']}; copy the bundle again")
        if digest(path) != written["sha256"]:
            raise ValueError(f"{path} is not what was exported (its SHA-256 differs); copy the bundle again")


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fingerprint(card: dict[str, Any]) -> str:
    """A text that changes with what a bundle computes."""
    computing = {name: card["files"][name]["sha256"] for name in READ if name in card["files"]}
    return hashlib.sha256(json.dumps(computing, sort_keys=True).encode()).hexdigest()


def load(folder: str | Path | None = None, threads: int = 1) -> LoadedModel:
    """The model of a bundle, ready to recommend; without a folder, of the one beside this file."""
    lists = import_module("seqrec.serving.recommend" if __package__ else LISTS)
    model: LoadedModel = lists.LoadedModel(**read_bundle(Path(__file__).parent if folder is None else folder, threads))
    return model


def session(model: LoadedModel, state: str | Path | None = None, user: Any = None) -> Session:
    """One user's history that grows; arguments as of ``seqrec.serving.frames.FrameModel.session``."""
    sessions = import_module("seqrec.serving.session" if __package__ else SESSION)
    found: Session = sessions.Session(model, user) if state is None else sessions.Session.load(model, state)
    return found


def main(words: list[str] | None = None) -> int:
    """The command line of a bundle; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python recommend.py", description="Recommend from this bundle.")
    parser.add_argument("--history", nargs="*", default=[], metavar="ID", help="items, oldest first")
    parser.add_argument("--k", type=int, default=10, help="length of the list")
    parser.add_argument("--seen", default="as_evaluated", help="items of the history: as_evaluated, remove or keep")
    parser.add_argument("--allow", nargs="+", metavar="ID", help="only these items may come")
    parser.add_argument("--block", nargs="+", default=[], metavar="ID", help="these items do not come")
    parser.add_argument("--user", metavar="ID", help="who asks, for a model that knows users")
    given = parser.parse_args(words)
    try:
        users = None if given.user is None else [given.user]
        found: Recommendations = load().recommend(
            [given.history], given.k, seen=given.seen, allow=given.allow, block=given.block, users=users
        )
    except ValueError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    for item, score in zip(found.items[0], found.scores[0].tolist(), strict=False):  # scores go on behind a short list
        print(f"{item}\t{score:.6g}")
    if found.unknown[0]:
        print(f"{found.unknown[0]} items of the history are unknown and were left out", file=sys.stderr)
    return 0


def _floats_of(rows: np.ndarray, scale: np.ndarray | None) -> np.ndarray:
    return np.ascontiguousarray(rows) if scale is None else rows.astype(np.float32) * scale[..., None]


def _sound(vectors: np.ndarray) -> np.ndarray:
    """The same vectors, none of which is NaN or infinite; 8 bits would hide it."""
    if not np.isfinite(vectors).all():
        raise ValueError("the model gives NaN for a history, so no order can be given; its training has diverged")
    return vectors


if __name__ == "__main__":
    sys.exit(main())
