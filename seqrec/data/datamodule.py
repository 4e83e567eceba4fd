"""SequenceDataModule: from a data set's source to batches of the three splits."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from pytorch_lightning import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader

from seqrec.data.attributes import numbered
from seqrec.data.batch import Batch, RankedBatch
from seqrec.data.device_batches import DeviceBatches, fits
from seqrec.data.dropped import Dropped
from seqrec.data.errors import DataError
from seqrec.data.gathering import Batches, Example, Gather
from seqrec.data.home import cache_folder
from seqrec.data.readers.item_attributes import ItemAttributes
from seqrec.data.sequences import HELD_OUT, Sequences
from seqrec.data.splits import LEAVE_ONE_OUT, Split
from seqrec.data.store import cached
from seqrec.data.windows import WindowRule, Windows


class SequenceDataModule(LightningDataModule, ABC):
    """Base of all data sets: split, training windows, batches trimmed to their longest member.

    A data set of your own is a subclass with three methods: where its file is (:meth:`source`), how the file becomes
    sequences (:meth:`read`), and which options decide the result (:meth:`recipe`). For example::

        class Visits(SequenceDataModule):
            def __init__(self, path: str, core: int, **base: Any) -> None:
                super().__init__(**base)
                self.path, self.core = Path(path).expanduser(), core

            def source(self) -> Path:
                return self.path

            def read(self, source: Path) -> Sequences:
                table = read_table(source, {"user": "visitor", "item": "page", "time": "when"})
                return to_sequences(table, source, self.core, self.core, "first_seen", keep=self.split.key)

            def recipe(self) -> dict[str, Any]:
                return {"reader": "visits", "core": self.core}

    :func:`~seqrec.data.readers.tables.read_table` reads csv, JSON lines and parquet and says which line is wrong,
    :func:`~seqrec.data.interactions.to_sequences` filters, sorts and numbers. A file that can be downloaded is
    declared as a :class:`~seqrec.data.sets.source.Source`. What is known about the items is added by
    :meth:`attribute_files` and :meth:`read_attributes`. The rest (cache, split, renumbering, batches) is the same for
    all data sets; options reach the class from a YAML file ``data/visits.yaml``, whose name is the value of ``data=``.

    Args:
        name: short name, used in run folders and cards.
        windows: rule that makes the training windows, a function of :mod:`seqrec.data.windows`.
        max_length: newest items of a history that a model sees, L.
        batch_size: windows a training step, over all ranks together.
        eval_batch_size: histories a validation or test step.
        num_workers: loader processes; 0 gathers in the training process. Results do not depend on it.
        on_device: gather training batches on the GPU, from histories that lie there; ``auto`` does where they take at
            most a tenth of its free memory. On the CPU it means nothing.
        seed: seeds the renumbering of the items, the order of batches and the cuts of long histories.
        cache_dir: where prepared data is kept.
        split: which interactions train, validate and test.

    Attributes:
        takes_files: it reads the files of a ready split.
        attribute_advice: how item attributes can be had, for people whose data set has none.
        with_seen: batches of validation and test carry the seen items; a protocol that ranks them does without.
        whole_evaluation: each rank evaluates all histories, where the ranks share the scores of each.
    """

    name: str
    takes_files: bool = False
    attribute_advice: str = "this data set comes without any"
    with_seen: bool = True
    whole_evaluation: bool = False

    def __init__(
        self,
        name: str,
        windows: WindowRule,
        max_length: int,
        batch_size: int,
        eval_batch_size: int,
        num_workers: int,
        seed: int,
        cache_dir: str,
        on_device: bool | Literal["auto"] = "auto",
        split: Split = LEAVE_ONE_OUT,
    ) -> None:
        super().__init__()
        sizes = {"max_length": max_length, "batch_size": batch_size, "eval_batch_size": eval_batch_size}
        for option, size in sizes.items():
            if size < 1:
                raise ValueError(f"{option} is {size}; it must be at least 1")
        if not name or {"/", "\\", "\0"} & set(name) or name.startswith("."):
            raise ValueError(f"data.name is {name!r}; it is part of the names of folders, so it may hold no / or \\")
        if num_workers < 0:
            raise ValueError(f"num_workers is {num_workers}; 0 loads in the training process")
        if on_device not in (True, False, "auto"):
            raise ValueError(f"on_device is {on_device!r}; choose true, false or auto")
        if split.files and not self.takes_files:
            raise ValueError("split=files: give the log that trains as data.path of data=custom")
        self.name, self.on_device, self.split = name, on_device, split
        self.window_rule = windows
        self.max_length, self.batch_size, self.eval_batch_size = max_length, batch_size, eval_batch_size
        self.num_workers, self.seed = num_workers, seed
        self.cache_dir = cache_folder(cache_dir)
        self.sequences: Sequences

    @abstractmethod
    def source(self) -> Path | None:
        """The local file to read, downloaded if need be; None for data that is computed."""

    @abstractmethod
    def read(self, source: Path) -> Sequences:
        """Read what :meth:`source` returned (None where it returned None) into sequences, in the source's numbering."""

    @abstractmethod
    def recipe(self) -> dict[str, Any]:
        """All options that change what :meth:`read` returns, as JSON; part of the cache key and of the run card."""

    def attribute_files(self, source: Path) -> Sequence[Path]:
        """The local files that say what is known about the items; none where nothing is."""
        return ()

    def read_attributes(self, files: Sequence[Path], sequences: Sequences) -> ItemAttributes:
        """Read those files: attributes by the items' ids in the source; overridden where there are any."""
        raise NotImplementedError(f"{type(self).__name__} names files of attributes but does not read them")

    @property
    def attributes(self) -> Tensor:
        """``(I + 2, A)`` int64, attribute ids ``1..T`` of each item, 0 where it has fewer.

        The rows of padding and mask are zero; A is 0 where nothing is known about the items.
        """
        known = self.sequences.attributes
        table = torch.zeros(self.sequences.num_items + 2, 0 if known is None else known.shape[1], dtype=torch.int64)
        if known is not None:
            table[1:-1] = known
        return table

    @property
    def dropped(self) -> Dropped:
        """What each step between the source and the sequences left out, by its name: rows, users, items."""
        return self.sequences.dropped

    def prepare_data(self) -> None:
        """Download and preprocess once; processes that start together wait for one another."""
        self.setup()

    def setup(self, stage: str | None = None) -> None:
        """Load the prepared sequences (made first if need be), renumber the items, split."""
        if hasattr(self, "sequences"):
            return
        recipe = self.recipe() | ({"split_key": self.split.key} if self.split.key else {})
        prepared = cached(self.cache_dir, self.name, self.source, self._read, recipe, self._other_files)
        self._divide(prepared.renumbered(self.seed))

    def _divide(self, sequences: Sequences) -> None:
        try:
            self.sequences, val, test = self.split.divide(sequences)
        except DataError as error:
            raise DataError(f"data={self.name}: {error}") from None
        self.splits = {"val": val, "test": test}

    def division_digest(self) -> str:
        """SHA-256 of how many interactions of each user train and of where the targets are, for any numbering."""
        content = hashlib.sha256()
        trained = self.sequences.training_end() - self.sequences.offsets[:-1]
        for part in (trained, self.splits["val"].stop, self.splits["test"].stop):
            content.update(part.contiguous().numpy().data)
        return content.hexdigest()

    def _other_files(self, source: Path) -> Sequence[Path]:
        """All files but the source."""
        return [*self.attribute_files(source), *self.split.files]

    def _read(self, source: Path) -> Sequences:
        """Sequences with what is known about their items."""
        sequences, files = self.read(source), self.attribute_files(source)
        if not files:
            return sequences
        table = numbered(self.read_attributes(files, sequences), sequences.item_ids, files[0])
        return replace(sequences, attributes=table)

    def training_windows(self, epoch: int) -> Windows:
        """The windows of one epoch; only rules that cut at random places depend on it."""
        generator = torch.Generator().manual_seed(_mix(self.seed, epoch, 1))
        return self.window_rule(self.sequences, self.max_length, generator)

    def train_dataloader(self) -> DataLoader[Batch]:
        """Shuffled batches of the current epoch, this rank's share of them.

        Raises:
            DataError: there is nothing to learn from, or less than an example a process.
        """
        epoch, rank, world = _place(self.trainer)
        windows = self.training_windows(epoch)
        self._check_examples(len(windows), world)
        generator = torch.Generator().manual_seed(_mix(self.seed, epoch, 2))
        order = torch.randperm(len(windows), generator=generator).split(self.batch_size)
        rows = [batch[rank::world] for batch in order if len(batch) >= world]
        device = _device(self.trainer)
        if device.type != "cpu" and (self.on_device is True or (self.on_device and fits(windows, device))):
            batches = DeviceBatches(windows, rows, self.max_length, device)
            return DataLoader(batches, sampler=range(len(rows)), batch_size=None, generator=torch.Generator())
        return self._loader(partial(windows.batch, max_length=self.max_length), rows)

    def _check_examples(self, count: int, world: int) -> None:
        if not count and self.sequences.trained is not None:
            raise DataError(
                f"data={self.name} has no training example: no user has two interactions in what trains, an input and "
                f"its target; the split is {self.split}"
            )
        if not count:
            enough = int((self.sequences.lengths >= HELD_OUT + 2).sum())
            raise DataError(
                f"data={self.name} has no training example: the last {HELD_OUT} interactions of a user are held out, "
                f"and {enough} of {self.sequences.num_users} users have the {HELD_OUT + 2} that an input and its "
                "target need; give longer histories, or models that learn from single interactions (model=bpr)"
            )
        if count < world:
            raise DataError(f"{count} training examples cannot be shared by {world} processes; lower trainer.devices")

    def val_dataloader(self) -> DataLoader[RankedBatch]:
        """Validation histories, each exactly once over all ranks."""
        return self._evaluation("val")

    def test_dataloader(self) -> DataLoader[RankedBatch]:
        """Test histories, each exactly once over all ranks."""
        return self._evaluation("test")

    def ranked_batches(self, split: str, with_seen: bool) -> Iterator[RankedBatch]:
        """All histories of a split, each exactly once, in the batches of a validation or test on one rank.

        Args:
            split: ``val`` or ``test``.
            with_seen: batches carry the seen items.
        """
        for rows in self._evaluated_rows(split, world=1):
            yield ranked_batch(self.splits[split], rows, self.max_length, with_seen)

    def _evaluation(self, split: str) -> DataLoader[RankedBatch]:
        """Whole batches for each rank, the same ones for any number of ranks that has enough of them.

        A score's last digit may depend on the batch that it is computed in; so ranks do not share batches.
        """
        _, rank, world = _place(None if self.whole_evaluation else self.trainer)
        gather = partial(ranked_batch, self.splits[split], max_length=self.max_length, with_seen=self.with_seen)
        return self._loader(gather, self._evaluated_rows(split, world)[rank::world])

    def _evaluated_rows(self, split: str, world: int) -> list[Tensor]:
        """The rows of each evaluation batch, over all ranks: histories of similar length together."""
        windows = self.splits[split]
        if len(windows) < world:
            raise ValueError(f"{len(windows)} users cannot be shared by {world} processes; lower trainer.devices")
        size = min(self.eval_batch_size, len(windows) // world)  # else a rank could have no batch, and wait for ever
        return list(torch.argsort(windows.lengths, stable=True).split(size))

    def _loader(self, gather: Callable[[Tensor], Example], rows: list[Tensor]) -> DataLoader[Example]:
        return DataLoader(
            Gather(gather),
            sampler=Batches(rows),
            batch_size=None,
            num_workers=self.num_workers,
            pin_memory=_device(self.trainer).type == "cuda",  # so that the host need not wait until a batch is sent
            generator=torch.Generator(),  # its own, so that the loader draws nothing from the global state
        )


def ranked_batch(windows: Windows, rows: Tensor, max_length: int, with_seen: bool) -> RankedBatch:
    """Windows ``rows`` ``(B,)`` to score and rank; the histories are cut to their newest ``max_length`` items."""
    batch = windows.batch(rows, max_length)
    return RankedBatch(rows, batch.histories, batch.target, windows.seen(rows) if with_seen else None)


def _mix(seed: int, epoch: int, use: int) -> int:
    """One seed from three numbers, distinct for all that occur."""
    return (seed * 1_000_003 + epoch) * 7 + use


def _place(trainer: Any) -> tuple[int, int, int]:
    """Epoch, rank and world size; a data module used without a trainer is alone and at epoch 0."""
    return (0, 0, 1) if trainer is None else (trainer.current_epoch, trainer.global_rank, trainer.world_size)


def _device(trainer: Any) -> torch.device:
    """Where the model of a trainer learns; without one, the CPU."""
    return torch.device("cpu") if trainer is None else trainer.strategy.root_device
