"""Pseudonyms: the same under one key and domain everywhere, unrelated under another, and never a plain hash."""

import re
import subprocess
import sys
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aida_pipelines.deid.pseudonym import Pseudonyms, is_personal_number, normalise_patient_id
from aida_pipelines.deid.timeline import Shift

KEY = bytes(range(32))
A, B = Pseudonyms(KEY, "collection:a"), Pseudonyms(bytes(range(1, 33)), "collection:a")

ONE_PERSON = [
    "19121212-1212", "191212121212", "121212-1212", "1212121212", "121212+1212", "19121212 1212",
    "121212 1212", " 191212121212 ", "19121212–1212", "1912 1212 1212", "１２１２１２-１２１２",
    "1912-12-12-1212", "1912.12.12-1212", "12-12-12-1212", "19121212_1212", "1912/12/12/1212",
    "19121212\u00ad1212", "\u200b191212121212", "١٢١٢١٢١٢١٢", "191212121212^^^PNR", "121212-1212^^^&1.2.752&ISO",
]  # fmt: skip


@pytest.mark.parametrize("spelling", ONE_PERSON)
def test_a_personal_number_is_one_person_however_it_is_written_and_whoever_says_so(spelling):
    assert A.subject("norr", spelling) == A.subject("syd", ONE_PERSON[0])


