"""Times become sort keys without a tie that the file does not have, or are refused in words that fit them."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from seqrec.data.errors import DataError
from seqrec.data.readers.tables import read_table
from seqrec.data.readers.times import sort_keys

COLUMNS: dict[str, str | None] = {"user": "u", "item": "i", "time": "t"}


def keys(times: list[str], time_format: str | None = None) -> list[float]:
    return sort_keys(pl.Series(times, dtype=pl.String), time_format, lambda row: f"line {row + 2}").to_list()


RISING = {
    "nanoseconds": ["2023-01-01 00:00:00.000000100", "2023-01-01 00:00:00.000000200", "2023-01-01 00:00:00.0000003"],
    "picoseconds": ["2023-01-01T00:00:00.000000000001Z", "2023-01-01T00:00:00.000000000002Z"],
    "some cells finer": ["1969-12-31 23:59:59.9999998", "1969-12-31 23:59:59.9999999", "1970-01-01"],
    "beyond 2^53 with a fraction": ["1700000000000000001", "1700000000000000002", "1700000000000000002.5"],
    "beyond 2^53 with an exponent": ["1.0", "1700000000000000001", "1700000000000000002", "1.8e18"],
    "beyond 2^63": ["9223372036854775807", "9223372036854775808", "9223372036854775809", "18446744073709551615"],
    "beyond 2^64": ["100000000000000000000000000001", "100000000000000000000000000002"],
    "seconds with nanoseconds": ["1700000000.123456781", "1700000000.123456782", "1700000000.123456783"],
    "negative": ["-1700000000.123456782", "-1700000000.123456781", "0"],
    "Postgres": ["2023-01-01 00:00:01+00", "2023-01-01 00:00:01.5+00", "2023-01-01 00:00:02+00"],
    "Postgres elsewhere": ["2023-01-01 05:30:00+05:30", "2022-12-31 20:00:00.5-04", "2023-01-01 00:00:01 UTC"],
    "before 1677 and after 2262": ["1500-01-01 00:00:00.0000001", "1500-01-01 00:00:00.0000002", "2500-01-01"],
}


@pytest.mark.parametrize("kind", RISING)
def test_distinct_instants_stay_distinct_and_in_order(kind: str) -> None:
    found = keys(RISING[kind])
    assert sorted(set(found)) == found
    assert [key for _, key in sorted(zip(keys(RISING[kind][::-1]), found[::-1], strict=True))] == found


EQUAL = [
    ["2023-01-01 00:00:00.0000001", "2023-01-01T00:00:00,000000100Z", "2023-01-01 01:00:00.0000001000+01"],
    ["1700000000000000001", "1700000000000000001.0", "1700000000000000001.00"],
    ["1.0", "1", "1e0", "10e-1"],
]


@pytest.mark.parametrize("times", EQUAL)
def test_one_instant_in_two_spellings_is_a_tie(times: list[str]) -> None:
    assert len(set(keys([*times, times[0]]))) == 1


@pytest.mark.parametrize("digits", [0, 3, 6, 9, 12])
def test_random_instants_sort_as_their_exact_values(digits: int) -> None:
    draw = random.Random(digits)
    start = datetime(2023, 1, 1, tzinfo=UTC)
    exact = [(draw.randrange(50), draw.randrange(10**digits)) for _ in range(300)]
    texts = [f"{start + timedelta(seconds=s):%F %T}" + (f".{f:0{digits}}" if digits else "") for s, f in exact]
    found = keys(texts)
    for one in range(0, 300, 7):
        for other in range(300):
            assert (found[one] < found[other]) == (exact[one] < exact[other])
            assert (found[one] == found[other]) == (exact[one] == exact[other])


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "Europe/Paris"])
def test_parquet_times_of_every_unit(tmp_path: Path, unit: str, zone: str | None) -> None:
    stamps = pl.Series("t", [1_700_000_000_000_000_300, 1_700_000_000_000_000_200, 1_700_000_000_000_000_100])
    stamps = stamps if unit == "ns" else pl.Series("t", [1_700_000_000_003, 1_700_000_000_002, 1_700_000_000_001])
    stamps = stamps.cast(pl.Datetime(unit))  # type: ignore[arg-type]
    stamps = stamps if zone is None else stamps.dt.replace_time_zone(zone)
    pl.DataFrame({"u": ["u"] * 3, "i": list("cba"), "t": stamps}).write_parquet(tmp_path / "a.parquet")
    table = read_table(tmp_path / "a.parquet", COLUMNS).sort("time")
    assert table["item"].to_list() == ["a", "b", "c"]
    assert table["time"].n_unique() == 3


FORMS = {
    "%d/%m/%Y": ["03/02/2019", "01/03/2019", "02/01/2020"],
    "%m/%d/%Y": ["01/03/2019", "03/02/2019", "02/01/2020"],
    "%d.%m.%Y %H:%M": ["03.02.2019 23:59", "04.02.2019 00:00", "01.01.2020 00:00"],
    "%m/%d/%y %I:%M %p": ["1/3/19 11:00 AM", "1/3/19 1:00 PM", "12/3/19 1:00 AM"],
    "%d %b %Y %H:%M:%S.%f": ["3 Feb 2019 01:02:03.1234567", "3 Feb 2019 01:02:03.1234568", "03 Feb 2019 01:02:04.0"],
    "%Y%m%dT%H%M%S%z": ["20190203T010203+0100", "20190203T010203+0000", "20190203T020203+0000"],
}


@pytest.mark.parametrize("form", FORMS)
def test_dates_in_a_form_of_ones_own(tmp_path: Path, form: str) -> None:
    found = keys(FORMS[form], form)
    assert sorted(set(found)) == found
    path = tmp_path / "a.csv"
    path.write_text("u,i,t\n" + "".join(f"u,{place},{time}\n" for place, time in enumerate(FORMS[form])))
    assert read_table(path, COLUMNS, time_format=form)["time"].to_list() == found


@pytest.mark.parametrize(
    ("times", "message"),
    [
        (["31/12/2019", "01/01/2020"], r"line 2, `31/12/2019` is not an ISO date .*data\.time_format='%d/%m/%Y'"),
        (["12/31/2019 10:00 PM"], r"is not an ISO date"),
        (["12/31/2019 10:00"], r"data\.time_format='%d/%m/%Y %H:%M'"),
        (["12/31/2019 10:00:59"], r"data\.time_format='%d/%m/%Y %H:%M:%S'"),
        (["Tue Jan 01 00:00:00 +0000 2019"], r"is not an ISO date"),
        (["Jan 1, 2019"], r"is not an ISO date"),
        (["01-Feb-2019"], r"is not an ISO date"),
        (["2019-W01-1"], r"is not an ISO date"),
        (["20190101T000000Z"], r"is not an ISO date"),
        (["12:30:00"], r"is not an ISO date"),
        (["2019-13-01"], r"is not an ISO date"),
        (["2019-01-01 23:59:60"], r"is not an ISO date"),
        (["2019-01-01 24:00:00"], r"is not an ISO date"),
        (["5", "2019-01-01", "6"], r"line 3, `2019-01-01` is a date where other rows have numbers"),
        (["2019-01-01", "5", "2019-01-02"], r"line 3, `5` is not an ISO date"),
        (["5", "soon"], r"line 3, `soon` is not a finite number"),
        (["5", "1e400"], r"line 3, `1e400` is not a finite number"),
        (["5", "-inf"], r"line 3, `-inf` is not a finite number"),
    ],
)
def test_a_date_is_called_a_date(times: list[str], message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        keys(times)
    if "ISO" in message:
        assert "finite number" not in str(caught.value)


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ("%d/%m/%Y", r"line 3, `2019-01-02` is not a date in the form data\.time_format='%d/%m/%Y'"),
        ("%d/%m", r"line 2, `01/02/2019` is not a date in the form"),
        ("%Q", r"data\.time_format='%Q'|is not a date in the form"),
    ],
)
def test_a_form_that_does_not_fit(form: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        keys(["01/02/2019", "2019-01-02"], form)


def test_seconds_and_milliseconds_in_one_column_are_said(caplog: pytest.LogCaptureFixture) -> None:
    assert keys(["1", "5000"]) == [1, 5000]
    assert not caplog.text
    assert keys(["1600000000", "1600000001000"]) == [1600000000, 1600000001000]
    assert "line 3: times reach from 1600000000 to 1600000001000; are seconds and milliseconds mixed?" in caplog.text
