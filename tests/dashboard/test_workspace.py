"""The workspace and the report for Weights & Biases are built without a network, and say what they lack."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from seqrec.reporting.dashboard import workspace
from seqrec.reporting.dashboard.collect import collect
from seqrec.reporting.dashboard.workspace import views
from tests.dashboard.conftest import Make
from tests.integration.running import main_here


def panels(node: Any) -> Iterator[dict[str, Any]]:
    """All panels of a specification."""
    if isinstance(node, dict):
        if "viewType" in node:
            yield node
        node = list(node.values())
    for inside in node if isinstance(node, list) else ():
        yield from panels(inside)


def metrics_of(node: Any, kind: str) -> set[str]:
    return {name for panel in panels(node) if panel["viewType"] == kind for name in panel["config"]["metrics"]}


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks the network fails; the package must be there."""
    pytest.importorskip("wandb_workspaces")

    def refuse(*_: Any) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)


def built(several: Path, folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    views("mylab/first", collect([several]), ["| a |\n|---|\n| 0.1 |"]).write(folder)
    return json.loads((folder / "workspace.json").read_text()), json.loads((folder / "report.json").read_text())


@pytest.mark.usefixtures("offline")
def test_the_workspace_has_its_sections_and_metrics(several: Path, tmp_path: Path) -> None:
    found, _ = built(several, tmp_path)
    assert (found["entity"], found["project"]) == ("mylab", "first")
    sections = found["spec"]["section"]["panelBankConfig"]["sections"]
    assert [one["name"] for one in sections] == ["Results", "Validation", "Training", "Slices", "Ablations"]
    best = {f"{split}/{name}@10" for split in ("best", "test") for name in ("ndcg", "recall")}
    assert metrics_of(sections[0], "Bar Chart") == best
    assert metrics_of(sections[1:3], "Run History Line Plot") == {"val/ndcg@10", "val/recall@10", "train/loss"}
    lines = [panel["config"] for panel in panels(sections[1])]
    assert all((line["xAxis"], line["groupAgg"], line["groupArea"]) == ("epoch", "mean", "stddev") for line in lines)
    (runs,) = found["spec"]["section"]["runSets"]
    assert [key["name"] for key in runs["grouping"]] == ["group", "protocol.value.name"]


@pytest.mark.usefixtures("offline")
def test_the_report_has_a_chapter_for_each_data_set_and_protocol(several: Path, tmp_path: Path) -> None:
    _, found = built(several, tmp_path)
    blocks = found["spec"]["blocks"]
    titles = [block["children"][0]["text"] for block in blocks if block["type"] == "heading" and block["level"] == 1]
    assert titles == ["synthetic, all_items", "synthetic, unseen_items", "Tables of papers"]
    texts = [block["content"] for block in blocks if block["type"] == "markdown-block"]
    assert "| gru4rec" in texts[0] and " ± " in texts[0] and texts[0].index("dim=64") < texts[0].index("gru4rec")
    assert texts[-1].startswith("| a |")
    grid = next(block for block in blocks if block["type"] == "panel-grid")
    filters = grid["metadata"]["runSets"][0]["filters"]["filters"]
    assert [item["value"] for item in filters] == [["synthetic"], ["all_items"]]
    assert {item["key"]["name"] for item in filters} == {"tags"}


@pytest.mark.usefixtures("offline")
def test_ablations_are_told_apart_by_the_configuration_that_differs(make: Make, tmp_path: Path) -> None:
    for place, dim in enumerate((16, 64)):
        config = {"model": {"backbone": {"dim": dim, "layers": 2}}}
        make(f"{place}", f"model=sasrec model.backbone.dim={dim}", config=config)
    _, found = built(tmp_path, tmp_path)
    grids = [block["metadata"]["runSets"][0] for block in found["spec"]["blocks"] if block["type"] == "panel-grid"]
    assert [key["name"] for key in grids[-1]["grouping"]] == ["model.value.backbone.dim"]
    assert [item["value"] for item in grids[-1]["filters"]["filters"]] == [["synthetic"], ["all_items"], ["sasrec"]]


@pytest.mark.usefixtures("offline")
def test_where_it_goes_is_said_in_full(several: Path) -> None:
    for where in ("mylab", "mylab/", "/first", "a/b/c"):
        with pytest.raises(ValueError, match="give <entity>/<project>, such as mylab/seqrec"):
            views(where, collect([several]))


@pytest.mark.usefixtures("offline")
def test_without_a_key_there_is_one_line(
    make: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    make("one", "model=bpr")
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    with pytest.raises(SystemExit) as end:
        main_here(tmp_path, "task=dashboard", "task.runs=[one]", "task.output=here", "task.wandb=a/b", "task.send=true")
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert end.value.code == 2 and line.startswith("error: task.send: ") and "log in with `wandb login`" in line
    assert {path.name for path in (tmp_path / "here").iterdir()} == {"report.html", "workspace.json", "report.json"}


def test_without_the_package_there_is_one_line(several: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seqrec.serving.extras.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"needs wandb_workspaces; run: pip install 'seqrec\[dashboard\]'"):
        views("mylab/first", collect([several]))


def test_runs_without_a_result_have_no_panels(several: Path, tmp_path: Path) -> None:
    shutil.copytree(several / "7", tmp_path / "7")
    with pytest.raises(ValueError, match="none of the runs is finished"):
        views("mylab/first", collect([tmp_path]))


def test_nothing_is_sent_to_nowhere(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make("one", "model=bpr")
    with pytest.raises(ValueError, match=r"task\.send=true: write task"):
        main_here(tmp_path, "task=dashboard", "task.runs=[one]", "task.send=true")
    assert not (tmp_path / "outputs").exists()


@pytest.mark.usefixtures("offline")
def test_what_is_sent_is_what_is_stored(several: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import wandb_workspaces.reports.v2 as wr
    import wandb_workspaces.workspaces as ws

    sent: list[str] = []
    for kind in (ws.Workspace, wr.Report):
        monkeypatch.setattr(kind, "save", lambda self: (sent.append(type(self).__name__), self)[1])
        monkeypatch.setattr(kind, "url", property(lambda self: f"https://example.org/{type(self).__name__}"))
    assert views("mylab/first", collect([several])).send() == [
        "https://example.org/Workspace",
        "https://example.org/Report",
    ]
    assert sent == ["Workspace", "Report"] and workspace.FILES == ("workspace.json", "report.json")
