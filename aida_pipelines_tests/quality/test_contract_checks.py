"""Tables against their contracts: a broken rule fails its own check, only that, and shows nobody's values."""

import logging
import re
import subprocess
import sys
from datetime import date

import polars as pl
import pytest

from aida_pipelines.contracts.documents import Problems, read_document
from aida_pipelines.contracts.load import load_contracts
from aida_pipelines.contracts.odcs import table_contract
from aida_pipelines.contracts.table import Rule
from aida_pipelines.errors import ContractError
from aida_pipelines.quality import contract_checks
from aida_pipelines.quality.contract_checks import check_table
from aida_pipelines.quality.expectations import evaluate
from aida_pipelines_tests.harmonise.conftest import CHECKOUT

TABLES = ("instances", "series", "studies", "subjects", "volumes", "unmapped_terms", "quality")
SHIPPED = load_contracts(CHECKOUT / "data_contracts")


def failed(contract, frame):
    return {result.name for result in check_table(contract, frame.lazy()) if not result.passed}


# --- real tables ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TABLES)
def test_what_the_stages_write_meets_its_contract_and_every_rule_was_asked(table, name):
    contract, frame = SHIPPED.table(name), table(name)
    results = check_table(contract, frame.lazy())
    assert [result.name for result in results if not result.passed] == []
    asked = ["columns", "types", *(f"required.{column}" for column in contract.required)]
    asked += [key.name for key in contract.keys] + [rule.name for rule in contract.rules]
    assert sorted(result.name for result in results) == sorted(asked)
    for result in results:
        assert result.description
        assert result.observed.get("rows", frame.height) >= frame.height or result.name == "length"


def put(frame, column, value):
    """The table with another value in the first row of one column."""
    kind = frame.schema[column]
    changed = pl.Series(column, [value, *frame[column].to_list()[1:]], dtype=kind)
    return frame.with_columns(changed)


def broken(frame, rule):
    """The table with one value that breaks a rule of its contract."""
    kwargs, column = rule.kwargs, rule.columns[0]
    kind = rule.expectation.removeprefix("expect_column_")
    if kind == "values_to_match_regex":
        bad = "§ not this"
    elif kind == "values_to_be_between":
        low, high = kwargs.get("min_value"), kwargs.get("max_value")
        bad = low - 1 if low is not None else high + 1
    elif kind == "values_to_be_in_set":
        bad = "§ not this"
    elif kind == "value_lengths_to_be_between":
        bad = [1] * (kwargs["max_value"] + 1)
    else:
        pytest.fail(f"how is {kind} broken?")
    return put(frame, column, [bad] if rule.items else bad)


@pytest.mark.parametrize(
    ("name", "rule"),
    [(name, rule) for name in TABLES for rule in SHIPPED.table(name).rules],
    ids=lambda value: getattr(value, "name", value),
)
def test_every_rule_on_values_broken_on_purpose_fails_exactly_its_check(table, name, rule):
    contract, frame = SHIPPED.table(name), table(name)
    results = check_table(contract, broken(frame, rule).lazy())
    found = [result for result in results if not result.passed]
    assert [result.name for result in found] == [rule.name]
    assert found[0].observed["unexpected"] == 1
    assert found[0].severity == rule.severity


@pytest.mark.parametrize("name", TABLES)
def test_missing_required_values_fail_their_own_checks_and_no_other(table, name):
    contract, frame = SHIPPED.table(name), table(name)
    for column in contract.required[1:]:
        frame = put(frame, column, None)
    found = [result for result in check_table(contract, frame.lazy()) if not result.passed]
    assert [result.name for result in found] == [f"required.{column}" for column in contract.required[1:]]
    assert all(result.observed == {"rows": frame.height, "missing": 1} for result in found)


@pytest.mark.parametrize("name", TABLES)
def test_a_row_that_is_there_twice_fails_exactly_the_keys(table, name):
    contract, frame = SHIPPED.table(name), table(name)
    assert failed(contract, pl.concat([frame, frame.head(1)])) == {key.name for key in contract.keys}


def test_only_the_key_that_is_repeated_fails(table):
    contract, frame = SHIPPED.table("series"), table("series")
    twice = pl.concat([frame, put(frame.head(1), "series_instance_uid", "1.2.3")])
    assert failed(contract, twice) == set()