@st.composite
def personal_numbers(draw):
    """Century, and ten digits of a made-up personal or coordination number with its check digit."""
    day = draw(st.dates(date(1850, 1, 1), date(2099, 12, 31)))
    apart = 60 if draw(st.booleans()) else 0
    nine = f"{day:%y%m}{day.day + apart:02d}{draw(st.integers(0, 999)):03d}"
    doubled = [int(digit) * (2 - index % 2) for index, digit in enumerate(nine)]
    check = -sum(n // 10 + n % 10 for n in doubled) % 10
    return str(day.year // 100), f"{nine}{check}"


@given(
    personal_numbers(),
    st.booleans(),
    st.sampled_from(["", "-", ".", "/", "_", " "]),
    st.sampled_from(["", "-", "+", " ", "–", "−"]),
    st.sampled_from(["", " ", "\0", "\u200b"]),
    st.booleans(),
    st.sampled_from(["", "^^^PNR"]),
)
def test_every_spelling_of_a_personal_number_is_one_person(number, long, apart, sign, around, wide, tail):
    century, ten = number
    year = century + ten[:2] if long else ten[:2]
    written = f"{around}{apart.join([year, ten[2:4], ten[4:6]])}{sign}{ten[6:]}{around}{tail}"
    if wide:
        written = written.translate({ord(str(n)): chr(0xFF10 + n) for n in range(10)})
    assert normalise_patient_id("anyone", written) == ("se-personnummer", ten)


@given(personal_numbers(), st.integers(1, 9))
def test_a_wrong_check_digit_is_no_personal_number(number, by):
    _, ten = number
    assert is_personal_number(ten)
    assert not is_personal_number(ten[:9] + str((int(ten[9]) + by) % 10))


def test_a_coordination_number_is_one_person():
    # the Tax Agency's own example: day 63 = 3 + 60
    assert A.subject("x", "19701063-2391") == A.subject("y", "701063 2391")


@pytest.mark.parametrize(
    ("number", "there_was_such_a_day"),
    [
        ("0002291011", True), ("200002291011", True), ("190002291011", False),
        ("9602291016", True), ("189602291016", True), ("9702291015", False),
    ],
)  # fmt: skip
def test_a_leap_day_is_valid_where_a_century_had_it(number, there_was_such_a_day):
    assert is_personal_number(number) == there_was_such_a_day


@pytest.mark.parametrize(
    "other",
    ["19121212-1213", "19121312-1212", "191212121212X", "121212121", "12-12-12-12-12-12", "1912-1212-1212", "X^1"],
    ids=["check digit", "no such month", "longer", "shorter", "other form", "half apart", "a caret"],
)  # fmt: skip
def test_what_is_no_personal_number_belongs_to_its_issuer(other):
    assert A.subject("norr", other) != A.subject("syd", other)
    assert A.subject("norr", other) != A.subject("norr", ONE_PERSON[0])


def test_blanks_and_the_issuers_case_make_no_difference():
    assert A.subject("NORR", "AB  12") == A.subject("norr ", " AB 12\0")
    assert A.subject("norr", "ab 12") != A.subject("norr", "AB 12")


def test_the_form_of_a_subject():
    assert re.fullmatch(r"sub-[a-z2-7]{16}", A.subject("norr", "1"))


@given(st.lists(st.text("0123456789.", min_size=1, max_size=64), unique=True, max_size=50))
def test_uids_are_valid_and_as_many_as_before(originals):
    uids = {A.uid(original) for original in originals}
    assert len(uids) == len(originals)
    for uid in uids:
        assert re.fullmatch(r"2\.25\.(0|[1-9][0-9]{0,38})", uid)
        assert len(uid) <= 64
        assert int(uid[5:]) < 1 << 128


def test_what_a_key_gives_stays_what_it_is():
    """Pinned: a change here breaks every dataset made before, so it needs a migration, not a new expectation."""
    assert A.subject("norr", "1") == "sub-2lyk2awy3u2uiqcx"
    assert A.subject("norr", "19121212-1212") == "sub-55jxvpn7jxm6vu3h"
    assert A.uid("1.2.3") == "2.25.65036443988550963016456826037916845320"


def test_another_process_gives_the_same():
    code = (
        "from aida_pipelines.deid.pseudonym import Pseudonyms; "
        "p = Pseudonyms(bytes(range(32)), 'collection:a'); print(p.subject('norr', '1'), p.uid('1.2.3'))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.split() == [A.subject("norr", "1"), A.uid("1.2.3")]


@given(st.text(max_size=20), st.text(max_size=20))
def test_another_key_gives_other_pseudonyms(issuer, patient_id):
    assert A.subject(issuer, patient_id) != B.subject(issuer, patient_id)
    assert A.uid(patient_id) != B.uid(patient_id)


DOMAINS = st.text("abcdefghijklmnopqrstuvwxyz0123456789:-", min_size=1, max_size=30)


@given(DOMAINS, DOMAINS, st.lists(st.text(min_size=1, max_size=20), unique=True, min_size=1, max_size=20))
def test_two_domains_of_a_key_have_nothing_in_common_and_one_domain_everything(one, other, names):
    first, second = (Pseudonyms(KEY, domain) for domain in (one, other))
    subjects = [{each.subject("norr", name) for name in names} for each in (first, second)]
    uids = [{each.uid(name) for name in names} for each in (first, second)]
    if one == other:
        assert (subjects[0], uids[0]) == (subjects[1], uids[1])
    else:
        assert subjects[0].isdisjoint(subjects[1])
        assert uids[0].isdisjoint(uids[1])


def test_offsets_of_two_domains_are_related_by_chance_only():
    first, second = (Shift(Pseudonyms(KEY, f"collection:{name}")) for name in "ab")
    same = sum(first.offset(f"sub-{n}") == second.offset(f"sub-{n}") for n in range(10_000))
    assert same < 12  # 1.4 are expected of 7,300 possible offsets


def test_a_domain_has_a_name_and_a_key_32_bytes():
    for key, domain in ((KEY, ""), (KEY[:31], "a")):
        with pytest.raises(ValueError, match="has"):
            Pseudonyms(key, domain)


def test_keys_are_not_shown():
    assert "00010203" not in repr(A).replace(" ", "")
    assert repr(KEY) not in repr(A)


def test_tokens_tell_apart_and_say_nothing():
    tokens = {A.token(kind, value) for kind in ("device", "code") for value in ("1", "2", "SN-4711")}
    assert len(tokens) == 6
    assert all(re.fullmatch(r"[a-z2-7]{16}", token) for token in tokens)
    assert A.token("device", "1") == Pseudonyms(KEY, A.domain).token("device", "1")
    assert A.token("device", "1") != Pseudonyms(bytes(32), A.domain).token("device", "1")
