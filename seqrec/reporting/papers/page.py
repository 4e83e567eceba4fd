"""The example of ``docs/tables.md``, from the runs in ``docs/runs``: ``python -m seqrec.reporting.papers.page``."""

from __future__ import annotations

from pathlib import Path

from seqrec.reporting.pages import ROOT, write_part
from seqrec.reporting.papers.asked import Asked
from seqrec.reporting.papers.look_up import look_up
from seqrec.reporting.papers.published import load
from seqrec.reporting.papers.written import Written
from seqrec.runs.found import finished

PAGE, PART, MODULE = "docs/tables.md", "fenrec-table-1-beauty", "seqrec.reporting.papers.page"


def example(root: Path = ROOT) -> str:
    """FENRec's Table 1 on Beauty, two metrics of it; the stored runs there have no configuration to compare."""
    table = load("fenrec", "1").only(["beauty"], metrics=["recall@10", "ndcg@20"])
    found = look_up(Asked(table, table.seeds), finished([root / "docs" / "runs"]), lambda *_: False, lambda *_: None)
    return Written(table, found, table.tolerance).markdown()


def main(root: Path = ROOT) -> None:
    """Write it into the page."""
    write_part(root / PAGE, PART, MODULE, example(root))


if __name__ == "__main__":
    main()