@pytest.mark.parametrize("name", TABLES)
def test_a_missing_and_an_unknown_column_fail_the_check_of_columns_alone(table, name):
    contract, frame = SHIPPED.table(name), table(name)
    assert failed(contract, frame.with_columns(pl.lit(1).alias("extra"))) == {"columns"}
    gone = frame.drop(frame.columns[-1])
    results = {result.name: result for result in check_table(contract, gone.lazy())}
    assert [name for name, result in results.items() if not result.passed] == ["columns"]
    assert f"Missing: {frame.columns[-1]}." in results["columns"].description


def test_a_column_of_another_type_fails_types_and_says_how_many_rules_it_silenced(table):
    contract, frame = SHIPPED.table("series"), table("series")
    frame = frame.with_columns(pl.col("instances").cast(pl.String))
    (found,) = [r for r in check_table(contract, frame.lazy()) if not r.passed]
    assert found.name == "types"
    assert found.observed["wrong"] == 1
    assert found.observed["rules_not_evaluated"] == len(
        [r for r in contract.rules if "instances" in r.columns]
    )
    assert "instances (wanted Int64)" in found.description


# --- kinds of rules that no shipped contract needs yet ----------------------------------------------

THINGS = """\
apiVersion: v3.0.2
kind: DataContract
id: things
name: things
version: 1.0.0
status: active
description: {purpose: To be tested.}
customProperties:
  - {property: zone, value: refined}
  - {property: orderBy, value: [id]}
schema:
  - name: things
    properties:
      - {name: id, logicalType: string, description: x, primaryKey: true}
      - {name: word, logicalType: string, description: x, unique: true, logicalTypeOptions: {minLength: 2, maxLength: 12}}
      - {name: kind, logicalType: string, description: x, enum: [{value: CT}, {value: MR}]}
      - {name: size, logicalType: integer, description: x, enum: [{value: 1}, {value: 2}]}
      - {name: flag, logicalType: boolean, description: x}
      - {name: code, logicalType: string, description: x, logicalTypeOptions: {pattern: "^[A-Z]{2}$"}}
      - {name: first, logicalType: date, description: x, logicalTypeOptions: {minimum: 2000-01-01, exclusiveMaximum: 2030-01-01}}
      - {name: last, logicalType: date, description: x}
      - {name: part, logicalType: number, description: x, logicalTypeOptions: {exclusiveMinimum: 0, maximum: 1}}
      - {name: words, logicalType: array, description: x, logicalTypeOptions: {minItems: 1, maxItems: 3},
         items: {logicalType: string, logicalTypeOptions: {pattern: "^[a-z]+$"}}}
    quality:
      - name: order
        type: custom
        engine: great-expectations
        severity: warning
        implementation:
          type: expect_column_pair_values_a_to_be_greater_than_b
          kwargs: {column_A: last, column_B: first, or_equal: true}
      - name: never-xx
        type: custom
        engine: great-expectations
        implementation: {type: expect_column_values_to_not_be_in_set, kwargs: {column: code, value_set: [XX]}}
      - name: mostly-flagged
        type: custom
        engine: great-expectations
        implementation: {type: expect_column_values_to_not_be_null, kwargs: {column: flag, mostly: 0.5}}
      - {name: few, type: library, metric: rowCount, mustBeBetween: [1, 5]}
"""
RULES = {"length.word", "values.kind", "values.size", "pattern.code", "range.first", "range.part", "length.words",
         "pattern.words[]", "order", "never-xx", "mostly-flagged", "few", "primary_key", "unique.word"}  # fmt: skip


@pytest.fixture(scope="module")
def things(tmp_path_factory):
    path = tmp_path_factory.mktemp("things") / "things.odcs.yaml"
    path.write_text(THINGS)
    problems = Problems()
    contract = table_contract(read_document(path, path.name, problems), problems)
    problems.raise_any()
    return contract


