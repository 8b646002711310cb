"""Dates and times moved by whole days."""

from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aida_pipelines.deid.dates import shift_value
from aida_pipelines.deid.pseudonym import Pseudonyms

KEY = Pseudonyms(bytes(32))
SUBJECT = KEY.subject("norr", "1")
DAYS = st.dates(date(1920, 1, 1), date(2080, 12, 31))


def shifted(text, vr):
    return shift_value(text, vr, KEY, SUBJECT)


@given(DAYS, DAYS)
def test_intervals_stay(first, second):
    moved = [datetime.strptime(shifted(f"{day:%Y%m%d}", "DA"), "%Y%m%d").date() for day in (first, second)]
    assert moved[1] - moved[0] == second - first


@given(DAYS, st.times(), st.sampled_from(["", "+0100", "-0530"]))
def test_times_of_day_fractions_and_zones_stay(day, time, zone):
    rest = f"{time:%H%M%S}.{time.microsecond:06d}{zone}"
    moved = shifted(f"{day:%Y%m%d}{rest}", "DT")
    assert moved == shifted(f"{day:%Y%m%d}", "DA") + rest


@pytest.mark.parametrize("text", ["20240229", "2024.02.29"])
def test_leap_days_and_the_form_of_old_devices(text):
    expected = date(2024, 2, 29) + KEY.offset(SUBJECT)
    assert shifted(text, "DA") == f"{expected:%Y%m%d}"


@pytest.mark.parametrize("text", ["121530", "12", "1215", "121530.123456", "12:15:30"])
def test_a_time_stays(text):
    assert shifted(text, "TM") == text


@pytest.mark.parametrize(
    ("text", "vr"),
    [
        ("20230230", "DA"), ("2023", "DA"), ("Anna", "DA"), ("20230101 Anna", "DA"), ("00000000", "DA"),
        ("2023", "DT"), ("202301", "DT"), ("20230101120000Z", "DT"), ("20230101 12:00", "DT"),
        ("Anna", "TM"), ("20230101", "TM"),
    ],
)  # fmt: skip
def test_what_is_no_whole_valid_date_or_time_goes(text, vr):
    assert shifted(text, vr) == ""


def test_the_offset_is_never_nothing():
    offsets = {KEY.offset(KEY.subject("norr", str(number))) for number in range(5000)}
    assert timedelta(0) not in offsets
    assert min(offsets) < timedelta(0) < max(offsets)
