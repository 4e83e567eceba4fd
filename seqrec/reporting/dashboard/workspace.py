"""The dashboard at Weights & Biases: a workspace and a report about runs that were made with ``logger=wandb``.

Both are built without a network. Their panels name what :mod:`seqrec.training` logs: curves ``val/...`` and
``train/...`` over ``epoch``, the summary's ``best/...`` and ``test/...``, the table ``slices``, the pictures
``plots/...``. Seeds of a model and data set have the same group; tags name the data set and the protocol.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from seqrec.reporting.dashboard.collect import Collected, Group, Part
from seqrec.reporting.dashboard.compared import metrics
from seqrec.reporting.table import USERS, Cell, Table, mean_cells, over_seeds_caption
from seqrec.runs.configuration import differences
from seqrec.runs.files import write_json
from seqrec.runs.folder import CONFIG
from seqrec.runs.intervals import of_seeds
from seqrec.serving.extras import require

TABLE = "slices"
PICTURES = ("plots/curves", "plots/comparison", "plots/slices")
FILES = ("workspace.json", "report.json")
OF_RUN = ("seed", "name", "catalog", "data", "hydra")
"""Keys of a configuration that do not distinguish ablations of a model."""

OVER_SEEDS: Mapping[str, Any] = {"groupby_aggfunc": "mean", "groupby_rangefunc": "stddev"}

MOST = 4  # keys of a configuration that name a bar: a longer name tells nobody anything


@dataclass(frozen=True)
class Views:
    """What is sent.

    Attributes:
        workspace: a ``wandb_workspaces.workspaces.Workspace``.
        report: a ``wandb_workspaces.reports.v2.Report``.
    """

    workspace: Any
    report: Any

    def write(self, folder: Path) -> None:
        """Store what would be sent as JSON."""
        for name, view in zip(FILES, (self.workspace, self.report), strict=True):
            write_json(folder / name, view._to_model().model_dump(by_alias=True, exclude_none=True, mode="json"))

    def send(self) -> list[str]:
        """Send both; their addresses.

        Raises:
            ValueError: nobody is logged in, or the service refuses.
        """
        try:
            return [view.save().url for view in (self.workspace, self.report)]
        except (
            Exception
        ) as error:  # of wandb, which is not imported here: a key or a project that is not there, no network
            reason = str(error).strip().partition("\n")[0].partition(". ")[0].rstrip(".")
            raise ValueError(
                f"task.send: {reason or type(error).__name__}; log in with `wandb login`, or leave out task.send to "
                "build the files only"
            ) from None


def views(where: str, collected: Collected, tables: Sequence[str] = ()) -> Views:
    """The workspace and the report about runs.

    Args:
        where: ``<entity>/<project>``.
        collected: finished runs, by which metrics, data sets and ablations are known.
        tables: further tables of the report as Markdown, such as those of papers.

    Raises:
        ValueError: ``where`` is something else, no run is finished, or the package is not installed.
    """
    entity, _, project = where.partition("/")
    if not entity or not project or "/" in project:
        raise ValueError(f"task.wandb={where}: give <entity>/<project>, such as mylab/seqrec")
    if not collected.parts:
        raise ValueError("task.wandb: none of the runs is finished, so nothing tells what the panels show")
    require(["wandb_workspaces"], "task.wandb", "dashboard")
    return Views(_workspace(entity, project, collected.parts), _report(entity, project, collected.parts, tables))


def _workspace(entity: str, project: str, parts: Sequence[Part]) -> Any:
    import wandb_workspaces.workspaces as ws

    found = [metric for part in parts for metric in metrics(part)]
    shown = list(dict.fromkeys(found))
    sections = [
        ws.Section(name="Results", panels=_bars(shown), is_open=True),
        ws.Section(name="Validation", panels=_lines([f"val/{metric}" for metric in shown]), is_open=True),
        ws.Section(name="Training", panels=_lines(_losses(parts))),
        ws.Section(name="Slices", panels=_slices()),
        ws.Section(name="Ablations", panels=_ablations(shown)),
    ]
    columns = [f"summary:{split}/{metric}" for metric in shown for split in ("best", "test")]
    return ws.Workspace(
        entity=entity,
        project=project,
        name="seqrec",
        sections=sections,
        settings=ws.WorkspaceSettings(x_axis="epoch", max_runs=50),
        runset_settings=ws.RunsetSettings(
            groupby=[ws.Metric("Group"), ws.Config("protocol.name")],
            pinned_columns=["run:displayName", *columns, "summary:best_epoch"],
        ),
    )


def _report(entity: str, project: str, parts: Sequence[Part], tables: Sequence[str]) -> Any:
    import wandb_workspaces.reports.v2 as wr

    blocks: list[Any] = [wr.TableOfContents()]
    for part in parts:
        shown = metrics(part)
        blocks += [
            wr.H1(f"{part.card.data['name']}, {part.card.protocol}"),
            wr.MarkdownBlock(_results(part, shown).markdown()),
            _grid(part, [*_bars(shown), *_lines([f"val/{metric}" for metric in shown])], ["group"]),
            wr.H2("Losses"),
            _grid(part, _lines(_losses([part])), ["group"]),
            wr.H2("Slices"),
            _grid(part, _slices(), []),
        ]
        for model, keys in _changed(part).items():
            blocks += [
                wr.H2(f"Ablations of {model}"),
                _grid(part, _ablations(shown), [f"config.{key}" for key in keys], model),
            ]
    if tables:
        blocks += [wr.H1("Tables of papers"), *(wr.MarkdownBlock(text) for text in tables)]
    data = ", ".join(dict.fromkeys(str(part.card.data["name"]) for part in parts))
    return wr.Report(entity=entity, project=project, title=f"Runs on {data}"[:128], blocks=blocks, width="fluid")


def _grid(part: Part, panels: Sequence[Any], groupby: Sequence[str], model: str | None = None) -> Any:
    """Panels about the runs of a part, by their tags."""
    import wandb_workspaces.reports.v2 as wr
    from wandb_workspaces.expr import And, Tags

    tags = [str(part.card.data["name"]), part.card.protocol, *([model] if model else [])]
    runs = wr.Runset(name=", ".join(tags), filters=And(*(Tags().isin([tag]) for tag in tags)), groupby=list(groupby))
    return wr.PanelGrid(runsets=[runs], panels=list(panels))


def _bars(shown: Sequence[str]) -> list[Any]:
    """The best validation value and the test value of each group, mean and deviation over its seeds."""
    import wandb_workspaces.reports.v2 as wr

    names = [f"{split}/{metric}" for metric in shown for split in ("best", "test")]
    return [wr.BarPlot(title=name, metrics=[name], max_bars_to_show=50, **OVER_SEEDS) for name in names]


def _lines(names: Sequence[str]) -> list[Any]:
    import wandb_workspaces.reports.v2 as wr

    return [wr.LinePlot(title=name, x="epoch", y=[name], max_runs_to_show=50, **OVER_SEEDS) for name in names]


def _slices() -> list[Any]:
    import wandb_workspaces.reports.v2 as wr

    return [wr.WeavePanelSummaryTable(table_name=TABLE), wr.MediaBrowser(title="Pictures", media_keys=list(PICTURES))]


def _ablations(shown: Sequence[str]) -> list[Any]:
    """What a change of the configuration does to the best value, and what was changed."""
    import wandb_workspaces.reports.v2 as wr

    first = f"best/{shown[0]}"
    return [*_bars(shown[:1]), wr.ParameterImportancePlot(with_respect_to=first), wr.RunComparer(diff_only="split")]


def _losses(parts: Sequence[Part]) -> list[str]:
    rows = [row for part in parts for group in part.groups for entry in group.entries for row in entry.log[:1]]
    return list(dict.fromkeys(name for row in rows for name in row if name.startswith("train/")))


def _results(part: Part, shown: Sequence[str]) -> Table:
    """One row a method, best first."""
    rows = [(group, [_values(group, metric) for metric in shown]) for group in part.groups]
    rows.sort(key=lambda row: -sum(row[1][0]) / len(row[1][0]))
    cells: list[list[Cell]] = []
    for group, found in rows:
        users = of_seeds([entry.run for entry in group.entries if entry.run])
        means = [mean_cells(values, users.get(metric)) for metric, values in zip(shown, found, strict=True)]
        cells.append([group.name, len(group.entries), *(cell for pair in means for cell in pair)])
    columns = [column for metric in shown for column in (f"test {metric}", USERS)]
    return Table(["method", "seeds", *columns], cells, over_seeds_caption())


def _values(group: Group, metric: str) -> list[float]:
    return [float(entry.run.metrics["test"][metric]) for entry in group.entries if entry.run]


def _changed(part: Part) -> dict[str, list[str]]:
    """Of each model with several methods, the keys in which their configurations differ, where they are stored."""
    stored: dict[str, list[Mapping[str, Any]]] = {}
    for group in part.groups:
        file = group.entries[0].folder / CONFIG
        if file.exists():
            config = yaml.safe_load(file.read_text(encoding="utf-8"))
            stored.setdefault(group.entries[0].model, []).append(config)
    found = {}
    for model, configs in stored.items():
        keys = [key for other in configs[1:] for key in differences(other, configs[0])]
        own = [key for key in dict.fromkeys(keys) if key.partition(".")[0] not in OF_RUN]
        if own:
            found[model] = own[:MOST]
    return found
