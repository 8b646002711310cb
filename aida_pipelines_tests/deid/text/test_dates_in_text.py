"""Dates, months and years are found in prose, however they are written; sizes, doses and ratios are not."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aida_pipelines.deid.text.dates import dates, ways_to_write

DAYS = st.dates(date(1890, 1, 1), date(2039, 12, 31))


@given(DAYS)
def test_there_are_more_than_thirty_ways_to_write_a_day(day):
    assert len(set(ways_to_write(day))) >= 30


@given(DAYS, st.sampled_from(["{}", "den {} gjordes", "({})", "us {}."]))
def test_a_days_usual_forms_are_found_whole(day, around):
    for form in (
        f"{day:%Y-%m-%d}",
        f"{day:%Y%m%d}",
        f"{day:%d/%m/%Y}",
        f"{day.day}/{day.month} {day.year}",
        f"{day:%y%m%d}",
    ):
        text = around.format(form)
        start = around.index("{")
        assert any(one.start <= start and one.stop >= start + len(form) for one in dates(text)), form


@pytest.mark.parametrize(
    "text",
    [
        "mars 2024",
        "2019",
        "vecka 12",
        "v.7",
        "3/4",
        "12/3-24",
        "2024-03",
        "maj '24",
        "3:e maj",
        "14 juni",
        "June 3rd",
        "2024W12",
    ],
)
def test_parts_of_dates_are_found(text):
    assert list(dates(f"sedan {text} värk"))


@pytest.mark.parametrize(
    "text",
    [
        "12 x 14 mm", "140/80", "2000 ml", "1950 HU", "L4-L5", "T1", "60 %", "1,5 cm", "b 1000", "6.5 mm", "120 kV",
        "PI-RADS 4", "marsch", "majs", "512 512", "99 %",
    ],
)  # fmt: skip
def test_measures_are_no_dates(text):
    assert not list(dates(text))


def test_the_first_second_of_1970_is_no_way_to_write_a_day():
    assert "0" not in ways_to_write(date(1970, 1, 1))
    assert min(map(len, ways_to_write(date(1970, 1, 2)))) >= 3
