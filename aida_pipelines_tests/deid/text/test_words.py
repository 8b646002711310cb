"""Ordinary words are told from names by dictionaries, in their inflected forms and as compounds."""

import pytest

from aida_pipelines.deid.text.words import Words


@pytest.fixture(scope="module")
def words(tokens):
    return Words(tokens)


@pytest.mark.parametrize(
    "word",
    ["patienten", "metastaser", "ventriklarna", "njurbäckenvidgning", "lymfkörtlar", "diffusionsinskränkning", "the", "shows",
     "enlarged", "bukaorta", "hjärtförstoring", "är", "kontrastuppladdning"],
)  # fmt: skip
def test_inflected_and_compound_words_are_ordinary(words, word):
    assert words.ordinary(word)


@pytest.mark.parametrize(
    "word",
    [
        "svensson",
        "bergström",
        "lindkvist",
        "åkesson",
        "eriksdotter",
        "tjelvander",
        "kowalczyk",
        "karlsson",
        "warsame",
        "vobrink",
    ],
)
def test_names_are_no_ordinary_words_though_their_parts_may_be(words, word):
    assert not words.ordinary(word)


@pytest.mark.parametrize("word", ["björk", "sten", "stig", "hans", "axel", "lund", "anna", "oliver"])
def test_words_that_are_names_as_well_are_known_for_it(words, word):
    assert words.may_be_name(word)


@pytest.mark.parametrize("word", ["lever", "normal", "patienten", "hon", "it", "inflammation"])
def test_common_words_are_no_names(words, word):
    assert not words.may_be_name(word)
