"""A day is known again in whichever way it is written: numbers in any order, words in two languages, weeks, seconds."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from aida_pipelines.deid.verification.days import all_days
from aida_pipelines.deid.verification.names import folded

SWEDISH = [
    "januari",
    "februari",
    "mars",
    "april",
    "maj",
    "juni",
    "juli",
    "augusti",
    "september",
    "oktober",
    "november",
    "december",
]
ENGLISH = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]


def sv(day):
    return SWEDISH[day.month - 1]


def en(day):
    return ENGLISH[day.month - 1]


def nth(day):
    ending = {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th") if day not in (11, 12, 13) else "th"
    return f"{day}{ending}"


FORMATS = {
    "YYYYMMDD": lambda d: f"{d:%Y%m%d}",
    "YYYY-MM-DD": lambda d: f"{d:%Y-%m-%d}",
    "YYYY.MM.DD": lambda d: f"{d:%Y.%m.%d}",
    "YYYY/MM/DD": lambda d: f"{d:%Y/%m/%d}",
    "YYYY MM DD": lambda d: f"{d:%Y %m %d}",
    "YYYY_MM_DD": lambda d: f"{d:%Y_%m_%d}",
    "YYYY:MM:DD": lambda d: f"{d:%Y:%m:%d}",
    "YYYY-M-D": lambda d: f"{d.year}-{d.month}-{d.day}",
    "DDMMYYYY": lambda d: f"{d:%d%m%Y}",
    "DD-MM-YYYY": lambda d: f"{d:%d-%m-%Y}",
    "DD.MM.YYYY": lambda d: f"{d:%d.%m.%Y}",
    "DD/MM/YYYY": lambda d: f"{d:%d/%m/%Y}",
    "D/M/YYYY": lambda d: f"{d.day}/{d.month}/{d.year}",
    "D/M -YY": lambda d: f"{d.day}/{d.month} -{d:%y}",
    "MMDDYYYY": lambda d: f"{d:%m%d%Y}",
    "MM/DD/YYYY": lambda d: f"{d:%m/%d/%Y}",
    "M/D/YY": lambda d: f"{d.month}/{d.day}/{d:%y}",
    "YYMMDD": lambda d: f"f {d:%y%m%d}",
    "YY-MM-DD": lambda d: f"{d:%y-%m-%d}",
    "DDMMYY": lambda d: f"f {d:%d%m%y}",
    "D month YYYY, Swedish": lambda d: f"{d.day} {sv(d)} {d.year}",
    "den D:e month YYYY, Swedish": lambda d: f"den {d.day}:e {sv(d)} {d.year}",
    "D month YYYY, English": lambda d: f"{d.day} {en(d)} {d.year}",
    "Month D, YYYY": lambda d: f"{en(d)} {d.day}, {d.year}",
    "Nth of Month YYYY": lambda d: f"{nth(d.day)} of {en(d)} {d.year}",
    "DDMonYYYY": lambda d: f"{d:%d}{en(d)[:3]}{d.year}",
    "DD-MON-YY": lambda d: f"{d:%d}-{en(d)[:3].upper()}-{d:%y}",
    "YYYY-Mon-DD": lambda d: f"{d.year}-{en(d)[:3]}-{d:%d}",
    "as C's ctime": lambda d: f"{d:%a} {en(d)[:3]} {d.day:2} 10:11:12 {d.year}",
    "as Unix's date": lambda d: f"{d:%a} {en(d)[:3]} {d.day:2} 10:11:12 CEST {d.year}",
    "YYYY-MM-DDTHH:MM": lambda d: f"{d:%Y-%m-%d}T10:11",
    "YYYYMMDDHHMMSS": lambda d: f"{d:%Y%m%d}101112",
    "ISO week": lambda d: "{}-W{:02}-{}".format(*d.isocalendar()),
    "day of the year": lambda d: f"{d:%Y-%j}",
    "within a word": lambda d: f"scan_{d:%Y%m%d}_ax",
    "within a file's name": lambda d: f"C:\\bilder\\{d:%Y-%m-%d}.dcm",
    "seconds since 1970": lambda d: str(int(datetime(d.year, d.month, d.day, 12, tzinfo=UTC).timestamp())),
}


def test_there_are_thirty():
    assert len(FORMATS) >= 30


SINCE_1970 = date(2001, 9, 10)
"""From then on there are ten digits; fewer are too many other things."""


@pytest.mark.parametrize("way", FORMATS)
@given(day=st.dates(date(1900, 1, 1), date(2049, 12, 31)))
def test_a_day_is_read_in_every_format(way, day):
    assume(way != "seconds since 1970" or day >= SINCE_1970)
    assert f"{day:%Y%m%d}" in all_days(folded(FORMATS[way](day)))
