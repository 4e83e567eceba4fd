"""A bundle recommends what its run recommends, without torch; what is not as it was written is refused."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import seqrec
from seqrec.export import bundle as writing
from seqrec.export.bundle import SOURCES, write_bundle
from seqrec.export.parity import measure, refuse
from seqrec.serving import bundle as reading
from seqrec.serving.frames import FrameModel
from tests.choice import thorough_but
from tests.export.conftest import Bundles
from tests.inference.conftest import KNOW_USERS, Finished

CHEAP = "gru4rec"
OTHERS = ["sasrec", "easnrec", "fenrec", "lrurec", "bert4rec", "mssr", "xlstm_lsr", "cbit", "maerec", "caser", "bpr"]
RECURRENT = ["gru4rec", "lrurec", "xlstm_lsr"]


def asked(rec: FrameModel, scored: list[Any]) -> tuple[list[list[Any]], list[Any] | None]:
    """Histories, and users where they are known, of the last batch of a test."""
    histories = scored[-1][0]
    raw = [[rec.items.raw[item - 1] for item in row if item] for row in histories.items.tolist()]
    return raw, None if rec.users is None else [rec.users.raw[user] for user in histories.user.tolist()]


@pytest.mark.parametrize("name", thorough_but([CHEAP], [CHEAP, *OTHERS]))
def test_a_bundle_recommends_as_its_run(name: str, finished: dict[str, Finished], bundles: Bundles) -> None:
    run, made = seqrec.load(finished[name].folder), seqrec.load(bundles[name, "none"])
    histories, users = asked(run, finished[name].scored)
    for options in ({"seen": "keep"}, {"seen": "remove", "block": run.items.raw[:3]}, {"allow": run.items.raw[5:12]}):
        wanted, found = (rec.recommend(histories, 10, users=users, **options) for rec in (run, made))
        np.testing.assert_array_equal(wanted.numbers, found.numbers)
        size = np.nanmax(np.abs(wanted.scores))
        np.testing.assert_allclose(wanted.scores, found.scores, rtol=0, atol=2e-4 * size)
        assert found.items[0] == wanted.items[0] and found.counts == wanted.counts
    some = run.items.raw[:4]
    scores, others = (rec.score(histories, some, users=users) for rec in (run, made))
    for one, other in zip(scores, others, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=2e-4 * size)
    assert (name in KNOW_USERS) is (users is not None)
    np.testing.assert_array_equal(run.similar(some, 5).numbers, made.similar(some, 5).numbers)


@pytest.mark.thorough
@pytest.mark.parametrize("name", [CHEAP, "sasrec", "bert4rec", "cbit"])
def test_a_bundle_of_8_bits_is_near_and_none_depends_on_others(
    name: str, finished: dict[str, Finished], bundles: Bundles
) -> None:
    run, made = seqrec.load(finished[name].folder), seqrec.load(bundles[name, "int8"])
    assert made.engine.card["quant"] == "int8"
    histories, _ = asked(run, finished[name].scored)
    wanted, found = run.recommend(histories, 10), made.recommend(histories, 10)
    both = [len(np.intersect1d(*pair)) for pair in zip(wanted.numbers, found.numbers, strict=True)]
    assert np.mean(both) > 9.5
    for row, history in enumerate(histories[:20]):
        alone = made.recommend([history], 10)
        np.testing.assert_array_equal(alone.scores[0], found.scores[row])
        np.testing.assert_array_equal(made.score([history], alone.items[0])[0], alone.scores[0])
    sizes = [writing.read_json(bundles[name, quant] / "cost.json")["bytes_by_file"] for quant in ("none", "int8")]
    assert sizes[0]["items.bin"] == 4 * sizes[1]["items.bin"]


ALONE = """
import json, sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "seqrec", "polars", "onnx", "lightning", "pytorch_lightning", "hydra"}:
            raise ImportError(f"{name} is not there")
sys.meta_path.insert(0, Refuse())
import recommend
model = recommend.load()
session = recommend.session(model)
for item in json.loads(sys.argv[1]):
    session.add(item)
