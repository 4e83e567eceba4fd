"""task=update: a new run from a finished one and a log of what came later."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch

import seqrec
from seqrec import inference
from seqrec.export.bundle import write_bundle
from seqrec.inference.shared_encoder import shares_encoder
from seqrec.methods.checkpoint import read_checkpoint
from seqrec.runs.catalog import read_catalog, read_users
from seqrec.runs.folder import BEST
from tests.integration.own_log import NEW_ITEMS, NEW_USERS, OLD_ITEMS, OLD_USERS, log, trained, updated, write_logs

CONF = Path(__file__).parents[2] / "conf"

pytestmark = pytest.mark.usefixtures("undrawn")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("updates")
    write_logs(folder)
    return folder


@pytest.fixture(scope="module")
def runs(place: Path) -> dict[str, Path]:
    """Runs by model, made when a test asks for them."""

    class Runs(dict[str, Path]):
        def __missing__(self, name: str) -> Path:
            self[name] = trained(place, name)
            return self[name]

    return Runs()


def state(run: Path) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = read_checkpoint(run / BEST)["state_dict"]
    return found


def content(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def report(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "update.json").read_text())
    return found


@pytest.mark.parametrize("model", ["sasrec", "bert4rec", "gru4rec", "bpr"])
def test_old_numbers_stay_and_new_ones_follow(runs: dict[str, Path], place: Path, model: str) -> None:
    run = runs[model]
    before = content(run)
    new = updated(run, f"{model}-new", place / "new.parquet", "task.epochs=1")
    assert content(run) == before, "the run stays as it was"
    old_ids, new_ids = (read_catalog(folder).raw.to_list() for folder in (run, new))
    assert new_ids[: len(old_ids)] == old_ids and set(new_ids[len(old_ids) :]) == set(NEW_ITEMS)
    found = report(new)
    assert found["metrics"]["new users"]["users"] == len(NEW_USERS)
    low, high = found["intervals"]["all users"]["after"]["mrr"]
    assert low < found["metrics"]["all users"]["after"]["mrr"] == pytest.approx((low + high) / 2)
    assert found["metrics"]["old users"]["users"] == len(OLD_USERS)
    assert found["new_items"]["share_of_top10"]["before"] == 0 < found["new_items"]["share_of_top10"]["grown"]
    users = OLD_USERS[:1] + NEW_USERS[:1]
    asked = {"users": users} if model == "bpr" else {}
    lists = seqrec.load(new).recommend([["i0", "n0"], ["n1"]], k=len(new_ids), seen="keep", **asked).items
    assert all(set(NEW_ITEMS) <= set(row) for row in lists)
    if model == "bpr":
        known = read_users(run).raw.to_list()
        assert read_users(new).raw[: len(known)].to_list() == known


def test_without_training_old_weights_stay_and_the_encoder_is_shared(runs: dict[str, Path], place: Path) -> None:
    for model in ("sasrec", "bert4rec"):
        new = updated(runs[model], f"{model}-untrained", place / "new.parquet", "task.epochs=0")
        before, after, items = state(runs[model]), state(new), len(OLD_ITEMS)
        table = "backbone.item_embedding.weight"
        assert torch.equal(after[table][: items + 1], before[table][: items + 1])
        assert torch.equal(after[table][-1], before[table][-1]) and len(after[table]) == items + len(NEW_ITEMS) + 2
        assert shares_encoder(runs[model], new) and report(new)["epoch"] == 0
        scores = [inference.load(run) for run in (runs[model], new)]
        histories = scores[0].histories([["i3", "i4"], ["i7"]])
        assert torch.equal(scores[0].score(histories), scores[1].score(histories)[:, :items])


def test_frozen_only_new_rows_learn(runs: dict[str, Path], place: Path) -> None:
    new = updated(runs["sasrec"], "frozen", place / "new.parquet", "task.freeze=true", "task.epochs=3")
    untrained = updated(runs["sasrec"], "not-frozen", place / "new.parquet", "task.epochs=0")
    trained = read_checkpoint(new / "checkpoints/last.ckpt")["state_dict"]
    start, table, old = state(untrained), "backbone.item_embedding.weight", len(OLD_ITEMS)
    changed = {name for name in start if not torch.equal(start[name], trained[name])}
    assert changed == {table}
    assert torch.equal(start[table][: old + 1], trained[table][: old + 1])
    assert torch.equal(start[table][-1], trained[table][-1])
    assert shares_encoder(runs["sasrec"], new) and shares_encoder(new, untrained)
    thawed = updated(runs["sasrec"], "thawed", place / "new.parquet", "task.epochs=3")
    assert report(thawed)["epoch"] > 0 and not shares_encoder(runs["sasrec"], thawed)


@pytest.mark.thorough
def test_bundles_of_a_frozen_update_share_the_encoder_byte_for_byte(runs: dict[str, Path], place: Path) -> None:
    run = runs["gru4rec"]
    frozen = updated(run, "gru4rec-frozen", place / "new.parquet", "task.freeze=true", "task.epochs=1")
    thawed = updated(run, "gru4rec-thawed", place / "new.parquet", "task.epochs=3")
    bundles = [write_bundle(folder, place / f"bundle-{folder.name}").folder for folder in (run, frozen, thawed)]
    before, same, other = ((folder / "encoder.onnx").read_bytes() for folder in bundles)
    assert shares_encoder(run, frozen) and same == before
    assert not shares_encoder(run, thawed) and other != before
    assert "n0" in seqrec.load(bundles[1]).recommend([["i0", "n1"]], k=23, seen="keep").items[0]


def test_a_whole_log_gives_what_new_rows_give(runs: dict[str, Path], place: Path) -> None:
    rows = updated(runs["sasrec"], "by-rows", place / "new.parquet", "task.epochs=1")
    whole = ["task.log=whole", "task.epochs=1", "task.min_item=1", "task.min_user=1"]
    anew = updated(runs["sasrec"], "by-whole", place / "whole.csv", *whole)
    assert set(read_catalog(anew).raw) == set(read_catalog(rows).raw)
    assert read_catalog(anew).raw[: len(OLD_ITEMS)].equals(read_catalog(rows).raw[: len(OLD_ITEMS)])
    one, other = (json.loads((run / "protocol.json").read_text())["data"] for run in (rows, anew))
    assert (one["users"], one["items"], one["interactions"]) == (other["users"], other["items"], other["interactions"])
    assert report(anew)["metrics"]["old users"]["users"] == len(OLD_USERS)


@pytest.mark.parametrize("times", [2, pytest.param(20, marks=pytest.mark.slow)])
def test_repeated_updates_keep_all_ids(runs: dict[str, Path], place: Path, times: int) -> None:
    run, known = runs["sasrec"], read_catalog(runs["sasrec"]).raw.to_list()
    for turn in range(times):
        path = place / "turn.parquet"
        log([f"w{turn}", *OLD_USERS[:3]], [f"x{turn}", *OLD_ITEMS[:4]], 1000 * (turn + 1), 5).write_parquet(path)
        run = updated(run, f"turn-{turn}-of-{times}", path, "task.epochs=0")
        ids = read_catalog(run).raw.to_list()
        assert ids[: len(known)] == known and ids[len(known) :] == [f"x{turn}"]
        known = ids
    users = pl.read_parquet(run / "histories" / "users.parquet")["id"].to_list()
    assert users == OLD_USERS + [f"w{turn}" for turn in range(times)]
    first = state(runs["sasrec"])["backbone.item_embedding.weight"]
    assert torch.equal(state(run)["backbone.item_embedding.weight"][: len(OLD_ITEMS) + 1], first[:-1])


def test_a_model_that_counts_counts_anew(runs: dict[str, Path], place: Path) -> None:
    new = updated(runs["markov"], "markov-new", place / "new.parquet")
    assert seqrec.load(new).recommend([["n0"]], k=1, seen="keep").items == [["n1"]]


def test_what_cannot_be_updated_is_refused_in_one_line(runs: dict[str, Path], place: Path, tmp_path: Path) -> None:
    run, bad = runs["sasrec"], tmp_path / "bad.csv"

    def refused(match: str, path: Path, *more: str) -> None:
        with pytest.raises(ValueError, match=match):
            updated(run, "refused", path, *more)
        assert not (place / "refused").exists() or not list((place / "refused").glob("*.json"))

    bad.write_text("user,item\n1,2\n")
    refused("column `who` is missing", bad)
    bad.write_text("who,what,when\n")
    refused("no interactions in the file", bad)
    refused("it begins as the run's own log does", place / "old.parquet")
    refused("holds nothing that the run does not know", place / "old.parquet", "task.log=whole")
    with pytest.raises(ValueError, match="holds no finished run"):
        updated(tmp_path, "refused", place / "new.parquet")


def test_runs_that_lack_what_is_needed_are_refused(place: Path, tmp_path: Path) -> None:
    write_logs(tmp_path)
    run = trained(tmp_path, "sasrec")
    (tmp_path / "old.parquet").rename(tmp_path / "moved.parquet")
    with pytest.raises(ValueError, match=r"its own log cannot be read again .*task.log=whole"):
        updated(run, "refused", tmp_path / "new.parquet")
    log(OLD_USERS, OLD_ITEMS, 7, 9).write_parquet(tmp_path / "old.parquet")
    with pytest.raises(ValueError, match="its own log has changed since it was trained"):
        updated(run, "refused", tmp_path / "new.parquet")
    (run / "catalog.parquet").unlink()
    with pytest.raises(ValueError, match=r"catalog.parquet is missing, as in runs of older versions"):
        updated(run, "refused", tmp_path / "new.parquet")


def test_ids_of_another_type_are_compared_as_text(tmp_path: Path) -> None:
    write_logs(tmp_path)
    numbers = pl.read_parquet(tmp_path / "old.parquet").with_columns(pl.col("what").str.slice(1).cast(pl.Int64))
    numbers.write_parquet(tmp_path / "old.parquet")
    run = trained(tmp_path, "sasrec")
    came = pl.DataFrame({"who": ["u1"] * 3, "what": ["3", "n", "4"], "when": [200, 201, 202]})
    came.write_parquet(tmp_path / "new.parquet")
    ids = read_catalog(updated(run, "text", tmp_path / "new.parquet", "task.epochs=0")).raw.to_list()
    assert ids == [*map(str, read_catalog(run).raw.to_list()), "n"]


@pytest.mark.slow
@pytest.mark.parametrize("model", sorted({path.stem for path in CONF.glob("model/*.yaml")} - {"mssr", "s3rec"}))
def test_every_model_can_be_updated(tmp_path: Path, model: str) -> None:
    write_logs(tmp_path)
    first = ["warm_start.trainer.max_epochs=1"] if model == "mvs" else []
    clusters = ["model.num_clusters=4"] if model in ("iclrec", "icsrec") else []
    run = trained(tmp_path, model, "trainer.max_epochs=1", *first, *clusters)
    new = updated(run, "updated", tmp_path / "new.parquet", "task.epochs=1")
    again = log(OLD_USERS, [*OLD_ITEMS, "z"], 2000, 4)
    again.write_parquet(tmp_path / "again.parquet")
    twice = updated(new, "twice", tmp_path / "again.parquet", "task.epochs=1")
    ids = read_catalog(twice).raw.to_list()
    assert ids[:-1] == read_catalog(new).raw.to_list() and ids[-1] == "z"
    users = {"users": ["u0"]} if model in ("bpr", "caser") else {}
    (row,) = seqrec.load(twice).recommend([["i0", "n0", "z"]], k=len(ids), seen="keep", **users).items
    assert sorted(row) == sorted(ids)


@pytest.mark.slow
@pytest.mark.parametrize("model", ["mssr", "s3rec"])
def test_attributes_of_old_items_keep_their_numbers(tmp_path: Path, model: str) -> None:
    write_logs(tmp_path)
    names = {item: [f"kind {place % 3}", "thing"] for place, item in enumerate([*OLD_ITEMS, *NEW_ITEMS])}
    (tmp_path / "names.json").write_text(json.dumps({item: names[item] for item in OLD_ITEMS}))
    first = ["warm_start.trainer.max_epochs=1"] if model == "s3rec" else []
    run = trained(tmp_path, model, f"data.attributes={tmp_path / 'names.json'}", *first)
    (tmp_path / "more.json").write_text(json.dumps(names | {NEW_ITEMS[0]: ["new", "kind 1"]}))
    new = updated(run, "new", tmp_path / "new.parquet", f"data.attributes={tmp_path / 'more.json'}", "task.epochs=1")
    if model == "mssr":
        before, after = (state(folder)["backbone.attributes"] for folder in (run, new))
        assert torch.equal(before[:-1], after[: len(before) - 1])
        known = read_catalog(new).numbers([NEW_ITEMS[0], NEW_ITEMS[1], "i0"]).tolist()
        of_new, thing = after[known].tolist(), set(after[known[2]].tolist()) & set(after[known[1]].tolist())
        assert sorted(of_new[0])[0] == 0 and len(thing) >= 1, "what no old item has is left out"
    assert "n0" in seqrec.load(new).recommend([["i0"]], k=23, seen="keep").items[0]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_beauty_split_in_time(seed: int, tmp_path: Path, data_root: Path) -> None:
    """Old users lose nothing when the last tenth of the time comes, and new items are recommended."""
    reviews = pl.read_csv(data_root / "raw" / "amazon" / "Beauty_file_order.csv.gz")
    names = {"user_id": "who", "item_id": "what", "timestamp": "when"}
    times = reviews.select(*names).rename(names)
    came = pl.col("when") >= times["when"].quantile(0.9)
    times.filter(~came).write_parquet(tmp_path / "old.parquet")
    times.filter(came).write_parquet(tmp_path / "new.parquet")
    less = ["data.min_user=3", "data.min_item=3", "data.max_length=20", "trainer.max_epochs=10"]
    sizes = ["model.backbone.dim=64", "model.backbone.ffn_dim=256", "model.backbone.dropout=0.2"]
    loss = ["model.optimizer.lr=0.001", "model/loss=shared_softmax", f"seed={seed}"]
    run = trained(tmp_path, "sasrec", *less, *sizes, *loss)
    found = report(updated(run, "updated", tmp_path / "new.parquet", "task.epochs=4"))
    old = found["difference"]["old users"]
    assert old["ndcg@10"] + 2 * old["standard_error"] > 0, "old users do not lose"
    assert found["metrics"]["targets that are new items"]["after"]["ndcg@10"] > 0.02
    shares = found["new_items"]["share_of_top10"]
    assert shares["before"] == 0 < 0.2 * found["new_items"]["share_of_targets"] < shares["after"]
    assert shares["after"] < 2 * found["new_items"]["share_of_targets"]
