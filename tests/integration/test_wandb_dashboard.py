"""What the panels of a dashboard name is what runs log: looked up in the files of runs at Weights & Biases, offline."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.dashboard.test_workspace import metrics_of, panels
from tests.integration.running import Run, main_here
from tests.integration.test_wandb import finished, offline_runs, sent

pytestmark = [pytest.mark.thorough, pytest.mark.usefixtures("undrawn")]

pytest.importorskip("wandb")
pytest.importorskip("wandb_workspaces")


@pytest.fixture(scope="module")
def runs(run: Run, undrawn: None) -> list[Path]:
    """Two widths of a model."""
    return [run("logger=wandb", "trainer.max_epochs=1", f"model.backbone.dim={dim}") for dim in (16, 8)]


def test_panels_name_what_is_logged(runs: list[Path], tmp_path: Path) -> None:
    given = f"task.runs=[{','.join(map(str, runs))}]"
    main_here(tmp_path, "task=dashboard", given, "task.wandb=mylab/seqrec", "task.output=here")
    found = [json.loads((tmp_path / "here" / name).read_text()) for name in ("workspace.json", "report.json")]
    (offline,) = offline_runs(runs[0])
    run, curves, summary = sent(offline)
    lines, bars = metrics_of(found, "Run History Line Plot"), metrics_of(found, "Bar Chart")
    assert {"val/ndcg@10", "val/recall@10", "train/loss"} <= lines <= set(curves)
    assert {"best/ndcg@10", "test/ndcg@10"} <= bars <= set(summary) | set(curves)
    axes = {panel["config"]["xAxis"] for panel in panels(found) if "xAxis" in panel["config"]}
    assert axes == {"epoch"} <= set(curves)
    (target,) = {panel["config"]["targetKey"] for panel in panels(found) if "targetKey" in panel["config"]}
    assert target in summary
    media = {key for panel in panels(found) for key in panel["config"].get("mediaKeys", [])}
    tables = {name.partition("/")[0] for name in curves if name.endswith("/_type")}
    assert media <= {name.removesuffix("/_type") for name in curves} and "slices" in tables
    assert '"val": "slices"' in json.dumps(found)
    groups = [key["name"] for key in grouping(found)]
    assert {"group", "protocol.value.name", "model.value.backbone.dim"} == set(groups)
    config = logged_config(offline)
    assert run.run_group == "sasrec-synthetic" and config["model"]["backbone"]["dim"] == 16
    assert config["protocol"]["name"] == "all_items"
    values = {value for item in filters(found) for value in item["value"]}
    assert values == set(run.tags)


def logged_config(offline: Path) -> dict[str, Any]:
    return {
        update.key or update.nested_key[0]: json.loads(update.value_json)
        for record in finished(offline)
        for update in (*record.run.config.update, *record.config.update)
    }


def grouping(node: Any) -> list[dict[str, Any]]:
    return [key for runs in run_sets(node) for key in runs.get("grouping", [])]


def filters(node: Any) -> list[dict[str, Any]]:
    return [item for runs in run_sets(node) for item in runs["filters"].get("filters", []) if "value" in item]


def run_sets(node: Any) -> list[dict[str, Any]]:
    if isinstance(node, dict):
        own = node.get("runSets", [])
        return [*own, *(found for value in node.values() for found in run_sets(value))]
    return [found for value in node for found in run_sets(value)] if isinstance(node, list) else []
