"""Date and time values: what is whole and valid moves with its subject, all else goes."""

import re
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aida_pipelines.contracts.profile import DateMode
from aida_pipelines.deid.dates import moved_value
from aida_pipelines.deid.pseudonym import Pseudonyms
from aida_pipelines.deid.timeline import timeline

PSEUDONYMS = Pseudonyms(bytes(32), "collection:a")
SUBJECT = PSEUDONYMS.subject("norr", "1")
SHIFT, PROPORTIONAL, ORDER = WAYS = [timeline(mode, PSEUDONYMS) for mode in DateMode]

every_way = pytest.mark.parametrize("way", WAYS, ids=list(DateMode))
DAYS = st.dates(date(1920, 1, 1), date(2080, 12, 31))
ZONES = st.sampled_from(["", "+0100", "-0530", "+1400", "-1200"])


def moved(text, vr, way=SHIFT):
    return moved_value(text, vr, way, SUBJECT)


def as_day(text):
    return datetime.strptime(text, "%Y%m%d").date()


@given(DAYS, DAYS)
def test_intervals_stay(first, second):
    made = [as_day(moved(f"{day:%Y%m%d}", "DA")) for day in (first, second)]
    assert made[1] - made[0] == second - first


@every_way
@given(day=DAYS)
def test_a_date_becomes_the_same_day_in_every_vr_and_form(way, day):
    plain = moved(f"{day:%Y%m%d}", "DA", way)
    assert as_day(plain) == way.moved(day, SUBJECT) != day
    assert moved(f"{day:%Y.%m.%d}", "DA", way) == plain
    assert moved(f"{day:%Y%m%d}", "DT", way) == plain


@pytest.mark.parametrize("way", [SHIFT, PROPORTIONAL])
@given(day=DAYS, time=st.times(), zone=ZONES, length=st.sampled_from([0, 2, 4, 6, 8, 13]))
def test_times_of_day_fractions_and_zones_stay(way, day, time, zone, length):
    rest = f"{time:%H%M%S}.{time.microsecond:06d}"[:length] + zone
    assert moved(f"{day:%Y%m%d}{rest}", "DT", way) == moved(f"{day:%Y%m%d}", "DA", way) + rest


@given(DAYS, st.times(), ZONES)
def test_order_without_times_leaves_midnight_and_the_zone(day, time, zone):
    made = moved(f"{day:%Y%m%d%H%M%S}.{time.microsecond:06d}{zone}", "DT", ORDER)
    assert made == moved(f"{day:%Y%m%d}", "DA", ORDER) + "000000.000000" + zone
    assert moved(f"{time:%H%M%S}", "TM", ORDER) == "000000"
    assert moved(f"{time:%H:%M}", "TM", ORDER) == "00:00"


@pytest.mark.parametrize("text", ["20240229", "2024.02.29", "20000229"])
def test_leap_days(text):
    true = as_day(text.replace(".", ""))
    assert as_day(moved(text, "DA")) - true == timedelta(days=SHIFT.offset(SUBJECT))
    assert as_day(moved(text, "DA")) - as_day(moved(f"{true.year}0301", "DA")) == timedelta(days=-1)


@pytest.mark.parametrize(
    "text",
    [
        "121530",
        "12",
        "1215",
        "121530.123456",
        "121530.1",
        "12:15:30",
        "12:15",
        "235960",
        "000000",
        "12:15:30.5",
    ],
)
def test_a_time_stays(text):
    assert moved(text, "TM") == text


@every_way
@pytest.mark.parametrize(
    ("text", "vr"),
    [
        ("20230230", "DA"), ("20230229", "DA"), ("19000229", "DA"), ("Anna", "DA"), ("20230101 Anna", "DA"),
        ("00000000", "DA"), ("00000101", "DA"), ("2023.0101", "DA"), ("20230101120000", "DA"), ("٢٠٢٣٠١٠١", "DA"),
        ("20230101120000Z", "DT"), ("20230101 12:00", "DT"), ("20230101250000", "DT"), ("20230101126000", "DT"),
        ("20230101120061", "DT"), ("20230101+9900", "DT"), ("20230101120000.1234567", "DT"), ("20230101-01", "DT"),
        ("Anna", "TM"), ("240000", "TM"), ("851231", "TM"), ("126000", "TM"), ("12:1530", "TM"), ("1", "TM"),
        ("1000-1200", "TM"), ("١٢١٥", "TM"),
    ],
)  # fmt: skip
def test_what_is_no_whole_valid_date_or_time_goes(way, text, vr):
    assert moved(text, vr, way) == ""


@every_way
@pytest.mark.parametrize("text", ["2023", "202301", "2023+0100", "202301+0100"])
@pytest.mark.parametrize("vr", ["DA", "DT"])
def test_a_year_or_a_month_alone_goes(way, text, vr):
    """A date's year alone may still be the true one after a move; nothing would say which it is."""
    assert moved(text, vr, way) == ""


@every_way
@pytest.mark.parametrize(
    "text", ["20200101", "20200101101500", "202001011015.30", "2020-01-01", "2020.01.01", "20200101T101500", "19851231"]
)  # fmt: skip
def test_a_time_that_encloses_a_date_is_no_time(way, text):
    assert moved(text, "TM", way) == ""


@every_way
@pytest.mark.parametrize("year", ["0001", "9999"])
def test_at_the_calendars_ends_a_date_is_valid_or_empty(way, year):
    for subject in (f"sub-{n}" for n in range(50)):
        for day in ("0101", "1231"):
            made = moved_value(f"{year}{day}", "DA", way, subject)
            assert made != f"{year}{day}"
            assert made == "" or as_day(made)


@every_way
@given(text=st.text("0123456789.:+- ", max_size=26), vr=st.sampled_from(["DA", "DT", "TM"]))
def test_what_comes_out_is_valid_and_no_date_that_went_in(way, text, vr):
    made = moved(text, vr, way)
    shapes = {
        "DA": r"\d{8}",
        "DT": r"\d{8}(\d\d){0,3}(\.\d{1,6})?([+-]\d{4})?",
        "TM": r"\d\d(:?\d\d(:?\d\d(\.\d{1,6})?)?)?",
    }
    assert made == "" or re.fullmatch(shapes[vr], made)
    if made and vr != "TM":
        assert as_day(made[:8]) != as_day(text.replace(".", "")[:8])