def rows(**changes):
    """Four rows that keep every rule, and changes to single rows: ``column={row: value}``."""
    found = [
        {"id": str(n), "word": f"word{n}", "kind": "CT", "size": 1, "flag": True, "code": "AB",
         "first": date(2020, 1, 1 + n), "last": date(2021, 1, 1), "part": 0.5, "words": ["a", "b"]}
        for n in range(4)
    ]  # fmt: skip
    for column, values in changes.items():
        for row, value in values.items():
            found[row][column] = value
    return found


def frame_of(contract, found):
    return pl.DataFrame(found, schema=contract.polars_schema)


def test_sound_rows_keep_every_rule(things):
    assert failed(things, frame_of(things, rows())) == set()
    assert {result.name for result in check_table(things, frame_of(things, rows()).lazy())} >= RULES


@pytest.mark.parametrize(
    ("changes", "check"),
    [
        ({"word": {1: "x"}}, "length.word"),
        ({"word": {1: "x" * 13}}, "length.word"),
        ({"word": {1: "word0"}}, "unique.word"),
        ({"id": {1: "0"}}, "primary_key"),
        ({"kind": {2: "PT"}}, "values.kind"),
        ({"size": {2: 3}}, "values.size"),
        ({"code": {0: "abc"}}, "pattern.code"),
        ({"code": {0: "ABC"}}, "pattern.code"),
        ({"code": {0: "AB\n"}}, "pattern.code"),
        ({"code": {0: "AB\nCD"}}, "pattern.code"),
        ({"code": {0: "XX"}}, "never-xx"),
        ({"first": {3: date(1999, 12, 31)}}, "range.first"),
        ({"first": {3: date(2030, 1, 1)}, "last": {3: date(2031, 1, 1)}}, "range.first"),
        ({"part": {3: 0.0}}, "range.part"),
        ({"part": {3: 1.0001}}, "range.part"),
        ({"part": {3: float("nan")}}, "range.part"),
        ({"part": {3: float("inf")}}, "range.part"),
        ({"words": {3: []}}, "length.words"),
        ({"words": {3: ["a"] * 4}}, "length.words"),
        ({"words": {3: ["a", "B"]}}, "pattern.words[]"),
        ({"last": {3: date(2019, 1, 1)}}, "order"),
        ({"flag": dict.fromkeys((0, 1, 2))}, "mostly-flagged"),
    ],
)  # fmt: skip
def test_each_kind_of_rule_broken_on_purpose_fails_exactly_its_check(things, changes, check):
    assert failed(things, frame_of(things, rows(**changes))) == {check}


@pytest.mark.parametrize(
    "changes",
    [
        {"word": {1: "xx"}},
        {"word": {1: "å" * 12}},
        {"first": {3: date(2000, 1, 1)}},
        {"first": {3: date(2021, 1, 1)}},
        {"part": {3: 1.0}},
        {"words": {3: ["a", "b", "c"]}},
        {"flag": dict.fromkeys((0, 1))},
    ],
)
def test_the_bounds_themselves_are_kept_or_broken_as_the_contract_says(things, changes):
    assert failed(things, frame_of(things, rows(**changes))) == set()


@pytest.mark.parametrize("column", ["word", "kind", "size", "code", "first", "last", "part", "words"])
def test_a_rule_on_values_says_nothing_of_missing_ones(things, column):
    frame = frame_of(things, rows(**{column: {1: None}}))
    assert failed(things, frame) == set()
    assert failed(things, frame_of(things, rows(**{column: dict.fromkeys(range(4))}))) == set()


def test_an_item_that_is_missing_in_a_list_is_no_broken_one(things):
    assert failed(things, frame_of(things, rows(words={1: ["a", None]}))) == set()


@pytest.mark.parametrize(("many", "passed"), [(0, False), (1, True), (4, True)])
def test_the_number_of_rows_is_checked(things, many, passed):
    results = {r.name: r for r in check_table(things, frame_of(things, rows()[:many]).lazy())}
    assert results["few"].passed is passed
    assert results["few"].observed == {"rows": many}
    assert "at least 1 and at most 5" in results["few"].description


def test_a_rule_that_only_warns_says_so(things):
    frame = frame_of(things, rows(last={3: date(2019, 1, 1)}))
    (found,) = [r for r in check_table(things, frame.lazy()) if not r.passed]
    assert found.severity == "warn"


