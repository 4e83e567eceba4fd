"""Rows against lines: quotes, line ends, comments, blank lines, separators; nothing is lost without a word."""

from __future__ import annotations

import csv
import io
import logging
import random
from pathlib import Path
from typing import Any

import pytest

from seqrec.data.errors import DataError
from seqrec.data.readers.sequence_file import read_sequence_file
from seqrec.data.readers.tables import read_table

COLUMNS: dict[str, str | None] = {"user": "u", "item": "i", "time": "t"}
THREE = [(1, "a", 1), (2, "b", 2), (3, "c", 3)]


def written(path: Path, content: str, name: str = "a.csv") -> Path:
    (path / name).write_bytes(content.encode())
    return path / name


def rows(path: Path, content: str, name: str = "a.csv", **options: Any) -> list[tuple[Any, ...]]:
    return read_table(written(path, content, name), COLUMNS, **options).rows()


def lines(mark: str, *titles: str) -> str:
    """A table with a fourth column that nobody named."""
    body = [mark.join(["u", "i", "t", "title"])]
    return (
        "\n".join(body + [mark.join(map(str, (*row, title))) for row, title in zip(THREE, titles, strict=True)]) + "\n"
    )


@pytest.mark.parametrize(("name", "mark"), [("a.csv", ","), ("a.tsv", "\t"), ("a.log", "|")])
class TestQuotes:
    def test_inch_marks_within_fields_are_letters(self, tmp_path: Path, name: str, mark: str) -> None:
        assert rows(tmp_path, lines(mark, '5" phone', "plain", '7"'), name) == THREE

    def test_a_quote_that_is_never_closed_is_a_letter(self, tmp_path: Path, name: str, mark: str) -> None:
        assert rows(tmp_path, lines(mark, '"5 inch', "plain", "plain"), name) == THREE

    def test_quotes_that_could_swallow_rows_are_refused_with_both_remedies(
        self, tmp_path: Path, name: str, mark: str, caplog: Any
    ) -> None:
        content = lines(mark, '"5 inch', "plain", 'y"')
        with pytest.raises(DataError) as caught:
            rows(tmp_path, content, name)
        assert 'lines 2 to 4 are one row if " quotes, and 3 rows if it is a letter' in str(caught.value)
        assert "data.quote=null" in str(caught.value)
        assert "data.quote='\"'" in str(caught.value)
        assert rows(tmp_path, content, name, quote=None) == THREE
        with caplog.at_level(logging.WARNING):
            assert rows(tmp_path, content, name, quote='"') == THREE[:1]
        assert "1 rows have line breaks in quotes and span several lines, first on line 2" in caplog.text

    def test_proper_quotes_beside_inch_marks(self, tmp_path: Path, name: str, mark: str) -> None:
        assert rows(tmp_path, lines(mark, f'"x{mark} y"', '5" phone', '"say ""hi"""'), name) == THREE

    def test_text_with_line_breaks_is_read_and_said(self, tmp_path: Path, name: str, mark: str, caplog: Any) -> None:
        with caplog.at_level(logging.WARNING):
            assert rows(tmp_path, lines(mark, "x", '"two\nlines"', '"\n\n"'), name) == THREE
        assert "2 rows have line breaks in quotes and span several lines, first on line 3" in caplog.text

    def test_a_stray_quote_in_a_named_column_is_refused(self, tmp_path: Path, name: str, mark: str) -> None:
        content = lines(mark, "x", "y", "z").replace("b", '"b')
        with pytest.raises(
            DataError, match=r"line 3, column `i`, '\"b' holds a quote without partner; data\.quote=null"
        ):
            rows(tmp_path, content, name)
        assert rows(tmp_path, content, name, quote=None)[1] == (2, '"b', 2)

    def test_a_line_break_in_an_id_is_refused(self, tmp_path: Path, name: str, mark: str) -> None:
        with pytest.raises(DataError, match=r"line 3, column `i`, 'b\\nb' holds a line break"):
            rows(tmp_path, lines(mark, "x", "y", "z").replace("b", '"b\nb"'), name)

    def test_unpaired_quotes_in_a_line_of_another_width(self, tmp_path: Path, name: str, mark: str) -> None:
        with pytest.raises(DataError, match="line 3, 5 fields where 4 are expected, and the quotes"):
            rows(tmp_path, lines(mark, "x", f'5"{mark}x', "y"), name)


def test_another_sign_quotes(tmp_path: Path) -> None:
    assert rows(tmp_path, lines(",", "'x, y'", "''", "z"), quote="'") == THREE
    with pytest.raises(DataError, match=r"data\.quote='ab' is neither one character"):
        rows(tmp_path, lines(",", "x", "y", "z"), quote="ab")


