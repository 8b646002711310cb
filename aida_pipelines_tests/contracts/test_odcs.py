"""The Open Data Contract Standard → columns, schemas and rules; what can't be evaluated is refused, never ignored."""

from datetime import date
from textwrap import dedent, indent

import polars as pl
import pyarrow as pa
import pytest

from aida_pipelines.contracts.odcs import ROW_EXPECTATIONS
from aida_pipelines.contracts.table import Key, RowCount, Rule

HEADER = """\
apiVersion: v3.0.2
kind: DataContract
id: things
name: things
version: 1.2.3
status: active
description: {purpose: To be tested.}
customProperties:
  - {property: zone, value: refined}
  - {property: orderBy, value: [id]}
schema:
  - name: things
    description: One row a thing.
"""
COLUMNS = """\
- {name: id, logicalType: string, description: Id., primaryKey: true}
"""


def contract(columns="", *, quality="", header=HEADER):
    text = header + "    properties:\n" + indent(COLUMNS + dedent(columns), "      ")
    return text + ("    quality:\n" + indent(dedent(quality), "      ") if quality else "")


@pytest.fixture
def table(small):
    """``table(columns, quality=…)``: the contract of a table with a column ``id`` and these."""
    return lambda *args, **kwargs: small(contract(*args, **kwargs)).load().table("things")


@pytest.fixture
def refused(small):
    """``refused(columns, quality=…)``: what is said of a wrong one."""
    return lambda *args, **kwargs: small(contract(*args, **kwargs)).problems()


# --- columns and schemas ----------------------------------------------------------------------------


def test_every_logical_type_has_its_arrow_and_polars_type(table):
    found = table(
        """\
        - {name: n, logicalType: integer, description: x}
        - {name: x, logicalType: number, description: x}
        - {name: b, logicalType: boolean, description: x}
        - {name: d, logicalType: date, description: x}
        - {name: t, logicalType: timestamp, description: x}
        - {name: many, logicalType: array, items: {logicalType: number}, description: x}
        """
    )
    assert [(field.name, field.type) for field in found.arrow_schema] == [
        ("id", pa.string()), ("n", pa.int64()), ("x", pa.float64()), ("b", pa.bool_()), ("d", pa.date32()),
        ("t", pa.timestamp("us", "UTC")), ("many", pa.list_(pa.float64())),
    ]  # fmt: skip
    assert found.polars_schema == {
        "id": pl.String, "n": pl.Int64, "x": pl.Float64, "b": pl.Boolean, "d": pl.Date,
        "t": pl.Datetime("us", "UTC"), "many": pl.List(pl.Float64),
    }  # fmt: skip
    assert found.arrow_schema.metadata == {b"contract": b"things", b"contract_version": b"1.2.3"}


def test_a_missing_value_is_the_checks_finding_and_not_the_writers(table):
    found = table("- {name: n, logicalType: integer, description: x, required: true}\n")
    assert all(field.nullable for field in found.arrow_schema)
    assert found.required == ("id", "n")


def test_a_column_keeps_what_people_are_told_of_it(table):
    column = table(
        """\
        - name: step
          logicalType: number
          description: How far.
          classification: open
          examples: [1.5]
          customProperties:
            - {property: unit, value: mm}
            - {property: dicomKeyword, value: SliceThickness}
        """
    ).columns[1]
    assert (column.unit, column.classification, column.examples) == ("mm", "open", (1.5,))
    assert column.custom["dicomKeyword"] == "SliceThickness"


def test_keys_are_the_primary_key_in_its_order_and_every_other_unique_column(table):
    found = table(
        """\
        - {name: site, logicalType: string, description: x, primaryKey: true, primaryKeyPosition: -1}
        - {name: hash, logicalType: string, description: x, unique: true}
        """
    )
    assert found.keys == (Key("primary_key", ("site", "id")), Key("unique.hash", ("hash",)))


# --- rules ------------------------------------------------------------------------------------------


def rule(column, options):
    return f"- {{name: c, logicalType: {column}, description: x, {options}}}\n"


@pytest.mark.parametrize(
    ("column", "name", "expectation", "kwargs"),
    [
        (rule("string", "logicalTypeOptions: {pattern: '^[A-Z]+$'}"), "pattern.c", "match_regex", {"regex": r"\A(?:^[A-Z]+$)\Z"}),
        (rule("string", "enum: [{value: CT}, {value: MR}]"), "values.c", "be_in_set", {"value_set": ["CT", "MR"]}),
        (rule("integer", "enum: [{value: 1}, {value: 2}]"), "values.c", "be_in_set", {"value_set": [1, 2]}),
        (rule("integer", "logicalTypeOptions: {minimum: 1}"), "range.c", "be_between", {"min_value": 1, "strict_min": False}),
        (rule("number", "logicalTypeOptions: {exclusiveMinimum: 0, maximum: 9.5}"), "range.c", "be_between",
         {"min_value": 0, "strict_min": True, "max_value": 9.5, "strict_max": False}),
        (rule("date", "logicalTypeOptions: {minimum: 2020-01-01}"), "range.c", "be_between",
         {"min_value": date(2020, 1, 1), "strict_min": False}),
    ],
)  # fmt: skip
def test_the_standards_options_become_rules_on_values(table, column, name, expectation, kwargs):
    (found,) = table(column).rules
    assert found.name == name
    assert found.expectation == f"expect_column_values_to_{expectation}"
    assert found.kwargs == {"column": "c"} | kwargs
    assert (found.columns, found.severity, found.items) == (("c",), "error", False)
    assert found.description


