"""The start of an epoch that clusters all histories, k-means alone, and a whole validation, on Beauty's sizes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytorch_lightning as pl
import torch

from seqrec.nn.kmeans import KMeans
from tests.device.audit import train
from tests.gpu.place import Place
from tests.gpu.report import Row
from tests.gpu.steps import sized


class Clock(pl.Callback):
    """Wall seconds between the beginning of what a model does and the next hook."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.starts: list[float] = []
        self.validations: list[float] = []

    def _now(self) -> float:
        self.place.wait()
        return time.perf_counter()

    def on_train_epoch_start(self, *_: Any) -> None:
        self.begun, self.first = self._now(), True

    def on_train_batch_start(self, *_: Any) -> None:
        if self.first:
            self.starts.append(self._now() - self.begun)
            self.first = False

    def on_validation_start(self, *_: Any) -> None:
        self.begun = self._now()

    def on_validation_end(self, *_: Any) -> None:
        self.validations.append(self._now() - self.begun)


def rows(place: Place) -> Iterator[Row]:
    """k-means alone, then a short training of ICSRec."""
    with place.active():
        points = torch.empty(place.sized(131_000, 500), 64, device=place.device).normal_()
        clusters = KMeans(place.sized(256, 8), 64).to(place.device)
        for what in ("first", "second"):
            seconds = place.seconds(lambda: clusters.fit(points), repeats=1, warm=0)
            yield {
                "what": f"{what} k-means of {tuple(points.shape)}, {len(clusters.centroids)} clusters, s",
                "value": seconds,
            }
    config = sized(place, "icsrec", 2)
    config.trainer.update({"max_epochs": 2, "limit_val_batches": 1.0})
    clock = Clock(place)
    with place.active():
        train(config, [clock])
    users = config.data.num_users
    yield {"what": "start of the first epoch of ICSRec, s", "value": clock.starts[0]}
    yield {"what": "start of the second, s", "value": clock.starts[-1]}
    yield {"what": f"validation of {users:,} users, seen items removed, s", "value": clock.validations[-1]}
