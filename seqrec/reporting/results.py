"""The tables of results in README.md and the pictures of learning curves, from the runs kept in ``docs/runs``.

``docs/runs/<data>-<protocol>/<model>`` holds a run folder's ``log.csv``, ``metrics.json`` and ``protocol.json``, and
its command. ``python -m seqrec.reporting.results`` writes tables and pictures.
"""

from __future__ import annotations

import csv
from pathlib import Path

from seqrec.reporting.readme import ROOT, in_step
from seqrec.runs.kept import runs

PUBLISHED = "published.csv"


def markdown_table(folder: Path) -> str:
    """One row a run or reference; beside it the numbers of ``published.csv``, where the folder has that."""
    kept, published = runs(folder), _published(folder)
    rows = [
        (run.metrics["test"], run.model, f"{run.metrics['epochs']} ({run.metrics['best_epoch']})", f"`{run.command}`")
        for run in kept
    ]
    rows += [(metrics, name, "", "") for name, metrics in kept[0].metrics["references"].items()]
    columns = ["model", "epochs (best)", "Recall@10", "NDCG@10", "NDCG@20", "command"]
    if published:
        columns.insert(-1, "published")
    lines = [_line(columns), "|---" * len(columns) + "|"]
    for metrics, name, epochs, command in sorted(rows, key=lambda row: -row[0]["ndcg@10"]):
        numbers = [f"{metrics[at]:.4f}" for at in ("recall@10", "ndcg@10", "ndcg@20")]
        others = [published.get(name, "")] if published else []
        lines.append(_line([name, epochs, *numbers, *others, command]))
    return "\n".join(lines) + "\n"


def plot(folder: Path, path: Path) -> None:
    """Validation NDCG@20 of every run by epoch, a panel each."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.ticker import MaxNLocator

    kept = runs(folder)
    rows = -(-len(kept) // 4)
    figure, panels = plt.subplots(rows, 4, figsize=(10, 1.7 * rows), layout="constrained", sharey=True, squeeze=False)
    for panel in panels.flat[len(kept) :]:
        panel.set_axis_off()
    for run, panel in zip(kept, panels.flat, strict=False):
        panel.plot([row["epoch"] for row in run.log], [row["val/ndcg@20"] for row in run.log], ".-", markersize=3)
        panel.set_title(run.model, fontsize="medium", loc="left")
        panel.set_xlim(left=0)
        panel.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        panel.spines[["top", "right"]].set_visible(False)
    panels[0, 0].set_ylim(bottom=0)
    figure.supxlabel("epoch", fontsize="medium")
    figure.supylabel("validation NDCG@20", fontsize="medium")
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _published(folder: Path) -> dict[str, str]:
    """Recall@10 and NDCG@20 by model."""
    path = folder / PUBLISHED
    if not path.exists():
        return {}
    with path.open(newline="") as file:
        return {row["model"]: f"{row['recall@10']}, {row['ndcg@20']}" for row in csv.DictReader(file)}


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def main(root: Path = ROOT) -> None:
    """Write the tables into README.md, and the pictures that it shows into docs/images."""
    readme = root / "README.md"
    text = readme.read_text()
    for folder in sorted(path for path in (root / "docs" / "runs").iterdir() if path.is_dir()):
        text = in_step(text, folder.name, "seqrec.reporting.results", markdown_table(folder))
        picture = root / "docs" / "images" / f"{folder.name}.png"
        if picture.name in text:
            plot(folder, picture)
    readme.write_text(text)


if __name__ == "__main__":
    main()