def test_lengths_and_rules_on_items(table):
    found = table(
        "- {name: c, logicalType: array, description: x, logicalTypeOptions: {minItems: 2, maxItems: 2},\n"
        "   items: {logicalType: number, logicalTypeOptions: {exclusiveMinimum: 0}}}\n"
    ).rules
    assert [(r.name, r.items) for r in found] == [("length.c", False), ("range.c[]", True)]
    assert found[0].kwargs == {"column": "c", "min_value": 2, "max_value": 2}


CUSTOM = """\
- name: later
  type: custom
  engine: great-expectations
  severity: warning
  description: Last is after first.
  implementation:
    type: expect_column_pair_values_a_to_be_greater_than_b
    kwargs: {column_A: last, column_B: first, or_equal: true}
- {name: some, type: library, metric: rowCount, mustBeGreaterThan: 0}
- {name: words, type: text, description: Only for people.}
"""
PAIR = (
    "- {name: first, logicalType: date, description: x}\n- {name: last, logicalType: date, description: x}\n"
)


def test_a_tables_own_rules(table):
    found = table(PAIR, quality=CUSTOM)
    assert found.rules == (
        Rule(
            "later",
            "expect_column_pair_values_a_to_be_greater_than_b",
            {"column_A": "last", "column_B": "first", "or_equal": True},
            ("last", "first"),
            "warn",
            "Last is after first.",
        ),
    )
    assert found.row_counts == (RowCount("some", 1, None, "error"),)


@pytest.mark.parametrize(
    ("bound", "low", "high"),
    [
        ("mustBe: 3", 3, 3),
        ("mustBeGreaterOrEqualTo: 3", 3, None),
        ("mustBeLessThan: 3", None, 2),
        ("mustBeLessOrEqualTo: 3", None, 3),
        ("mustBeBetween: [1, 3]", 1, 3),
    ],
)
def test_a_number_of_rows_has_bounds(table, bound, low, high):
    (found,) = table(quality=f"- {{name: many, type: library, metric: rowCount, {bound}}}\n").row_counts
    assert (found.minimum, found.maximum) == (low, high)


# --- refused ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ("- {name: c, logicalType: text, description: x}\n", "logicalType: must be one of string, integer"),
        ("- {name: c, logicalType: string}\n", "column c needs a description."),
        ("- {name: Column, logicalType: string, description: x}\n", "name: must be snake_case"),
        ("- {name: id, logicalType: string, description: x}\n", "column id is there 2 times"),
        ("- {name: c, logicalType: array, description: x}\n", "items: must give the items' logicalType"),
        ("- {name: c, logicalType: string, description: x, items: {logicalType: string}}\n", "items: belongs to an array"),
        ("- {name: c, logicalType: object, description: x}\n", "must be one of string"),
        (rule("string", "logicalTypeOptions: {minimum: 1}"), "minimum: is not evaluated for a string"),
        (rule("string", "logicalTypeOptions: {pattern: 'A+'}"), "must say what the whole value is"),
        (rule("string", "logicalTypeOptions: {pattern: '^($'}"), "is no regular expression"),
        (rule("string", "logicalTypeOptions: {enum: [a]}"), "enum: is no option of the standard"),
        (rule("string", "logicalTypeOptions: {maxLength: many}"), "maxLength: must be a whole number from 0."),
        (rule("integer", "logicalTypeOptions: {minimum: 1.5}"), "minimum: must be a whole number."),
        (rule("number", "logicalTypeOptions: {minimum: low}"), "minimum: must be a number."),
        (rule("number", "logicalTypeOptions: {minimum: 1, exclusiveMinimum: 1}"), "exclude each other"),
        (rule("date", "logicalTypeOptions: {minimum: soon}"), "must be a date, YYYY-MM-DD."),
        (rule("string", "relationships: [{to: a.b}]"), "is not evaluated here; take it out."),
        (rule("string", "encryptedName: x"), "is not evaluated here; take it out."),
        (rule("array", "primaryKey: true, items: {logicalType: string}"), "an array can be no key"),
        (rule("array", "unique: true, items: {logicalType: string}"), "an array can be no key"),
        # rules on items that nothing would look at
        (rule("array", "items: {logicalType: string, required: true}"), "items.required: is not evaluated here"),
        (rule("array", "items: {logicalType: string, unique: true}"), "items.unique: is not evaluated here"),
        (rule("array", "items: {logicalType: string, quality: [{name: q, type: text, description: x}]}"),
         "items.quality: is not evaluated here"),
    ],
)  # fmt: skip
def test_a_column_that_would_not_be_checked_as_it_says_is_refused(refused, columns, said):
    problems = refused(columns)
    assert any(said in problem for problem in problems), problems
    assert all(problem.startswith("data_contracts/tables/things.odcs.yaml:") for problem in problems)


