"""What is known of a person is found in every spelling; what only looks like a part of it is not."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aida_pipelines.deid.text.dates import ways_to_write
from aida_pipelines.deid.text.known import Known

KNOWN = Known(
    names=("Påhittsdotter^Åsa Örjana^^^", "Testsson, Bo"),
    ids=("18921213-9810", "EXACC004711", "004712", "47"),
    dates=("18921213",),
    telephones=("+46 (0)70-174 06 11",),
    places=("Tallbacksvägen 11 B^Ekberga", "Exempelsjukhuset i Norr"),
)
NAMES = [
    "Åsa", "ÅSA", "åsa", "Asa", "Aasa", "AASA", "A\u030asa", "Åsas", "Åsa's", "Påhittsdotter", "PAHITTSDOTTER",
    "Paahittsdotter", "Påhittsdotters", "P å h i t t s d o t t e r", "Påhitts\u00addotter", "Ｐåhittsdotter",
    "Orjana", "Oerjana", "åsapåhittsdotter", "ÅPåhittsdotter", "Bo", "bos", "Testsson", "T.e.s.t.s.s.o.n", "Å.P.",
    "P. Å.", "B.T.",
]  # fmt: skip
NUMBERS = [
    "18921213-9810", "189212139810", "9212139810", "921213-9810", "921213+9810", "1892 12 13 98 10", "9810",
    "1892\u20131213\u20139810", "EXACC004711", "exacc 004711", "EXACC-00-4711", "004712", "4712", "070-174 06 11",
    "0701740611", "+46701740611", "0046 70 174 06 11", "070/174.06.11",
]  # fmt: skip
PLACES = [
    "Tallbacksvägen 11 B", "TALLBACKSVAGEN 11 B", "tallbacksvägen", "Ekberga", "Ekbergas", "Exempelsjukhuset i Norr",
    "exempelsjukhuset  i  norr",
]  # fmt: skip


@pytest.mark.parametrize("written", [*NAMES, *NUMBERS, *PLACES, *ways_to_write(date(1892, 12, 13))])
@pytest.mark.parametrize("around", ["{}", "T1 ax {} +Gd", "({})", "_{}_"])
def test_found_in_every_spelling(written, around):
    assert KNOWN.without(around.format(written)).split() == around.format(" ").split()


@pytest.mark.parametrize(
    "text", ["pat_påhittsdotter2", "påhittsdotterÅsa", "xTestssonx", "pnr189212139810x", "aEXACC004711b"]
)
def test_what_is_long_is_found_within_other_letters(text):
    left = KNOWN.without(text).casefold()
    assert not any(part in left for part in ("påhitt", "testsson", "9810", "4711"))


@pytest.mark.parametrize(
    "text",
    [
        "T1 ax +Gd",
        "bok",
        "boende",
        "asabest",
        "47",
        "471",
        "147120",
        "98100",
        "1892",
        "ekberg",
        "b.t",
        "12/14",
        "13",
    ],
)
def test_what_is_only_alike_stays(text):
    assert KNOWN.without(text) == text


@pytest.mark.parametrize("value", ["", "^^^^", "-", "0", "Anonymous", "?", "\\", "(", "[", "Å", "1"])
def test_a_value_that_says_nothing_takes_nothing(value):
    known = Known((value,), (value,), (value,), (value,), (value,))
    assert known.without("Thorax 120 kV, 1900-01-01 ?") == "Thorax 120 kV, 1900-01-01 ?"


def test_an_institution_of_three_letters_takes_no_makers_name():
    assert Known(places=("UIH",)).without("UIH uMR 770") == "UIH uMR 770"


@given(st.text(max_size=30), st.text(max_size=30))
def test_any_value_and_any_text_are_bearable(value, text):
    known = Known((value,), (value,), (value,), (value,), (value,))
    for place in known.find(text):
        assert 0 <= place.start < place.stop <= len(text)


LETTERS = st.text(st.sampled_from("abcdefghijklmnoprstuvyåäöé"), min_size=3, max_size=12).filter(
    lambda name: name not in ("none", "null")
)


@given(LETTERS, LETTERS, st.sampled_from([" {} ", "({})", "{}s", "{}, 64", "DT_{}_1"]))
def test_any_name_is_found_whatever_its_letters(family, given_name, around):
    known = Known(names=(f"{family}^{given_name}",))
    for name in (family, given_name, family.upper(), family.title()):
        assert name.casefold() not in known.without(around.format(name)).casefold().split()
