"""Lists of items to a file, part by part, so that a killed job can be resumed."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import polars as pl

from seqrec.runs.files import read_json, remove_partial, replacing, write_json
from seqrec.runs.lock import LOCK, locked
from seqrec.serving.recommend import Recommendations
from seqrec.serving.tables import long_table, nested_table

FORMS = {"parquet": ("long", "nested"), "csv": ("long",), "jsonl": ("nested", "long")}
"""Forms that the files can hold, by the end of their names; the first is what they hold unless another is asked for."""

REQUEST = "request.json"


class Output:
    """A file of lists, made of parts.

    The parts lie in a folder beside it, ``<name>.parts``, until the last is there. Then they are joined. The folder
    says what was asked: parts of another request are thrown away.

    Args:
        path: of the file, ``.parquet``, ``.csv`` or ``.jsonl``.
        form: ``long``, one line an item (user, item, score, rank); ``nested``, one line a user (user, items, scores);
            None takes what fits the file.

    Raises:
        ValueError: the file cannot have this name or form.
    """

    def __init__(self, path: Path, form: str | None) -> None:
        self.path, self.kind = path, path.suffix.lower().removeprefix(".")
        if self.kind not in FORMS:
            raise ValueError(f"{path}: the name of the output must end in {', '.join(f'.{kind}' for kind in FORMS)}")
        self.form = form or FORMS[self.kind][0]
        if self.form not in FORMS[self.kind]:
            raise ValueError(f"form={form}: a .{self.kind} file can be {' or '.join(FORMS[self.kind])}")
        if not path.parent.is_dir():
            raise ValueError(f"{path.parent} is no folder; make it, or write the output elsewhere")
        if path.is_dir():
            raise ValueError(f"{path} is a folder; give the name of a file")
        self.parts = path.with_name(f"{path.name}.parts")
        self.request: dict[str, Any] = {}

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other processes from writing the same file.

        Raises:
            ValueError: another one does already, or what lies there is no folder of parts.
        """
        if self.parts.exists() and not self.parts.is_dir():
            raise self._in_the_way()
        refusal = f"another process is writing {self.path}; wait for its end, or give the output another name"
        with locked(self.parts, refusal):
            try:
                yield
            finally:
                (self.parts / LOCK).unlink(missing_ok=True)
                with suppress(OSError):  # parts stay, for a job that resumes after them
                    self.parts.rmdir()

    def begin(self, request: Mapping[str, Any]) -> bool:
        """Throw away the parts of another request; whether parts of this one are there.

        Args:
            request: all that decides what the file will hold.

        Raises:
            ValueError: what lies there are no parts.
        """
        self.request = json.loads(json.dumps(dict(request) | {"form": self.form}, default=str))
        stored = self.parts / REQUEST
        if not stored.exists():
            if self.parts.exists() and self._files():
                raise self._in_the_way()
            return False
        if read_json(stored) == self.request:
            remove_partial(self.parts)
            return any(self.parts.glob(f"*.{self.kind}"))
        self._clear()
        return False

    def counts(self, number: int) -> dict[str, int] | None:
        """What a finished part counted; None where it is to be made."""
        counted = self._part(number).with_suffix(".json")
        return read_json(counted) if self._part(number).exists() and counted.exists() else None

    def write(self, number: int, found: Recommendations, users: pl.Series) -> None:
        """Store a part; it is there with all it holds, or not at all."""
        if not (self.parts / REQUEST).exists():  # nothing is left where the first part is refused
            write_json(self.parts / REQUEST, self.request)
        table = (long_table if self.form == "long" else nested_table)(found, users)
        content = io.BytesIO()
        if self.kind == "parquet":
            table.write_parquet(content)
        elif self.kind == "csv":
            table.write_csv(content, include_header=number == 0)
        else:
            table.write_ndjson(content)
        write_json(self._part(number).with_suffix(".json"), found.counts)
        with replacing(self._part(number)) as partial:
            partial.write_bytes(content.getbuffer())

    def join(self, number: int) -> None:
        """Make the file of its parts, which are removed then.

        Args:
            number: how many parts.
        """
        files = [self._part(place) for place in range(number)]
        with replacing(self.path) as partial:
            if self.kind == "parquet":
                try:
                    pl.scan_parquet(files).sink_parquet(partial, maintain_order=True, row_group_size=1 << 18)
                except pl.exceptions.PolarsError as error:
                    raise ValueError(f"{self.path} cannot be written: {str(error).splitlines()[0]}") from error
            else:
                with partial.open("wb") as joined:
                    for file in files:
                        with file.open("rb") as content:
                            shutil.copyfileobj(content, joined)
        self._clear()

    def _files(self) -> list[Path]:
        """What lies among the parts, without the lock."""
        return [path for path in self.parts.iterdir() if path.name != LOCK]

    def _clear(self) -> None:
        """Remove all parts; the request, without which they would be somebody's, at last."""
        for path in sorted(self._files(), key=lambda path: path.name == REQUEST):
            path.unlink()

    def _in_the_way(self) -> ValueError:
        return ValueError(f"{self.parts} is in the way; remove it, or give the output another name")

    def _part(self, number: int) -> Path:
        return self.parts / f"part-{number:05d}.{self.kind}"