lists = [model.recommend([json.loads(sys.argv[1])], 5).items[0], session.recommend(5).items[0]]
print(json.dumps(lists)); print(*sorted(set(name.partition(".")[0] for name in sys.modules)))
"""


def test_a_bundle_needs_numpy_and_onnxruntime_alone(bundles: Bundles, tmp_path: Path) -> None:
    folder = shutil.copytree(bundles[CHEAP, "none"], tmp_path / "elsewhere")
    history = seqrec.load(folder).items.raw[:4]
    wanted = seqrec.load(folder).recommend([history], 5)
    command = [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(folder)!r})\n{ALONE}"]
    done = subprocess.run([*command, json.dumps(history)], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lists, modules = done.stdout.splitlines()
    assert json.loads(lists) == [wanted.items[0]] * 2
    assert {"numpy", "onnxruntime"} <= set(modules.split())
    words = ["--history", *map(str, history), "nobody", "--k", "5"]
    done = subprocess.run([sys.executable, "recommend.py", *words], cwd=folder, capture_output=True, text=True)
    assert [line.split("\t")[0] for line in done.stdout.splitlines()] == [str(item) for item in wanted.items[0]]
    assert done.stderr == "1 items of the history are unknown and were left out\n"
    done = subprocess.run([sys.executable, "recommend.py", "--k", "0"], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.startswith("error: k is 0") and done.stderr.count("\n") == 1


def test_the_runner_is_the_package_s_own(bundles: Bundles) -> None:
    for source, name in SOURCES.items():
        path = Path(reading.__file__).with_name(f"{source}.py")
        assert (bundles[CHEAP, "none"] / f"{name}.py").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("name", thorough_but([CHEAP], RECURRENT))
def test_a_session_takes_one_step_an_item(name: str, bundles: Bundles, tmp_path: Path) -> None:
    rec = seqrec.load(bundles[name, "none"])
    session, history = rec.session(), [*rec.items.raw[:9], rec.items.raw[4]]
    for item in history:
        assert session.add(item)
    for seen in ("keep", "remove"):
        np.testing.assert_array_equal(
            session.recommend(7, seen=seen).numbers, rec.recommend([history], 7, seen=seen).numbers
        )
    session.save(tmp_path / "state.npz")
    again = seqrec.load(bundles[name, "none"]).session(tmp_path / "state.npz")
    for one in (session, again):
        one.add(rec.items.raw[20])
    np.testing.assert_array_equal(session.recommend(7).scores, again.recommend(7).scores)


def test_a_session_s_state_is_refused_by_other_weights_and_when_it_was_changed(
    finished: dict[str, Finished], bundles: Bundles, tmp_path: Path
) -> None:
    rec, path = seqrec.load(bundles[CHEAP, "none"]), tmp_path / "state.npz"
    session = rec.session()
    session.add(rec.items.raw[3])
    session.save(path)
    with pytest.raises(ValueError, match="other weights"):
        seqrec.load(finished[CHEAP].folder).session(path)
    with np.load(path) as file:
        parts = dict(file)
    part = next(name for name in parts if name.startswith("state_") and name != "state_vector")
    for wrong in ({part: parts[part][:, :-1]}, {part: parts[part].astype(np.float64)}, {part: parts[part] * np.nan}):
        np.savez(path, **parts | wrong)
        with pytest.raises(ValueError, match="is not the state of a session; was it changed"):
            rec.session(path)
    del parts["state_vector"]
    np.savez(path, **parts)
    with pytest.raises(ValueError, match="is not the state of a session; was it changed"):
        rec.session(path)


HOSTILE = [
    ("items.bin", lambda content: content[:-4], "bytes instead of"),
    ("items.bin", lambda content: content[:-4] + b"\0\0\0\1", "SHA-256 differs"),
    ("encoder.onnx", None, "encoder.onnx is missing"),
    ("bundle.json", None, "holds no finished run|holds no bundle"),
    ("bundle.json", lambda content: b"[1]", "is not the card of a bundle"),
    ("bundle.json", lambda content: content[:-30], "is not the card of a bundle"),
    ("bundle.json", lambda content: content.replace(b'"format": 2', b'"format": 3'), "of format 3, and this version"),
    ("bundle.json", lambda content: content.replace(b'"quant": "none"', b'"quant": "int3"'), "quantisation 'int3'"),
    ("bundle.json", lambda content: content.replace(b'"num_items"', b'"items"'), "lacks num_items"),
    ("bundle.json", lambda content: content.replace(b'"dim": 64', b'"dim": "wide"'), "is not what an export writes"),
    ("bundle.json", lambda content: content.replace(b'"bytes"', b'"size"'), "is not what an export writes"),
    ("bundle.json", lambda content: content.replace(b'"query": {', b'"query": 3, "q": {'), "is not what an export w"),
]


@pytest.mark.parametrize(("name", "change", "message"), HOSTILE)
def test_what_is_not_as_it_was_written_is_refused(
    name: str, change: Any, message: str, bundles: Bundles, tmp_path: Path
) -> None:
    folder = shutil.copytree(bundles[CHEAP, "none"], tmp_path / "bundle")
    content = (folder / name).read_bytes()
    (folder / name).unlink()
    if change is not None:
        (folder / name).write_bytes(change(content))
    with pytest.raises(ValueError, match=message) as raised:
        seqrec.load(folder)
    assert "\n" not in str(raised.value)
    with pytest.raises(ValueError, match=message):
        reading.load(folder)


def test_a_bundle_works_on_the_cpu(bundles: Bundles) -> None:
    with pytest.raises(ValueError, match="works on the CPU"):
        seqrec.load(bundles[CHEAP, "none"], device="cuda")


def test_a_bundle_is_written_whole_or_not_at_all(
    finished: dict[str, Finished], bundles: Bundles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, output = finished[CHEAP].folder, tmp_path / "bundle"
    output.mkdir()
    (output / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match="is there already and no bundle"):
        write_bundle(run, output)
    assert (output / "notes.txt").read_text() == "mine"
    with pytest.raises(ValueError, match="quant is 'int4'; choose none or int8"):
        write_bundle(run, tmp_path / "new", "int4")
    shutil.rmtree(output)
    shutil.copytree(bundles[CHEAP, "none"], output)
    before = (output / "bundle.json").read_bytes()

    def fail(model: FrameModel, folder: Path, quant: str) -> None:
        (folder / "items.bin").write_bytes(b"half")
        raise ValueError("the disk is full")

    monkeypatch.setattr(writing, "_write_model", fail)
    for place in (output, tmp_path / "new"):
        with pytest.raises(ValueError, match="the disk is full"):
            write_bundle(run, place)
    assert (output / "bundle.json").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_a_bundle_that_differs_from_its_run_is_refused() -> None:
    refuse({"largest_swap": 1e-6, "largest_error": 1e-4})
    for measured in ({"largest_swap": 2e-5}, {"largest_error": 0.1}, {"largest_step_error": float("nan")}):
        with pytest.raises(ValueError, match="the bundle does not recommend what the run does") as raised:
            refuse(measured)
        assert "nothing was written" in str(raised.value) and "\n" not in str(raised.value)


def test_lists_of_another_model_are_far_from_those_of_a_run(finished: dict[str, Finished]) -> None:
    """The measure sees it, so it can fail."""
    run, other = seqrec.load(finished[CHEAP].folder), seqrec.load(finished[CHEAP].folder)
    assert measure(run, other)["identical"] == 1
    other.engine._table = other.engine._table.flip(0)
    found = measure(run, other)
    assert found["identical"] < 0.5 and found["largest_swap"] > 1e-3 and found["largest_error"] > 1e-3


@pytest.mark.thorough
def test_an_export_gives_the_same_bytes_again_and_new_items_leave_the_encoder_as_it_was(
    finished: dict[str, Finished], bundles: Bundles, tmp_path: Path
) -> None:
    """So a device that has the bundle fetches the tables alone after an update that trained no more than items."""
    first = reading.read_card(bundles[CHEAP, "none"])["files"]
    run = shutil.copytree(finished[CHEAP].folder, tmp_path / "run")
    again = reading.read_card(write_bundle(run, tmp_path / "again").folder)["files"]
    more = {"cost.json", "names.json"}  # times, and the names that were not given again
    assert all(again[name] == first[name] for name in first if name not in more)
    checkpoint = torch.load(run / "checkpoints" / "best.ckpt", weights_only=False)
    checkpoint["state_dict"]["backbone.item_embedding.weight"] *= 1.5
    torch.save(checkpoint, run / "checkpoints" / "best.ckpt")
    other = reading.read_card(write_bundle(run, tmp_path / "other").folder)["files"]
    differing = {name for name in again if other[name] != again[name]}
    assert {"items.bin"} <= differing <= {"items.bin", "parity.json", "cost.json"}


def test_the_page_reads_the_format_that_is_written() -> None:
    page = (Path(seqrec.__file__).parent / "export" / "page" / "index.html").read_text(encoding="utf-8")
    assert f"card.format !== {reading.FORMAT})" in page
