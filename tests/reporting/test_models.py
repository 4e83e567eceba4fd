"""The table of models says what the configurations and the last recorded parity run say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from seqrec.reporting.models import markdown_table, models, text_list
from seqrec.reporting.pages import ROOT, in_step


def test_every_model_with_a_paper_passed_its_parity_checks() -> None:
    found = {model.name: model for model in models()}
    assert len(found) == 22
    for model in found.values():
        assert model.passed == model.checks > 0, model
        assert (ROOT / "tests" / "parity" / f"test_{model.name}.py").exists()


def test_the_page_is_in_step() -> None:
    page = (ROOT / "docs" / "models.md").read_text()
    assert in_step(page, "models", "seqrec.reporting.models", markdown_table()) == page, (
        "run: python -m seqrec.reporting.models"
    )


def test_a_model_that_was_not_checked_is_said_to_be(tmp_path: Path) -> None:
    folder = tmp_path / "conf" / "model"
    folder.mkdir(parents=True)
    (folder / "known.yaml").write_text("# Paper: A and B, 2020\n# Reference: a/b\nmodel: {}\n")
    (folder / "plain.yaml").write_text("model: {}\n")
    assert " ".join(text_list(tmp_path).split()) == "known A and B, 2020 (a/b): not run"
    (tmp_path / "docs").mkdir()
    record = {"models": {"known": {"passed": 1, "checks": 3}}}
    (tmp_path / "docs" / "parity.json").write_text(json.dumps(record))
    row = ["", "`known`", "A and B, 2020", "a/b", "[1 of 3](../tests/parity/test_known.py)", ""]
    assert [cell.strip() for cell in markdown_table(tmp_path).splitlines()[2].split("|")] == row


def test_what_has_no_public_code_is_compared_with_our_reading() -> None:
    read = {model.name for model in models() if model.parity.endswith(", our reading")}
    assert read == {"easnrec", "xlstm_lsr"}


def test_a_page_without_the_marks_is_refused() -> None:
    begin, end = "<!-- part: python -m some.module -->\n", "<!-- end of part -->\n"
    with pytest.raises(ValueError, match="between the lines"):
        in_step(begin, "part", "some.module", "table")
    assert in_step(f"a\n{begin}old\n{end}b", "part", "some.module", "new\n") == f"a\n{begin}new\n{end}b"
