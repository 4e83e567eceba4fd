"""How RecTools and RePlay prepare a log for their transformers; run by compare_preparation.py in their environments.

From csv files with user, item and time to what a training loader draws from. Prints the figures as JSON.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from pathlib import Path


def rectools(log: Path) -> int:
    """As ``SASRecModel.fit`` begins."""
    import pandas
    from rectools.dataset import Dataset
    from rectools.models.nn.transformers.sasrec import SASRecDataPreparator

    table = pandas.read_csv(log).set_axis(["user_id", "item_id", "datetime"], axis=1)
    table["datetime"] = pandas.to_datetime(table["datetime"], unit="s")
    table["weight"] = 1.0
    preparator = SASRecDataPreparator(session_max_len=50, batch_size=256, dataloader_num_workers=0)
    preparator.process_dataset_train(Dataset.construct(table))
    return len(preparator.get_dataloader_train().dataset)


def replay(log: Path) -> int:
    """As its SASRec example begins, on Polars, the fastest of its three forms."""
    import polars
    from replay.data import Dataset, FeatureHint, FeatureInfo, FeatureSchema, FeatureSource, FeatureType
    from replay.data.nn import (
        SequenceTokenizer,
        TensorFeatureInfo,
        TensorFeatureSource,
        TensorSchema,
        TorchSequentialDataset,
    )

    kinds = FeatureType.CATEGORICAL, FeatureType.NUMERICAL
    schema = FeatureSchema(
        [
            FeatureInfo("user", kinds[0], FeatureHint.QUERY_ID),
            FeatureInfo("item", kinds[0], FeatureHint.ITEM_ID),
            FeatureInfo("time", kinds[1], FeatureHint.TIMESTAMP),
        ]
    )
    source = TensorFeatureSource(FeatureSource.INTERACTIONS, "item")
    item = TensorFeatureInfo("item", kinds[0], is_seq=True, feature_sources=[source], feature_hint=FeatureHint.ITEM_ID)
    dataset = Dataset(schema, interactions=polars.read_csv(log))
    sequences = SequenceTokenizer(TensorSchema([item])).fit_transform(dataset)
    return len(TorchSequentialDataset(sequences, max_sequence_length=50, sliding_window_step=50))


def main() -> None:
    """One peer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("peer", choices=["rectools", "replay"])
    parser.add_argument("log", type=Path)
    arguments = parser.parse_args()
    start, cpu = time.perf_counter(), time.process_time()
    histories = {"rectools": rectools, "replay": replay}[arguments.peer](arguments.log)
    figures = {
        "seconds": time.perf_counter() - start,
        "cpu_seconds": time.process_time() - cpu,
        "histories": histories,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