def test_what_a_csv_writer_writes_is_read_back(tmp_path: Path) -> None:
    draw = random.Random(0)
    for _ in range(30):
        table = [(u, f"i{u}", u, "".join(draw.choices('ab",\n ;', k=draw.randrange(6)))) for u in range(8)]
        buffer = io.StringIO()
        csv.writer(buffer, quoting=draw.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])).writerows(
            [("u", "i", "t", "x"), *table]
        )
        assert rows(tmp_path, buffer.getvalue(), quote='"') == [row[:3] for row in table]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\r\r\n", "\n\r"])
def test_every_line_end_is_one(tmp_path: Path, end: str) -> None:
    content = "u,i,t\n" + "".join(f"{u},{i},{t}\n" for u, i, t in THREE)
    assert rows(tmp_path, content.replace("\n", end)) == THREE
    assert rows(tmp_path, content.replace("\n", end, 2)) == THREE
    objects = "".join(f'{{"u": {u}, "i": "{i}", "t": {t}}}\n' for u, i, t in THREE)
    assert rows(tmp_path, objects.replace("\n", end), "a.jsonl") == THREE
    path = written(tmp_path, "1 5 6\n2 6 5\n3 5\n".replace("\n", end), "a.txt")
    assert read_sequence_file(path).lengths.tolist() == [2, 2, 1]
    mixed = written(tmp_path, "1 5 6\n2 6 5\n3 5\n".replace("\n", end, 1), "a.txt")
    assert read_sequence_file(mixed).user_ids.to_list() == [1, 2, 3]


@pytest.mark.parametrize("blank", ["\v", "\f", "\x1c"])
def test_other_blanks_are_no_separators_of_a_sequence_file(tmp_path: Path, blank: str) -> None:
    with pytest.raises(DataError, match=r"line 1, field 3, `6.*2` is not an integer id") as caught:
        read_sequence_file(written(tmp_path, f"1 5 6{blank}2 6 5\n", "a.txt"))
    assert str(caught.value).isprintable()


def test_pairs_are_told_how_they_are_read(tmp_path: Path) -> None:
    path = written(tmp_path, "1 10\n1 11\n2 10\n", "a.txt")
    with pytest.raises(
        DataError, match=r"line 2, .*data\.format=table data\.header=\[user,item\] data\.columns\.time=null"
    ):
        read_sequence_file(path)
    columns: dict[str, str | None] = {"user": "user", "item": "item", "time": None}
    assert read_table(path, columns, header=["user", "item"]).rows() == [(1, 10, 0), (1, 11, 1), (2, 10, 2)]
    with pytest.raises(DataError, match=r"data\.header=\[user,item,time\]"):
        read_sequence_file(written(tmp_path, "1 10 5\n1 11 6\n", "b.txt"))


@pytest.mark.parametrize("mark", ["#", "//", "%", "--"])
def test_comments(tmp_path: Path, mark: str) -> None:
    content = f"{mark} exported 2020\nu,i,t\n1,a,1\n  {mark} 2,x,2\n2,b,2\n\n3,c,3\n{mark} end"
    assert rows(tmp_path, content, comment=mark) == THREE
    with pytest.raises(DataError, match=f"line 1, `{mark} exported 2020` looks like a comment.*data.comment='{mark}'"):
        rows(tmp_path, content)
    with pytest.raises(DataError, match="line 5, column `t`, `soon`"):
        rows(tmp_path, content.replace("2,b,2", "2,b,soon"), comment=mark)


def test_rows_that_look_like_comments_are_said(tmp_path: Path, caplog: Any) -> None:
    content = "u,i,t\n1,a,1\n#2,b,2\n3,c,3\n"
    with caplog.at_level(logging.WARNING):
        assert len(rows(tmp_path, content)) == 3
    assert "1 lines begin with `#`, first on line 3" in caplog.text
    assert rows(tmp_path, content, comment="#") == [THREE[0], THREE[2]]


def test_blank_lines_anywhere(tmp_path: Path) -> None:
    content = "\n\n  \nu,i,t\n\n1,a,1\n \t \n2,b,2\n\n\n3,c,3\n\n"
    assert rows(tmp_path, content) == THREE
    with pytest.raises(DataError, match="line 11, column `t`, `x`"):
        rows(tmp_path, content.replace("3,c,3", "3,c,x"))


@pytest.mark.parametrize("name", ["a.log", "a.txt", "a"])
def test_runs_of_blanks_separate(tmp_path: Path, name: str) -> None:
    content = "  u   i \t t\n  1   a   1\n 2  b 2  \n\n3 c 3\n"
    assert rows(tmp_path, content, name) == THREE
    assert rows(tmp_path, content, "a.csv", separator=r"\s+") == THREE


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.csv.gz"])
@pytest.mark.parametrize("mark", ["\t", ";", "|", ","])
def test_a_mislabelled_file_is_read_and_said(tmp_path: Path, name: str, mark: str, caplog: Any) -> None:
    content = lines(mark, "x", "y", "z").encode()
    if name.endswith(".gz"):
        import gzip

        content = gzip.compress(content)
    (tmp_path / name).write_bytes(content)
    with caplog.at_level(logging.WARNING):
        assert read_table(tmp_path / name, COLUMNS).rows() == THREE
    expected = "\t" if name == "a.tsv" else ","
    assert ("as its name says" in caplog.text) == (mark != expected)


