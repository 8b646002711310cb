"""Every number that identifies a person in Swedish health care is found, however it is written; others are not."""

import random
from datetime import date

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aida_pipelines.deid.luhn import luhn
from aida_pipelines.deid.text.found import without
from aida_pipelines.deid.text.swedish import swedish_numbers

DAYS = st.dates(date(1890, 1, 1), date(2029, 12, 31))
SIGNS = st.sampled_from(["", "-", "+", " ", "–", " - ", "—", ".", "\u00a0", "\u200b"])
AROUND = st.sampled_from(
    [("", ""), ("pnr", ""), ("pat ", " remitterad"), ("(", ")"), ("thorax", "x"), ("_", "_")]
)


def check_digit(digits):
    return next(digit for digit in "0123456789" if luhn(digits + digit))


def numbered(day, serial, add=0):
    """Twelve digits of a day, three of a serial number, with their check digit."""
    body = f"{day:%y%m}{day.day + add:02}{serial:03}"
    return f"{day:%Y}"[:2] + body + check_digit(body)


def kinds(text):
    return {found.kind for found in swedish_numbers(text)}


@given(DAYS, st.integers(0, 999), SIGNS, SIGNS, AROUND, st.booleans(), st.sampled_from([0, 60]))
def test_personal_and_coordination_numbers_are_found_in_every_spelling(
    day, serial, middle, sign, around, century, add
):
    digits = numbered(day, serial, add)
    date_part, rest = digits[0 if century else 2 : 8], digits[8:]
    text = f"{around[0]}{date_part[:-4]}{middle}{date_part[-4:-2]}{middle}{date_part[-2:]}{sign}{rest}{around[1]}"
    expected = "coordination-number" if add else "personal-number"
    assert expected in kinds(text)
    left = without(text, swedish_numbers(text))
    assert not any(char.isdigit() for char in left)


@given(DAYS, st.integers(0, 999), st.randoms())
def test_numbers_that_were_misread_are_found(day, serial, rng):
    digits = list(numbered(day, serial))
    swaps = {"0": "OoQD", "1": "Il|", "2": "Zz", "5": "Ss", "6": "Gb", "7": "T", "8": "B", "9": "gq"}
    places = [index for index, digit in enumerate(digits) if digit in swaps]
    for index in rng.sample(places, min(len(places), 6)):
        digits[index] = rng.choice(swaps[digits[index]])
    assert kinds(f"id {''.join(digits)}")


@pytest.mark.parametrize(
    "text",
    [
        "991981000010",  # Stockholm
        "99 1981 000010",
        "19810829M071",  # Västra Götaland
        "19810829-M071",
        "19810829SU3A",  # Värmland
        "19810829 S12B",  # Skåne
        "198108320014",  # Inera
        "19810832-0014",
        "22121212AB1C",  # national
        "23121212 AB1C",
        "00123450AB14",
        "22-121212-AB1C",
    ],
)
def test_reserve_numbers_are_found(text):
    assert kinds(f"res.nr {text}.") == {"reserve-number"}
    assert kinds(f"reservnr{text}") == {"reserve-number"}


def test_a_number_with_a_letter_in_it_is_found():
    assert kinds("121212-T123") == {"interim-number"}
    assert kinds("19121212T123") == {"reserve-number"}


@pytest.mark.parametrize("length", range(6, 21))
def test_random_digits_are_left_alone(length):
    """99 of 100 at least, for every length: of ten digits one in 140 is a number that somebody may have."""
    rng = random.Random(length)
    strings = ["".join(rng.choices("0123456789", k=length)) for _ in range(5000)]
    assert sum(bool(kinds(string)) for string in strings) <= 50


@pytest.mark.parametrize(
    "text",
    [
        "T1 ax +Gd",
        "CT thorax 1.25 mm 120 kV 250 mAs",
        "512 x 512 x 300",
        "2 3 10 12",
        "1.2.840.10008.5.1.4.1.1.2",
        "b1000 TE 90 TR 4500",
    ],
)
def test_what_describes_an_image_is_left_alone(text):
    assert not kinds(text)


@given(st.text(max_size=80))
@example("0" * 80)
@example("1 " * 40)
def test_places_are_inside_the_text(text):
    for found in swedish_numbers(text):
        assert 0 <= found.start < found.stop <= len(text)
    assert len(without(text, swedish_numbers(text))) <= len(text)
