"""MovieLens 1M and 100K (Harper and Konstan, ACM TiiS 5(4):19, 2015)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from seqrec.data.attributes import ItemAttributes
from seqrec.data.datamodule import SequenceDataModule
from seqrec.data.interactions import to_sequences
from seqrec.data.readers.files import find, is_text_of, known
from seqrec.data.readers.metadata import read_genres
from seqrec.data.readers.sequence_file import read_sequence_file
from seqrec.data.readers.tables import read_table
from seqrec.data.sequences import Sequences
from seqrec.data.sets.download import download, extract

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
        **base: arguments of :class:`~seqrec.data.datamodule.SequenceDataModule`.

    Raises:
        DataError: unknown variant; later, a ``root`` that is no folder, a failed download, a damaged file.
    """

    def __init__(
        self,
        variant: str,
        root: str | None,
        **base: Any,
    ) -> None:
        super().__init__(**base)
        self.variant, self.root = known("variant", variant, _RELEASES), root
        self.release = _RELEASES[variant]
        self.downloads = self.cache_dir / "downloads"
        self.attribute_advice = (
            f"put {self.release.films}, and with {self.release.sequences} also {self.release.ratings} or item_map.csv, "
            f"of {_URL}{variant}.zip into data.root, or set data.root=null to download them"
        )

    def source(self) -> Path:
        """The sequence file or the file of ratings, downloaded if neither is under ``root``."""
        sequences, ratings = self.release.sequences, self.release.ratings
        found = find(self.root, [f"sequences/{sequences}", sequences]) or self._raw(ratings)
        if found is not None:
            return found
        target = self.downloads / self.variant / ratings
        if target.is_file():
            return target
        archive = download(f"{_URL}{self.variant}.zip", self._archive, md5=self.release.md5)
        return extract(archive, f"{self.variant}/{ratings}", target)

    @property
    def _archive(self) -> Path:
        return self.downloads / f"{self.variant}.zip"

    def _raw(self, name: str) -> Path | None:
        """An original file under ``root``."""
        return find(self.root, [folder + name for folder in ("", f"{self.variant}/", f"raw/{self.variant}/")])

    def read(self, source: Path | None) -> Sequences:
        """A sequence file as it is; ratings by the rule above."""
        assert source is not None
        if is_text_of(source, self.release.sequences):
            return read_sequence_file(source)
        return self._read_ratings(source)

    def _read_ratings(self, path: Path) -> Sequences:
        columns: dict[str, str | None] = {"user": "user_id", "item": "item_id", "time": "timestamp"}
        table = read_table(path, columns, self.release.separator, header=_FIELDS)
        return to_sequences(table, path, _CORE, _CORE, numbering="raw_id")

    def attribute_files(self, source: Path | None) -> Sequence[Path]:
        """The file of films; with a sequence file also the one that tells which films the items are."""
        assert source is not None
        films, of_films = self._raw(self.release.films), self.downloads / self.variant / self.release.films
        if is_text_of(source, self.release.sequences):
            ids = self._raw("item_map.csv") or self._raw(self.release.ratings)
            return (films, ids) if films is not None and ids is not None else ()
        if films is None and source.parent == of_films.parent and (of_films.is_file() or self._archive.is_file()):
            films = extract(self._archive, f"{self.variant}/{self.release.films}", of_films)
        return () if films is None else (films,)

    def read_attributes(self, files: Sequence[Path], sequences: Sequences) -> ItemAttributes:
        """Genres."""
        genres = read_genres(files[0])
        if len(files) == 1:
            return genres
        item_of = self._items(files[1])
        return {item_of[film]: names for film, names in genres.items() if film in item_of}

    def _items(self, path: Path) -> dict[str, str]:
        """Ids in the sequence file by ids of the films."""
        if path.name.startswith("item_map"):
            pairs = read_table(path, {"user": "item_id", "item": "movie_id", "time": None}, ",")
            return {str(film): str(item) for item, film in pairs.select("user", "item").iter_rows()}
        films = self._read_ratings(path).item_ids.to_list()
        return {str(film): str(number) for number, film in enumerate(films, start=1)}

    def recipe(self) -> dict[str, Any]:
        """Variant and thresholds."""
        return {"reader": "movielens", "variant": self.variant, "min_user": _CORE, "min_item": _CORE}
