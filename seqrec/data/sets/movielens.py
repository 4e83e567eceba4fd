"""MovieLens 1M and 100K (Harper and Konstan, ACM TiiS 5(4):19, 2015).

Terms: the README in each archive of GroupLens allows research, asks to cite the paper, and forbids commercial use and
passing the data on without permission.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from seqrec.data.datamodule import SequenceDataModule
from seqrec.data.dropped import Dropped
from seqrec.data.filters import Filters
from seqrec.data.interactions import to_sequences
from seqrec.data.readers.files import known
from seqrec.data.readers.item_attributes import ItemAttributes
from seqrec.data.readers.metadata import read_genres
from seqrec.data.readers.sequence_file import read_sequence_file
from seqrec.data.readers.tables import read_table
from seqrec.data.sequences import Sequences
from seqrec.data.sets.source import Folders, Source

_URL = "https://files.grouplens.org/datasets/movielens/"
_FIELDS = ("user_id", "item_id", "rating", "timestamp")
_CORE = 5


class _Release(NamedTuple):
    """Of one release: the names of its sequence file, ratings and films, their separator, the archive's md5."""

    sequences: str
    ratings: str
    films: str
    separator: str
    md5: str


_RELEASES = {
    "ml-1m": _Release("ml-1m.txt", "ratings.dat", "movies.dat", "::", "c4d9eecfca2ab87c1945afe126590906"),
    "ml-100k": _Release("ml-100k_5core.txt", "u.data", "u.item", "\t", "0e33842e24a9c977be4e0107933c0723"),
}


class MovieLens(SequenceDataModule):
    """MovieLens: all ratings, 5-core, ties in time in file order, ids by rank of the original ids.

    The source is the first that exists of ``<root>[/sequences]/ml-1m.txt`` (``ml-100k_5core.txt``),
    ``<root>[/ml-1m|/raw/ml-1m]/ratings.dat`` (``u.data``), each also ``.gz``, and the archive of GroupLens,
    downloaded to ``<cache_dir>/downloads``.

    Attributes of the films, their genres, are those of ``movies.dat`` (``u.item``), looked for as the ratings are.
    With a sequence file, one of ``item_map.csv`` (``item_id,movie_id,...``) and the ratings must stand beside it, to
    tell which film an item is.

    Args:
        variant: ``ml-1m`` or ``ml-100k``.
        root: folder that holds the data; None downloads it.
        min_rating: least rating of an interaction that is kept.
        first, last: ISO dates of the earliest and the latest rating, both included. These three, and splits by time,
            need the file of ratings.
        **base: arguments of :class:`~seqrec.data.datamodule.SequenceDataModule`.

    Raises:
        DataError: unknown variant; later, a ``root`` that is no folder, a failed download, a damaged file.
    """

    def __init__(
        self,
        variant: str,
        root: str | None,
        min_rating: float | None = None,
        first: str | None = None,
        last: str | None = None,
        **base: Any,
    ) -> None:
        super().__init__(**base)
        self.filters = Filters(min_rating, first, last)
        self.variant = known("variant", variant, _RELEASES)
        self.folders = Folders(root, self.cache_dir / "downloads")
        release = _RELEASES[variant]
        raw = ("", variant, f"raw/{variant}")
        in_archive = partial(Source, folders=raw, url=f"{_URL}{variant}.zip", md5=release.md5)
        self.separator = release.separator
        self.sequence_file = Source([release.sequences], ["sequences", ""])
        self.ratings = in_archive([release.ratings], member=f"{variant}/{release.ratings}")
        self.films = in_archive([release.films], member=f"{variant}/{release.films}")
        self.item_map = Source(["item_map.csv"], raw)
        self.attribute_advice = (
            f"put {release.films}, and with {release.sequences} also {release.ratings} or item_map.csv, "
            f"of {_URL}{variant}.zip into data.root, or set data.root=null to download them"
        )

    def source(self) -> Path | None:
        """The sequence file or the file of ratings, downloaded if neither is there."""
        if self.filters or self.split.key:
            return self.folders.locate(self.ratings)
        return self.folders.locate(self.sequence_file, self.ratings)

    def read(self, source: Path) -> Sequences:
        """A sequence file as it is; ratings by the rule above."""
        return read_sequence_file(source) if self.sequence_file.is_at(source) else self._read_ratings(source)

    def _read_ratings(self, path: Path) -> Sequences:
        columns: dict[str, str | None] = {"user": "user_id", "item": "item_id", "time": "timestamp"}
        dropped: Dropped = {}
        table = read_table(path, self.filters.columns(columns, "rating"), self.separator, header=_FIELDS)
        kept = self.filters.of(table, path, dropped)
        return to_sequences(kept, path, _CORE, _CORE, numbering="raw_id", dropped=dropped, keep=self.split.key)

    def attribute_files(self, source: Path) -> Sequence[Path]:
        """The file of films; with a sequence file also the one that tells which films the items are."""
        if not self.sequence_file.is_at(source):
            return self.folders.find_all(self.films)
        films, ids = self.folders.find(self.films), self.folders.find(self.item_map, self.ratings)
        return () if films is None or ids is None else (films, ids)

    def read_attributes(self, files: Sequence[Path], sequences: Sequences) -> ItemAttributes:
        """Genres."""
        genres = read_genres(files[0])
        if len(files) == 1:
            return genres
        item_of = self._items(files[1])
        return {item_of[film]: names for film, names in genres.items() if film in item_of}

    def _items(self, path: Path) -> dict[str, str]:
        """Ids in the sequence file by ids of the films."""
        if self.item_map.is_at(path):
            pairs = read_table(path, {"user": "item_id", "item": "movie_id", "time": None}, ",")
            return {str(film): str(item) for item, film in pairs.select("user", "item").iter_rows()}
        films = self._read_ratings(path).item_ids.to_list()
        return {str(film): str(number) for number, film in enumerate(films, start=1)}

    def recipe(self) -> dict[str, Any]:
        """Variant, thresholds and filters."""
        options = {"reader": "movielens", "variant": self.variant, "min_user": _CORE, "min_item": _CORE}
        return options | self.filters.recipe()
