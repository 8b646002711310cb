"""Ids of deliveries say nothing of anyone; names of files are kept without loss and shown without harm."""

import os
import re
import unicodedata
from contextlib import suppress
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aida_pipelines.errors import UsageError
from aida_pipelines.ingest.names import (
    check_delivery_id,
    default_delivery_id,
    leaves_the_archive,
    plain_path,
    recorded_name,
    shown,
)

PARTITION = re.compile(r"^[a-z0-9][a-z0-9_-]{2,62}$")


@given(st.from_regex(r"[a-z][a-z0-9_-]{1,40}", fullmatch=True), st.dates(), st.integers(1, 99_999))
def test_a_default_id_is_a_valid_partition_key(site, day, sequence):
    assert PARTITION.match(default_delivery_id(site, day, sequence))


def test_a_default_id_says_site_day_and_number():
    assert default_delivery_id("norr", date(2026, 11, 24), 3) == "norr_20261124_3"


@given(st.text(max_size=70))
def test_only_ids_that_dagster_and_every_file_system_take_are_accepted(text):
    with suppress(UsageError):
        assert PARTITION.fullmatch(check_delivery_id(text))


@pytest.mark.parametrize(
    "text", ["", "ab", "Norr_1", "-norr", "norr/1", "norr 1", "å_1", "a" * 64, "../x", "norr\n"]
)
def test_other_ids_are_refused_with_what_would_do(text):
    with pytest.raises(UsageError, match="a-z"):
        check_delivery_id(text)


@pytest.mark.parametrize("text", ["pat_191212121212", "19121212-1212", "121212-1212_ct", "x-1212721219"])
def test_an_id_with_a_personal_or_coordination_number_is_refused_without_repeating_it(text):
    with pytest.raises(UsageError) as refused:
        check_delivery_id(text)
    assert text not in str(refused.value)


@pytest.mark.parametrize("text", ["norr_20261124_1", "batch-1234567890", "121212-1213"])
def test_other_numbers_are_no_personal_numbers(text):
    assert check_delivery_id(text) == text


@given(st.binary(min_size=1, max_size=40), st.binary(min_size=1, max_size=40))
def test_two_names_never_become_one(one, other):
    assert (recorded_name(one) == recorded_name(other)) == (one == other)


@given(st.binary(max_size=60))
def test_a_recorded_name_is_plain_unicode_on_one_line(name):
    recorded = recorded_name(name)
    recorded.encode()
    assert all(unicodedata.category(character)[0] not in "CZ" or character == " " or
               unicodedata.category(character) == "Zs" for character in recorded)  # fmt: skip


@given(st.text(st.characters(codec="utf-8", categories=["L", "N"]), min_size=1))
def test_letters_and_digits_of_any_script_stay(name):
    assert recorded_name(name) == name


def test_what_is_escaped_can_be_read():
    assert recorded_name(b"r\xf6ntgen.dcm") == r"r\xF6ntgen.dcm"  # Latin-1, as old exports write it
    assert recorded_name("röntgen bild.dcm") == "röntgen bild.dcm"
    assert recorded_name("evil\u202egpj.exe\x1b[2J") == r"evil\u202Egpj.exe\u001B[2J"
    assert recorded_name("a\\b") == r"a\\b"
    assert recorded_name(os.fsdecode(b"\xff")) == r"\xFF"


@given(st.text(max_size=2000))
def test_a_shown_name_is_short(name):
    assert len(shown(recorded_name(name))) <= 162


@pytest.mark.parametrize(
    "name",
    ["../x", "a/../../x", "/etc/passwd", "\\\\server\\x", "a\\..\\x", "C:/x", "c:x", "", "a/\0b"],
)  # fmt: skip
def test_names_that_lead_out_of_an_archive_are_seen(name):
    assert leaves_the_archive(name)


@pytest.mark.parametrize("name", ["a", "a/b..c/..d", "å ä/ö", ".hidden", "...", "a//b", "./a"])
def test_odd_but_honest_names_are_taken(name):
    assert leaves_the_archive(name) is None


@pytest.mark.parametrize("name", ["a/b", "./a/b", "a//b", "a/./b", "a/b/"])
def test_one_path_has_one_spelling(name):
    assert plain_path(name) == "a/b"
