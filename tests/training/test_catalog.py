"""What the data says about the catalogue enters the configuration, once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf

from seqrec.data.errors import DataError
from seqrec.data.sets.custom import Custom
from seqrec.data.windows import last_window
from seqrec.training.catalog import with_catalog

PLAIN, WITH_ATTRIBUTES = "seqrec.methods.next_item.NextItem", "seqrec.methods.mssr.MSSR"


def configuration(model: str, attributes: str | None = None, first: str | None = None) -> DictConfig:
    sizes = dict.fromkeys(("num_items", "num_users", "num_attributes", "attributes_per_item"))
    warm_start = None if first is None else {"model": {"_target_": first}}
    return OmegaConf.create(
        {
            "name": "a-model",
            "catalog": sizes,
            "model": {"_target_": model},
            "data": {"attributes": attributes},
            "warm_start": warm_start,
        }
    )


def log(folder: Path, attributes: str | None) -> Custom:
    """Three users with three items each."""
    (folder / "log.csv").write_text("user,item\n" + "".join(f"{u},{i}\n" for u in "abc" for i in ("x", "y", "z")))
    options: dict[str, Any] = {
        "path": str(folder / "log.csv"),
        "columns": {"user": "user", "item": "item", "time": None},
    }
    if attributes is not None:
        (folder / "known.json").write_text(attributes)
        options["attributes"] = str(folder / "known.json")
    data = Custom(
        name="data", windows=last_window, max_length=5, batch_size=2, eval_batch_size=2, num_workers=0, seed=0,
        cache_dir=str(folder / "cache"), min_user=1, min_item=1, **options,
    )  # fmt: skip
    data.setup()
    return data


def test_sizes_enter_a_copy(tmp_path: Path) -> None:
    config = configuration(WITH_ATTRIBUTES, attributes="known.json")
    filled = with_catalog(config, log(tmp_path, '{"x": ["a", "b"], "y": ["c"]}'))
    assert filled.catalog == {"num_items": 3, "num_users": 3, "num_attributes": 3, "attributes_per_item": 2}
    assert config.catalog.num_items is None
    without = with_catalog(configuration(PLAIN), log(tmp_path, None))
    assert (without.catalog.num_attributes, without.catalog.attributes_per_item) == (0, 0)


def test_attributes_that_no_model_of_the_run_uses_are_refused(tmp_path: Path) -> None:
    data = log(tmp_path, '{"x": ["a"]}')
    with pytest.raises(DataError, match=r"data\.attributes=known\.json: a-model cannot use item attributes"):
        with_catalog(configuration(PLAIN, attributes="known.json"), data)
    first = "seqrec.methods.s3rec.S3RecPretraining"
    assert with_catalog(configuration(PLAIN, "known.json", first), data).catalog.num_attributes == 1


def test_a_model_without_the_attributes_that_it_needs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a-model needs item attributes.*data=data has none: name a JSON file"):
        with_catalog(configuration(WITH_ATTRIBUTES), log(tmp_path, None))
