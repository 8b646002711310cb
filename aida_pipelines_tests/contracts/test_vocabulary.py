"""Vocabularies: which words are the same, which rows are wrong, and where."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aida_pipelines.contracts.vocabulary import Term, Vocabulary, load_vocabulary, normalise
from aida_pipelines.errors import ContractError

HEADER = "term,value,code,scheme,source\n"


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("Huvud-Hals_2,0 ÖNH", "huvud hals 2 0 onh"),
        ("HJÄRNA", "hjarna"),
        ("hja\u0308rna", "hjarna"),
        ("Ångström", "angstrom"),
        ("Bjørn & Æble", "bjorn able"),
        ("  t2__TSE\t", "t2 tse"),
        ("***", ""),
    ],
)
def test_case_accents_and_separators_do_not_count(said, words):
    assert normalise(said) == words


@given(st.text())
def test_normal_words_are_normal(text):
    assert normalise(normalise(text)) == normalise(text)


def vocabulary(*terms):
    return Vocabulary("x", "0" * 64, {normalise(t): Term(normalise(t), t, "", "", "usage") for t in terms})


def test_the_longest_words_win_and_none_is_used_twice():
    found = vocabulary("head", "neck", "head neck", "t2").search("CT Head-Neck T2, neck")
    assert [term.value for term in found] == ["head neck", "t2", "neck"]


@given(st.lists(st.sampled_from(["head", "neck", "head neck", "chest wall", "x"]), max_size=6))
def test_a_search_finds_only_whole_words_that_are_there(words):
    text = " ".join(words)
    found = [term.term for term in vocabulary("head", "neck", "head neck", "chest wall").search(text)]
    assert " ".join(found).split() == [word for word in text.split() if word != "x"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "vocabularies/words.csv:1: header: columns are term,value,code,scheme,source"),
        ("term,value\na,b\n", "vocabularies/words.csv:1: header: columns are"),
        (HEADER + "a,b,,,usage\n\nc,,,,usage\n", "vocabularies/words.csv:4: value: is empty"),
        (HEADER + "***,b,,,usage\n", "vocabularies/words.csv:2: term: is empty"),
        (HEADER + "a,b,,,\n", "vocabularies/words.csv:2: source: is empty"),
        (HEADER + "a,b,123,,usage\n", "vocabularies/words.csv:2: scheme: code and scheme come together"),
        (HEADER + "a,b,,SCT,usage\n", "vocabularies/words.csv:2: code: code and scheme come together"),
        (HEADER + "a,b,usage\n", "vocabularies/words.csv:2: row: 3 cells instead of 5"),
        (HEADER + "a,b,,,usage\nÅ,c,,,usage\n", "vocabularies/words.csv:3: term: 'a' is there twice"),
        (HEADER + 'a,"b"c,,,usage\n', "vocabularies/words.csv:2: row:"),
        (b"term,value,code,scheme,source\n\xe5,b,,,usage\n", "vocabularies/words.csv:2: is not UTF-8"),
    ],
)
def test_a_wrong_row_is_told_with_its_file_line_and_field(folder, content, said):
    folder.write("vocabularies/words.csv", content)
    assert folder.problem().startswith(f"data_contracts/{said}")


def test_all_wrong_rows_are_told_at_once(folder):
    folder.write("vocabularies/words.csv", HEADER + "a,,,,usage\nb,b,1,,usage\nc,c,,,usage\nc,d,,,usage\n")
    assert [problem.split(": ")[0] for problem in folder.problems()] == [
        f"data_contracts/vocabularies/words.csv:{line}" for line in (2, 3, 5)
    ]


def test_a_byte_order_mark_of_a_spreadsheet_is_no_part_of_the_header(folder):
    folder.write("vocabularies/words.csv", b"\xef\xbb\xbf" + (HEADER + "å,b,,,usage\n").encode())
    assert folder.load().vocabulary("words").exact("Å").value == "b"


def test_one_file_can_be_read_alone(tmp_path):
    path = tmp_path / "words.csv"
    path.write_text(HEADER + "a,b,1,SCT,usage\n")
    assert load_vocabulary(path).exact("A") == Term("a", "b", "1", "SCT", "usage")
    path.write_text(HEADER + "a,b,1,,usage\n")
    with pytest.raises(ContractError, match=r"words\.csv:2: scheme"):
        load_vocabulary(path)


def test_a_changed_file_is_another_version(tmp_path):
    path = tmp_path / "words.csv"
    path.write_text(HEADER + "a,b,,,usage\n")
    first = load_vocabulary(path)
    path.write_text(HEADER + "a,c,,,usage\n")
    second = load_vocabulary(path)
    assert first.version != second.version
    assert first.fingerprint.startswith(first.version)
