"""All ways to ask a trained model give the same lists: one code behind them, over two engines and in a browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import seqrec
from tests.export.browser import Browser
from tests.export.conftest import Bundles
from tests.export.ways import Lists, of_page, of_predict, of_runner, of_service, texts
from tests.inference.conftest import Finished

pytestmark = pytest.mark.thorough
MODELS = ["sasrec", "easnrec", "fenrec", "gru4rec", "lrurec", "bert4rec", "mssr", "xlstm_lsr"]
LENGTHS = (0, 1, 2, 5, 19, 20, 26)
"""Of the histories; the models see 20 items, and none at all gives what is popular."""


@pytest.mark.parametrize("name", MODELS)
def test_all_ways_give_the_same_lists(
    name: str, finished: dict[str, Finished], bundles: Bundles, site: Callable[..., Path], browser: Browser,
    tmp_path: Path,
) -> None:  # fmt: skip
    run, bundle = finished[name].folder, bundles[name, "none"]
    rec = seqrec.load(run)
    histories: list[list[Any]] = [[rec.items.raw[(7 * n + n * n) % 50] for n in range(length)] for length in LENGTHS]
    expected = texts(rec.recommend(histories, 10).items)
    assert len({tuple(row) for row in expected}) > 2 and all(len(row) == 10 for row in expected)
    ways: dict[str, Lists] = {
        "a bundle in Python": texts(seqrec.load(bundle).recommend(histories, 10).items),
        "task=predict": of_predict(run, histories, tmp_path),
        "recommend.py": of_runner(bundle, histories),
        "task=serve": of_service(bundle, histories, tmp_path),
        "the page": of_page(site(name, "none"), histories, browser),
    }
    assert ways == dict.fromkeys(ways, expected)
