"""The one path from histories to lists, with an engine that can be seen through."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from seqrec.functional import ranking
from seqrec.serving import order, recommend
from seqrec.serving.order import best
from seqrec.serving.recommend import LoadedModel
from tests.serving.dot import COUNTS, ITEMS, Dot, dot

# Each item is asked by its own vector: the first column says how much all items are liked, the others are its own.
LIKED = np.array([[4.0, 1, 0], [3.0, 0, 1], [3.0, 1, 1], [2.0, 0, 0], [1.0, 1, 0], [-1.0, 0, 0]])


def test_serving_needs_no_torch(tmp_path: Path) -> None:
    code = (
        "import pkgutil, sys, importlib, seqrec.serving\n"
        "for module in pkgutil.walk_packages(seqrec.serving.__path__, 'seqrec.serving.'):\n"
        "    importlib.import_module(module.name)\n"
        "print(*sorted({'torch', 'pytorch_lightning', 'hydra', 'omegaconf'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr


def test_the_core_runs_from_copies_of_two_files(tmp_path: Path) -> None:
    """What a bundle carries: no other file of the package, and nothing but numpy."""
    (tmp_path / "recommend.py").write_bytes(Path(recommend.__file__).read_bytes())
    (tmp_path / "recommend_order.py").write_bytes(Path(order.__file__).read_bytes())
    code = (
        "import sys, recommend\n"
        "heavy = {name.partition('.')[0] for name in sys.modules} & {'seqrec', 'polars', 'torch'}\n"
        "print(recommend.LoadedModel.__name__, *heavy)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stdout.split()) == (0, ["LoadedModel"]), done.stderr


def test_lists_are_ordered_by_score_then_by_number() -> None:
    found = dot(LIKED).recommend([["d"], ["e"]], k=4)
    assert found.items == [["a", "b", "c", "d"], ["a", "c", "b", "d"]]
    assert found.scores.tolist() == [[8, 6, 6, 4], [5, 4, 3, 2]]
    assert found.counts == {"unknown_items": 0, "empty_histories": 0, "short_lists": 0}


@pytest.mark.parametrize(("columns", "k"), [(7, 3), (7, 7), (700, 1), (2000, 4)])
def test_numpy_and_torch_order_ties_alike(columns: int, k: int) -> None:
    random = np.random.default_rng(columns + k)
    scores = random.integers(0, 4, (50, columns)).astype(np.float32)
    scores[random.random(scores.shape) < 0.2] = -np.inf
    scores[0] = 1
    in_torch = ranking.best(torch.from_numpy(scores), k)
    for ours, theirs, expected in zip(best(scores, k), in_torch, _sorted(scores, k), strict=True):
        there = expected > -np.inf
        assert (ours == theirs.numpy())[there].all() and (ours == expected)[there].all()


def _sorted(scores: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores and columns, those of minus infinity as minus infinity."""
    order = np.lexsort((np.arange(scores.shape[1])[None].repeat(len(scores), 0), -scores))[:, :k]
    values = np.take_along_axis(scores, order, axis=1)
    return values, np.where(values > -np.inf, order, -np.inf)


@pytest.mark.parametrize("best_of", [best, lambda scores, k: ranking.best(torch.from_numpy(scores), k)])
def test_nan_has_no_order(best_of: Any) -> None:
    for columns in (5, 2000):
        scores = np.zeros((2, columns), dtype=np.float32)
        scores[1, columns - 2] = np.nan
        with pytest.raises(ValueError, match="NaN"):
            best_of(scores, 2)


def test_seen_follows_the_run_unless_asked_otherwise() -> None:
    keeps, removes = dot(LIKED), dot(LIKED, remove_seen=True)
    history = [["a", "b", "c", "d"]]
    assert keeps.recommend(history, 3).items == keeps.recommend(history, 3, seen="keep").items == [["a", "b", "c"]]
    assert removes.recommend(history, 3, seen="keep").items == [["a", "b", "c"]]
    assert removes.recommend(history, 2).items == keeps.recommend(history, 2, seen="remove").items == [["e", "f"]]
    engine = removes.engine
    assert isinstance(engine, Dot) and engine.asked[-1] == (1, engine.max_length)  # though it saw three items only


def test_filters_leave_k_while_more_remain() -> None:
    model = dot(LIKED)
    assert model.recommend([["d"]], 2, block=["a", "c", "nobody"]).items == [["b", "d"]]
    assert model.recommend([["d"]], 2, allow=["f", "e", "b", "nobody"]).items == [["b", "e"]]
    found = model.recommend([["d"], ["e"]], 3, allow=["f", "e"], seen="remove")
    assert found.items == [["e", "f"], ["f"]]
    assert found.counts["short_lists"] == 2
    assert found.numbers.tolist() == [[5, 6, 0], [6, 0, 0]] and np.isnan(found.scores[1, 1:]).all()
    whole = model.recommend([["d"]], 100)
    assert len(whole.items[0]) == len(ITEMS) and whole.counts["short_lists"] == 1


def test_unknown_items_are_left_out_and_counted_or_refused() -> None:
    model = dot(LIKED)
    found = model.recommend([["x", "d", "y"], ["e"], [None, 1.5]], k=1)
    assert found.items == [["a"], ["a"], ["b"]]
    assert found.unknown.tolist() == [2, 0, 2]
    assert found.popular.tolist() == [False, False, True]
    for arguments in ({"histories": [["d"], ["x"]]}, {"histories": [["d"]], "allow": ["a", "x"]}):
        with pytest.raises(ValueError, match=r"\[1\] is unknown to dot; unknown=drop"):
            model.recommend(**arguments, unknown="error")