def custom(body, **more):
    extra = "".join(f"  {key}: {value}\n" for key, value in more.items())
    return f"- name: own\n  type: custom\n  engine: great-expectations\n{extra}  implementation: {body}\n"


@pytest.mark.parametrize(
    ("quality", "said"),
    [
        (custom("{type: expect_column_values_to_be_betwen, kwargs: {column: id}}"), "did you mean expect_column_values_to_be_between?"),
        (custom("{type: expect_column_mean_to_be_between, kwargs: {column: id}}"), "is no expectation on rows"),
        (custom("{type: expect_column_values_to_not_be_null, kwargs: {column: idd}}"), "column must be a column; did you mean id?"),
        (custom("{type: expect_column_values_to_not_be_null, kwargs: {column: id}, x: 1}"), "must have type"),
        (custom("text"), "must have type"),
        (custom("{type: expect_column_values_to_be_null, kwargs: {column: id}}", severity="fatal"), "severity: is unknown"),
        (custom("{type: expect_column_values_to_be_null, kwargs: [id]}"), "kwargs: must be a mapping of arguments."),
        (custom("{type: expect_column_values_to_be_null, kwargs: {column: id}}", mustBe=0), "mustBe: is not evaluated"),
        ("- {name: own, type: custom, engine: soda, implementation: {type: x}}\n", "engine: must be great-expectations."),
        ("- {name: own, type: sql, query: SELECT 1, mustBe: 1}\n", "can't be evaluated"),
        ("- {name: own, type: library, metric: nullValues, mustBe: 0}\n", "can't be evaluated"),
        ("- {name: own, type: library, metric: rowCount}\n", "rowCount needs a bound"),
        ("- {type: library, metric: rowCount, mustBe: 1}\n", "needs a name"),
        ("- {name: own, type: library, metric: rowCount, mustBeBetween: [1]}\n", "mustBeBetween: List should have at least 2 items"),
        ("- {name: own, type: library, metric: rowCount, mustBe: 1, mustNotBe: 2}\n", "mustNotBe: is not evaluated"),
        ("- {name: own, type: library, metric: rowCount, mustBe: 10, unit: percent}\n", "unit: is not evaluated"),
        ("- {name: own, type: library, metric: rowCount, mustBe: many}\n", "rowCount needs a bound"),
        ("- {name: own, type: library, rule: rowCount, mustBe: 1}\n", "can't be evaluated"),
        ("- {name: columns, type: library, metric: rowCount, mustBe: 1}\n", "rule columns is there 2 times"),
        ("- {name: a, type: library, metric: rowCount, mustBe: 1}\n" * 2, "rule a is there 2 times"),
    ],
)  # fmt: skip
def test_a_rule_that_would_not_be_evaluated_is_refused(refused, quality, said):
    problems = refused(quality=quality)
    assert any(said in problem for problem in problems), problems


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("kind: DataContract", "kind: Data", ":2: kind: must be DataContract."),
        ("apiVersion: v3.0.2", "apiVersion: v2.0.0", ":1: apiVersion: must be one of v3.0.2"),
        ("status: active", "status: live", ":6: status: must be one of proposed"),
        ("version: 1.2.3", "version: '1.2'", ":5: version: must be a semantic version"),
        ("id: things\n", "", "id: is missing."),
        ("value: refined", "value: cellar", "needs property zone, one of raw, refined, curated"),
        ("value: [id]", "value: [idd]", "orderBy: no column 'idd'; did you mean id?"),
        ("value: [id]", "value: id", "needs property orderBy, a list of columns."),
        ("  - name: things", "  - name: other", "must be the contract's name, things."),
        ("    description: One row a thing.\n", "    nonsense: 1\n", "schema[0].nonsense: is no field here"),
        ("schema:", "owner: {a: 1}\nschema:", "owner: is no field here"),
    ],
)
def test_a_wrong_header_is_refused(refused, old, new, said):
    assert old in HEADER
    problems = refused(header=HEADER.replace(old, new, 1))
    assert any(said in problem for problem in problems), problems


def test_two_tables_in_one_contract_are_refused(small):
    text = contract() + "  - {name: more, properties: [{name: id, logicalType: string, description: x}]}\n"
    assert "must list exactly one table, not 2." in small(text).problem()


def test_great_expectations_has_every_expectation_that_a_contract_may_name():
    import great_expectations.expectations.core  # noqa: F401 - registers them
    from great_expectations.expectations.registry import get_expectation_impl

    for name, columns in ROW_EXPECTATIONS.items():
        fields = get_expectation_impl(name).__fields__
        assert set(columns) <= set(fields), name