@pytest.mark.parametrize("mark", ["§", "::", "<>"])
def test_a_separator_of_several_bytes(tmp_path: Path, mark: str) -> None:
    assert rows(tmp_path, lines(mark, "x", "y", "z"), "a.log", separator=mark) == THREE


def test_decimal_commas_of_a_semicolon_file(tmp_path: Path) -> None:
    assert rows(tmp_path, lines(";", "1,5", "2,5", "3,5")) == THREE


def test_what_is_not_clear_is_refused_with_the_key_as_it_is_typed(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"line 1, only one column found with separator `,`.*data\.separator=';'"):
        rows(tmp_path, "u;i;when\n1;a;1\n")
    with pytest.raises(DataError, match=r"line 1, only one column found with separator `,`.*data\.separator=';'"):
        rows(tmp_path, "u;i;t\n1;a;1\n2;b\n")
    with pytest.raises(DataError, match=r"cannot tell the separator.*data\.separator=';'"):
        rows(tmp_path, "u~i~t\n1~a~1\n", "a.log")


def test_the_line_by_which_a_spreadsheet_is_told_the_separator(tmp_path: Path) -> None:
    assert rows(tmp_path, "sep=;\n" + lines(";", "x", "y", "z")) == THREE


def test_a_header_line_is_no_row(tmp_path: Path) -> None:
    joined = written(tmp_path, "u,i,t\n1,a,1\nu,i,t\n2,b,2\n")
    columns = COLUMNS | {"time": None}
    with pytest.raises(DataError, match=r"line 3 is a header line"):
        read_table(joined, columns)
    with pytest.raises(DataError, match=r"line 1 is a header line; data\.header is for files without one"):
        read_table(written(tmp_path, "u,i,t\n1,a,1\n"), columns, header=["u", "i", "t"])


def test_very_long_fields(tmp_path: Path) -> None:
    long = "x" * 200_000
    assert rows(tmp_path, lines(",", long, f'"{long}"', "z")) == THREE
    with pytest.raises(DataError, match="line 4, column `t` has no value"):
        rows(tmp_path, lines(",", long, f'"{long}"', "z").replace("3,c,3", "3,c,"))


class TestParts:
    def folder(self, path: Path) -> Path:
        (path / "log" / "deep").mkdir(parents=True)
        for number, (u, i, t) in zip((2, 9, 10), THREE, strict=True):
            written(path / "log", f"u,i,t\n{u},{i},{t}\n", f"part-{number}.csv")
        written(path / "log", "", "_SUCCESS")
        written(path / "log", "junk", ".part-2.csv.crc")
        written(path / "log", "", "part-0.csv")
        written(path / "log" / "deep", "u,i,t\n", "part-1.csv")
        return path / "log"

    def test_a_folder_and_a_name_with_a_star(self, tmp_path: Path) -> None:
        folder = self.folder(tmp_path)
        for path in (folder, folder / "part-*.csv", folder / "**" / "*.csv"):
            assert read_table(path, COLUMNS).rows() == THREE
        in_order = read_table(folder, COLUMNS | {"time": None})
        assert in_order["time"].to_list() == [0, 1, 2]

    def test_faults_name_the_file(self, tmp_path: Path) -> None:
        folder = self.folder(tmp_path)
        written(folder, "u,i,t\n1,a,1\n1,a,x\n", "part-11.csv")
        with pytest.raises(DataError, match=r"part-11\.csv: line 3, column `t`, `x`"):
            read_table(folder, COLUMNS)
        written(folder, "x", "readme.md")
        with pytest.raises(DataError, match=r"several formats \(.*`readme\.md`.*a name such as"):
            read_table(folder, COLUMNS)
        (tmp_path / "empty").mkdir()
        with pytest.raises(DataError, match="no file with content in this folder"):
            read_table(tmp_path / "empty", COLUMNS)
        with pytest.raises(DataError, match="no file with content has such a name"):
            read_table(folder / "*.json", COLUMNS)

    def test_the_cache_knows_each_part(self, tmp_path: Path, loading: dict[str, Any]) -> None:
        from seqrec.data.sets.custom import Custom

        folder = self.folder(tmp_path)

        def users() -> int:
            data = Custom(path=str(folder), columns=COLUMNS, min_user=1, min_item=1, **loading)
            data.setup()
            return data.sequences.num_users

        assert users() == users() == 3
        written(folder, "u,i,t\n7,a,1\n", "part-12.csv")
        assert users() == 4