def test_a_table_in_parts_is_judged_as_a_whole(things, monkeypatch):
    found = rows(kind={0: "PT", 3: "PT"}, words={1: ["B"]}, flag=dict.fromkeys((0, 3)), id={3: "0"})
    whole = check_table(things, frame_of(things, found).lazy())
    monkeypatch.setattr(contract_checks, "PART_ROWS", 1)
    assert check_table(things, frame_of(things, found).lazy()) == whole
    assert {r.name for r in whole if not r.passed} == {"values.kind", "pattern.words[]", "primary_key"}


# --- nothing in silence, nothing shown --------------------------------------------------------------


@pytest.mark.parametrize(
    ("expectation", "kwargs"),
    [
        ("expect_nothing_at_all", {"column": "word"}),
        ("expect_column_values_to_be_betwen", {"column": "size", "min_value": 1}),
        ("expect_column_values_to_be_between", {"column": "size", "min_vlaue": 1}),
        ("expect_column_values_to_be_between", {"column": "size"}),
        ("expect_column_values_to_match_regex", {"column": "word", "regex": "("}),
        ("expect_column_values_to_be_between", {"column": "word", "min_value": 1}),
    ],
)
def test_a_rule_that_great_expectations_would_drop_or_cannot_evaluate_is_an_error(
    things, expectation, kwargs
):
    rule = Rule("own", expectation, kwargs, (kwargs["column"],), "error", "")
    with pytest.raises(ContractError, match=r"Table things, rule own: .* can't be evaluated") as raised:
        evaluate([rule], [frame_of(things, rows())], table="things")
    assert raised.value.exit_code == 2
    assert "data_contracts/tables/things.odcs.yaml" in raised.value.way_out


def test_a_sound_rule_beside_a_dropped_one_does_not_hide_it(things):
    good = Rule("good", "expect_column_values_to_not_be_null", {"column": "id"}, ("id",), "error", "")
    bad = Rule("bad", "expect_nothing_at_all", {"column": "id"}, ("id",), "error", "")
    with pytest.raises(ContractError, match="rule bad"):
        evaluate([good, bad], [frame_of(things, rows())], table="things")


NAME, NUMBER = "Exempelsson", "19121212"


def test_no_value_of_a_table_is_in_results_logs_or_on_the_screen(things, caplog, capfd):
    frame = frame_of(
        things,
        rows(
            id={1: NUMBER, 2: NUMBER}, word={1: NAME * 3, 2: NAME * 3}, kind={1: NAME}, code={1: NAME},
            size={1: int(NUMBER)}, part={1: float(NUMBER)}, words={1: [NAME]}, first={1: date(1912, 12, 12)},
        ),
    )  # fmt: skip
    with caplog.at_level(logging.DEBUG):
        results = check_table(things, frame.lazy())
    assert len([r for r in results if not r.passed]) >= 8
    told = "".join([repr(results), caplog.text, *capfd.readouterr()])
    assert not re.search(f"{NAME}|{NUMBER}|1912", told)


def test_no_value_is_in_the_error_of_a_rule_that_cannot_be_evaluated(things, caplog, capfd):
    rule = Rule(
        "own",
        "expect_column_values_to_be_between",
        {"column": "word", "min_value": 1},
        ("word",),
        "error",
        "",
    )
    with caplog.at_level(logging.DEBUG), pytest.raises(ContractError) as raised:
        evaluate([rule], [frame_of(things, rows(word={1: NAME}))], table="things")
    chain = [raised.value, raised.value.__cause__]
    told = "".join([*map(repr, chain), *map(str, chain), caplog.text, *capfd.readouterr()])
    assert NAME not in told


@pytest.mark.parametrize(
    "code",
    [
        "import aida_pipelines.quality.contract_checks, aida_pipelines.quality.stage",
        "from pathlib import Path; from aida_pipelines.contracts.load import load_contracts; "
        f"load_contracts(Path({str(CHECKOUT / 'data_contracts')!r}))",
    ],
)
def test_great_expectations_and_pandas_are_not_imported_before_rows_are_checked(code):
    heavy = "[n for n in ('great_expectations', 'pandas', 'dagster') if n in sys.modules]"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; {code}; print({heavy})"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"
