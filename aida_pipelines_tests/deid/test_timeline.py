"""Three ways to move days: what each keeps, and that none leaves a day where it was."""

from datetime import date, timedelta
from itertools import pairwise
from statistics import quantiles

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aida_pipelines.contracts.profile import DateMode
from aida_pipelines.deid.pseudonym import Pseudonyms
from aida_pipelines.deid.timeline import (
    MAX_SHIFT_DAYS,
    MAX_STRETCH,
    MIN_STRETCH,
    Order,
    Proportional,
    Shift,
    timeline,
)

PSEUDONYMS = Pseudonyms(bytes(range(32)), "collection:a")
WAYS = [timeline(mode, PSEUDONYMS) for mode in DateMode]
SHIFT, PROPORTIONAL, ORDER = WAYS

every_way = pytest.mark.parametrize("way", WAYS, ids=list(DateMode))
SUBJECTS = st.integers(0, 1 << 40).map(lambda number: f"sub-{number}")
DAYS = st.dates(date(1900, 1, 1), date(2099, 12, 31))
NEAR = st.integers(-3000, 3000).map(timedelta)


def test_the_contract_s_words_mean_these_ways():
    assert list(map(type, WAYS)) == [Shift, Proportional, Order]


@every_way
@given(day=st.dates(), subject=SUBJECTS)
def test_a_day_becomes_another_day_or_none(way, day, subject):
    moved = way.moved(day, subject)
    assert moved != day
    assert moved is None or date.min <= moved <= date.max


@every_way
@given(day=DAYS, subject=SUBJECTS)
def test_a_day_of_our_times_has_a_place(way, day, subject):
    assert way.moved(day, subject) is not None


@every_way
@given(day=DAYS, step=NEAR, subject=SUBJECTS)
def test_order_stays_and_different_days_stay_different(way, day, step, subject):
    first, second = day, min(max(day + step, date(1900, 1, 1)), date(2099, 12, 31))
    moved = [way.moved(one, subject) for one in (first, second)]
    assert (moved[0] < moved[1], moved[0] == moved[1]) == (first < second, first == second)


@every_way
def test_days_in_a_row_stay_in_order_without_a_gap_in_the_rule(way):
    """All days of 200 years: what random tests may miss at the seams."""
    first = date(1900, 1, 1).toordinal()
    moved = [way.moved(date.fromordinal(first + n), "sub-a") for n in range(73_049)]
    assert all(one < other for one, other in pairwise(moved))


@every_way
@given(day=DAYS, subject=SUBJECTS)
def test_no_state_another_process_another_month_the_same_day(way, day, subject):
    again = type(way)(Pseudonyms(bytes(range(32)), "collection:a"))
    for other in range(3):
        again.moved(day + timedelta(days=other), "sub-other")
    assert again.moved(day, subject) == way.moved(day, subject)


@every_way
def test_subjects_domains_and_keys_move_differently(way):
    day = date(2024, 2, 29)
    others = [Pseudonyms(bytes(range(32)), "collection:b"), Pseudonyms(bytes(32), "collection:a")]
    moved = [one.moved(day, "sub-a") for one in (way, *(type(way)(other) for other in others))]
    assert len({*moved, way.moved(day, "sub-b")}) == 4


@every_way
@pytest.mark.parametrize("day", [date.min, date(1, 1, 2), date.max])
def test_at_the_calendars_ends_nothing_fails(way, day):
    moved = {way.moved(day, f"sub-{n}") for n in range(200)}
    assert None in moved
    assert day not in moved


# --- shift ------------------------------------------------------------------------------------------------------------


@given(DAYS, NEAR, SUBJECTS)
def test_a_shift_keeps_intervals_and_goes_no_further_than_promised(day, step, subject):
    moved = SHIFT.moved(day, subject)
    assert SHIFT.moved(day + step, subject) - moved == step
    assert 1 <= abs((moved - day).days) <= MAX_SHIFT_DAYS


def test_offsets_fill_their_range_to_both_sides_and_are_never_nothing():
    offsets = [SHIFT.offset(f"sub-{number}") for number in range(20_000)]
    assert 0 not in offsets
    assert min(offsets) < -3600
    assert max(offsets) > 3600
    assert abs(sum(offsets) / len(offsets)) < 60  # four standard errors


def test_what_a_key_moves_by_stays_what_it_is():
    """Pinned, as the pseudonyms are."""
    day = date(2024, 2, 29)
    assert [way.moved(day, "sub-a").isoformat() for way in WAYS] == ["2031-05-05", "2046-06-03", "7593-07-02"]


# --- proportional -----------------------------------------------------------------------------------------------------


@given(DAYS, NEAR, SUBJECTS)
def test_a_proportional_interval_is_the_true_one_times_the_subjects_factor(day, step, subject):
    factor = PROPORTIONAL.factor(subject)
    assert MIN_STRETCH <= factor < MAX_STRETCH
    interval = (PROPORTIONAL.moved(day + step, subject) - PROPORTIONAL.moved(day, subject)).days
    assert abs(interval - factor * step.days) < 2


@given(DAYS, st.integers(1, 3000), st.integers(1, 3000), SUBJECTS)
def test_proportional_ratios_of_intervals_stay(day, one, other, subject):
    first, middle, last = (
        PROPORTIONAL.moved(day + timedelta(days=days), subject) for days in (0, one, one + other)
    )
    made, follows = (middle - first).days, (last - middle).days
    assert abs(made * other - follows * one) < 2 * (one + other)  # two days' rounding in each


def test_a_proportional_day_near_the_one_that_would_stay_moves_all_the_same():
    """Somewhere in every subject's life the stretched time crosses the true one."""
    crossings = 0
    for number in range(100):
        subject = f"sub-{number}"
        moved = [
            (PROPORTIONAL.moved(date.fromordinal(day), subject).toordinal() - day)
            for day in range(
                date(1950, 1, 1).toordinal(), date(2050, 1, 1).toordinal(), 1 if number < 3 else 50
            )
        ]
        assert 0 not in moved
        crossings += min(moved) < 0 < max(moved)
    assert crossings > 70


# --- order ------------------------------------------------------------------------------------------------------------


@given(DAYS, SUBJECTS)
def test_nobody_takes_an_ordered_day_for_a_true_one(day, subject):
    assert ORDER.moved(day, subject).year >= 2100


@pytest.mark.parametrize("day", [date(1899, 12, 31), date(2100, 1, 1)])
def test_days_of_other_times_have_no_place_in_the_order(day):
    assert ORDER.moved(day, "sub-a") is None


@pytest.mark.parametrize(("days", "factor"), [(1, 15), (30, 8), (365, 5), (3650, 3.5)])
def test_an_ordered_interval_says_little_of_the_true_one_at_any_scale(days, factor):
    """The middle 80 % of what a true interval becomes spans this factor at least."""
    begin = date(2015, 3, 1)
    made = [
        (ORDER.moved(begin + timedelta(days=days), f"sub-{n}") - ORDER.moved(begin, f"sub-{n}")).days
        for n in range(1000)
    ]
    tenths = quantiles(made, n=10)
    assert tenths[8] / tenths[0] > factor


def test_which_of_two_equal_intervals_was_made_longer_is_even():
    begin = date(2010, 1, 1)
    later = 0
    for number in range(1000):
        a, b, c = (ORDER.moved(begin + timedelta(days=n), f"sub-{number}") for n in (0, 400, 800))
        later += c - b > b - a
    assert 420 < later < 580
