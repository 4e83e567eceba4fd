"""Any log of interactions, or any sequence file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from seqrec.data.datamodule import SequenceDataModule
from seqrec.data.dropped import Dropped
from seqrec.data.errors import DataError
from seqrec.data.filters import Filters
from seqrec.data.home import expanded
from seqrec.data.interactions import to_sequences
from seqrec.data.readers.columns import MISSING
from seqrec.data.readers.files import known, suffix
from seqrec.data.readers.item_attributes import ItemAttributes, read_item_attributes
from seqrec.data.readers.parts import is_source
from seqrec.data.readers.quotes import AUTO
from seqrec.data.readers.sequence_file import read_sequence_file
from seqrec.data.readers.tables import read_table
from seqrec.data.sequences import Sequences


class Custom(SequenceDataModule):
    """A file of your own: a table with one interaction a row, or a sequence file (``user item item ...``).

    Ties in time keep the order of the file; ids are numbered by first appearance. Blanks around an id do not count.

    Args:
        path: the file: csv, tsv, other separated text, JSON lines, parquet, or a sequence file; also ``.gz``.
            A folder or a name with ``*`` is a table in several files.
        columns: names in the table of ``user``, ``item`` and ``time``; time may be None: file order counts. Also of
            ``rating``, which is read for ``min_rating`` only.
        separator: of a text table; None: by extension (.csv, .tsv), else the one that fits the first lines.
        header: column names of a text table without a header line; None where it has one.
        format: ``table`` or ``sequences``; None takes ``.txt`` and ``.txt.gz`` for the latter.
        min_user: interactions a user needs to be kept (k-core).
        min_item: interactions an item needs to be kept.
        drop_duplicates: drop rows of a table that repeat an earlier one in all fields.
        time_format: form of the dates where it is not ISO's, such as ``%d/%m/%Y %H:%M``.
        missing: what a row of a table without user, item or time is: ``error``, or ``drop`` leaves it out; words for
            no value such as ``NULL`` and ``NaN`` count as none, unless ``keep`` takes them for ids.
        quote: of a text table: the sign that quotes, None if quotes are letters (inch marks), or ``auto``: double
            quotes, refused where they could as well be letters.
        comment: of a text table: lines that begin so are left out.
        attributes: a JSON file ``{"item": ["attribute", ...], ...}`` for models that use item attributes; also ``.gz``.
        min_rating: least rating of a row that is kept.
        first, last: of the period of the rows that are kept, both included: ISO dates, or numbers as the times are.
        **base: arguments of :class:`~seqrec.data.datamodule.SequenceDataModule`.

    Raises:
        DataError: unknown format, thresholds below 1; later, anything wrong with the file.
    """

    takes_files = True
    attribute_advice = 'name a JSON file {"item": ["attribute", ...], ...} in data.attributes'

    def __init__(
        self,
        path: str,
        columns: Mapping[str, str | None],
        separator: str | None = None,
        header: Sequence[str] | None = None,
        format: str | None = None,
        min_user: int = 5,
        min_item: int = 5,
        drop_duplicates: bool = False,
        attributes: str | None = None,
        time_format: str | None = None,
        missing: str = "error",
        quote: str | None = AUTO,
        comment: str | None = None,
        min_rating: float | None = None,
        first: float | str | None = None,
        last: float | str | None = None,
        **base: Any,
    ) -> None:
        super().__init__(**base)
        if min(min_user, min_item) < 1:
            raise DataError(f"min_user={min_user}, min_item={min_item}: must be 1 (keep all) or more")
        self.path = expanded(path, "data.path")
        self.attribute_path = None if attributes is None else expanded(attributes, "data.attributes")
        self.format = known("format", format or _format(self.path), ("table", "sequences"))
        self.filters, self.rating = Filters(min_rating, first, last), columns.get("rating")
        if self.format == "sequences" and (self.filters or self.split.key):
            raise DataError(
                f"data.path={self.path}: a sequence file has neither times nor ratings, so it can be split by users or "
                "by leave-one-out alone, and not be filtered by them; give a table"
            )
        self.columns = {key: name for key, name in columns.items() if key != "rating"}
        self.separator = separator
        self.header = None if header is None else list(header)
        self.time_format, self.quote, self.comment = time_format, quote, comment
        self.missing = known("data.missing", missing, MISSING)
        self.min_user, self.min_item, self.drop_duplicates = min_user, min_item, drop_duplicates

    def source(self) -> Path:
        """The file, the folder, or the name with ``*``."""
        if not is_source(self.path):
            raise DataError(f"data.path={self.path}: no such file")
        return self.path

    def read(self, source: Path) -> Sequences:
        """The file by the options."""
        if self.format == "sequences":
            if not source.is_file():
                raise DataError(f"{source}: sequences are read from one file; data.format=table reads several")
            return read_sequence_file(source, self.min_user, self.min_item)
        dropped: Dropped = {}
        return to_sequences(
            self._table(source, dropped),  # has no name here, so that its columns can go as soon as they are numbers
            source,
            self.min_user,
            self.min_item,
            numbering="first_seen",
            dropped=dropped,
            keep=self.split.key,
        )

    def _table(self, source: Path, dropped: Dropped) -> pl.DataFrame:
        """What is kept of the table, and of those of a ready split."""
        table = read_table(
            source,
            self.filters.columns(self.columns, self.rating),
            self.separator,
            self.header,
            self.drop_duplicates,
            time_format=self.time_format,
            missing=self.missing,
            quote=self.quote,
            comment=self.comment,
            dropped=dropped,
            more=self.split.files,
        )
        return self.filters.of(table, source, dropped)

    def attribute_files(self, source: Path) -> Sequence[Path]:
        """The file of attributes, where one is named."""
        if self.attribute_path is None:
            return ()
        if not self.attribute_path.is_file():
            raise DataError(f"data.attributes={self.attribute_path}: no such file")
        return (self.attribute_path,)

    def read_attributes(self, files: Sequence[Path], sequences: Sequences) -> ItemAttributes:
        """What :func:`~seqrec.data.readers.item_attributes.read_item_attributes` reads from the file."""
        return read_item_attributes(files[0])

    def recipe(self) -> dict[str, Any]:
        """All options of the reader."""
        options = ["format", "columns", "separator", "header", "min_user", "min_item", "drop_duplicates"]
        options += ["time_format", "missing", "quote", "comment"]
        filters = self.filters.recipe() | ({"rating": self.rating} if self.filters.min_rating is not None else {})
        return {"reader": "custom"} | {option: getattr(self, option) for option in options} | filters


def _format(path: Path) -> str:
    return "sequences" if suffix(path) == "txt" else "table"
