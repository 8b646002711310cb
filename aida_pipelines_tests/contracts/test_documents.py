"""YAML as people write it: every value as they meant it, every mistake with its file, line and field."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aida_pipelines.contracts.documents import Problems, one_of, read_document


@pytest.fixture
def read(tmp_path):
    """``read(text)``: the document, and what was wrong with it."""

    def read(text):
        path = tmp_path / "it.yaml"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        problems = Problems()
        document = read_document(path, "data_contracts/it.yaml", problems)
        return document, [str(problem) for problem in problems.found]

    return read


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("true", True),
        ("null", None),
        ("~", None),
        ("12", 12),
        ("-3", -3),
        ("007", "007"),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("0x1F", "0x1F"),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("1.0.0", "1.0.0"),
        ("'12'", "12"),
        ("NORR", "NORR"),
        ("9" * 5000, "9" * 5000),
    ],
)
def test_a_plain_word_is_what_yaml_1_2_says_and_an_id_stays_a_text(read, written, meant):
    document, problems = read(f"value: {written}\n")
    assert problems == []
    assert document.data == {"value": meant}
    assert type(document.data["value"]) is type(meant)


def test_a_date_is_a_day_of_the_calendar(read):
    document, _ = read("day: 2026-02-28\n")
    assert document.data["day"].isoformat() == "2026-02-28"
    assert read("a: 1\nday: 2026-02-30\n")[1] == [
        "data_contracts/it.yaml:2: day: 2026-02-30 is no day of the calendar (YYYY-MM-DD)."
    ]


def test_every_key_and_item_knows_its_line(read):
    document, _ = read("# a comment\na: 1\nb:\n  - x: 2\n    y: 3\n  - {z: 4}\n")
    assert document.line(("a",)) == 2
    assert document.line(("b", 0, "y")) == 5
    assert document.line(("b", 1, "z")) == 6
    assert document.line(("b", 0, "nowhere")) == 4


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty; a contract begins with 'name:' and 'version:'."),
        ("# only words\n", "is empty; a contract begins with 'name:' and 'version:'."),
        ("- a\n- b\n", "must be a mapping of fields"),
        ("just words\n", "must be a mapping of fields"),
        ("a: 1\nb: [1, 2\nc: 3\n", "is not YAML"),
        ("a: 1\n\tb: 2\n", "a tab indents the line; YAML indents by spaces."),
        ("a: 1\nb: 2\na: 3\n", ":3: a: stands here a second time (first on line 1)."),
        ("base: &x {a: 1}\nb:\n  <<: *x\n", "a field's name must be a plain word."),
        ("a: *nowhere\n", "is not YAML"),
        (b"a: \xff\xfe\n", ":1: is not UTF-8; save it as UTF-8."),
        (b"a: \x00\n", "is not YAML"),
    ],
)
def test_what_cannot_be_read_is_told_in_one_line(read, text, said):
    document, (problem,) = read(text)
    assert document is None
    assert problem.startswith("data_contracts/it.yaml")
    assert said in problem
    assert "\n" not in problem


def test_a_syntax_error_has_its_line(read):
    _, (problem,) = read("name: x\nversion: 1.0.0\ntitle: 'not closed\n")
    assert problem.startswith(
        ("data_contracts/it.yaml:3: is not YAML", "data_contracts/it.yaml:4: is not YAML")
    )


@pytest.mark.parametrize(
    "text",
    [
        "a: " + "[" * 400 + "]" * 400,
        "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
        + "".join(
            f"{new}: &{new} [{', '.join(['*' + old] * 10)}]\n"
            for old, new in ["ab", "bc", "cd", "de", "ef", "fg"]
        ),
        "a: &a [*a]\n",
    ],
)
def test_a_small_file_cannot_unfold_into_a_huge_one(read, text):
    document, (problem,) = read(text)
    assert document is None
    assert "nested too deeply or too large" in problem or "is not YAML" in problem


def test_a_file_that_cannot_be_read_is_a_problem_and_no_crash(tmp_path):
    problems = Problems()
    assert read_document(tmp_path, "data_contracts/it.yaml", problems) is None
    assert "can't be read" in str(problems.found[0])


@given(st.one_of(st.binary(max_size=60), st.text(max_size=60).map(lambda t: t.encode("utf-8", "replace"))))
def test_whatever_the_bytes_there_is_a_document_or_a_problem(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(content)
    problems = Problems()
    document = read_document(path, "any.yaml", problems)
    assert (document is None) == bool(problems.found)


def test_a_near_word_is_suggested():
    assert one_of("researhc", ["basic", "research"]) == "did you mean research? There are basic, research."
    assert one_of("x", ["basic"]) == "there is basic."
    assert one_of("x", []) == "there is none yet."