def test_empty_histories_get_popular_items_with_the_filters() -> None:
    model = dot(LIKED, remove_seen=True)
    found = model.recommend([[], ["d"], ["x"]], k=3, block=["b"])
    assert found.items[0] == found.items[2] == ["f", "a", "c"]  # equal counts by the lower number
    assert found.scores[0].tolist() == [9, 5, 5]
    assert found.counts == {"unknown_items": 1, "empty_histories": 2, "short_lists": 0}
    with pytest.raises(ValueError, match=r"dot knows nothing in histories\[0\]; empty=popular"):
        model.recommend([[], ["d"]], empty="error")
    nothing = model.recommend([], k=3)
    assert nothing.items == [] and nothing.counts["short_lists"] == 0


def test_ids_are_compared_as_text_and_come_back_in_their_own_type() -> None:
    model = LoadedModel(Dot(LIKED), [10, 20, 30, 40, 50, 60], COUNTS, False, "dot")
    assert model.recommend([["40"], [40], [np.int64(40)]], k=2).items == [[10, 20]] * 3
    assert model.score([[40]], ["20"])[0].tolist() == [6]


def test_rows_do_not_depend_on_what_is_asked_beside_them() -> None:
    random = np.random.default_rng(0)
    model = dot(LIKED, remove_seen=True)
    histories = [[ITEMS[item] for item in random.integers(0, 6, random.integers(0, 9))] for _ in range(400)]
    together = model.recommend(histories, k=4)
    for row, history in enumerate(histories[:60]):
        alone = model.recommend([history], k=4)
        assert alone.items[0] == together.items[row]
        np.testing.assert_array_equal(alone.scores[0], together.scores[row])
        expected = set(ITEMS) - set(history)
        assert len(together.items[row]) == min(4, len(expected)) and set(together.items[row]) <= expected


def test_candidates_are_scored_in_their_order() -> None:
    model = dot(LIKED)
    for candidates in (["c", "x", "a"], [["c", "x", "a"], ["b"], ["a"]]):
        found = model.score([["d"], ["e"], []], candidates)
        assert found[0].tolist()[::2] == [6, 8] and np.isnan(found[0][1])
        assert found[1][0] == (4 if candidates[0] == "c" else 3)
        assert found[2].tolist()[-1] == 5  # nothing is known: how often it occurs in training
    with pytest.raises(ValueError, match="items has 2 lists for 1 histories"):
        model.score([["d"]], [["a"], ["b"]])


def test_similar_items_point_in_the_same_direction() -> None:
    table = np.array([[1.0, 0], [10.0, 1], [0.0, 3], [1.0, 1], [-1.0, 0]])
    found = dot(table).similar(["a", "nobody", "c"], k=2)
    assert found.items == [["b", "d"], [], ["d", "b"]]
    assert found.counts["unknown_items"] == 1
    assert dot(table).similar(["a"], k=9).items == [["b", "d", "c", "e"]]


def test_models_that_know_users_ask_for_them() -> None:
    model = dot(LIKED, users=["u", "v"])
    found = model.recommend([[], ["f"], ["f"]], k=2, users=["v", "u", "stranger"], seen="remove")
    assert found.items == [["a", "b"], ["a", "c"], ["b", "a"]]
    assert found.popular.tolist() == [False, False, True]
    with pytest.raises(ValueError, match="dot scores known users only: give users"):
        model.recommend([["a"]])
    with pytest.raises(ValueError, match="users has 1 ids for 2 histories"):
        model.recommend([["a"], ["b"]], users=["u"])
    with pytest.raises(ValueError, match=r"users\[0\] is unknown"):
        model.recommend([["a"]], users=["stranger"], unknown="error")
    with pytest.raises(ValueError, match="dot knows no users; leave them out"):
        dot(LIKED).recommend([["a"]], users=["u"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"histories": ["a", "b"]}, "list of lists"),
        ({"histories": "ab"}, "list of lists"),
        ({"histories": None}, "list of lists"),
        ({"k": 0}, "k is 0; ask for a whole number"),
        ({"k": True}, "k is True"),
        ({"k": 2.0}, "k is 2.0"),
        ({"seen": "yes"}, "seen is 'yes'; choose keep, remove or as_evaluated"),
        ({"unknown": None}, "unknown is None; choose drop or error"),
        ({"empty": "x"}, "empty is 'x'; choose popular or error"),
        ({"allow": "abc"}, "allow is 'abc'; give a list"),
        ({"allow": []}, "allow and block leave no item"),
        ({"block": ITEMS}, "allow and block leave no item"),
        ({"block": 7}, "block is 7; give a list"),
    ],
)
def test_what_means_nothing_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dot(LIKED).recommend(**({"histories": [["a"]]} | arguments))


def test_scores_that_are_nan_are_refused() -> None:
    model = dot(np.full((6, 3), np.nan))
    with pytest.raises(ValueError, match="scored an item with NaN"):
        model.recommend([["a"]])
    with pytest.raises(ValueError, match="scored an item with NaN"):
        model.score([["a"]], ["b"])
