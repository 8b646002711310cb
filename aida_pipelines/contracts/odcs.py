"""The Open Data Contract Standard, version 3, read into ``TableContract``.

The standard's own models (https://bitol.io/) parse the file. They ignore what they don't know and know much
that has no effect here, so two more things are asked: no unknown field at any depth, and no rule that would
not be evaluated. What a contract says, holds; a typing mistake can't turn a rule off.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, get_args

from open_data_contract_standard.model import (
    CustomProperty,
    DataQuality,
    OpenDataContractStandard,
    SchemaObject,
    SchemaProperty,
)
from pydantic import ValidationError

from aida_pipelines.contracts.documents import Document, Place, Problems, one_of, unknown_fields
from aida_pipelines.contracts.site import VERSION
from aida_pipelines.contracts.table import (
    SCALARS,
    Column,
    RowCount,
    Rule,
    Severity,
    TableContract,
    Zone,
)

API_VERSIONS = ("v3.0.2", "v3.1.0", "v3.2.0")
STATUSES = ("proposed", "draft", "active", "deprecated", "retired")

_COLUMN_NAME = re.compile(r"[a-z][a-z0-9_]*")
_SEVERITIES: dict[str | None, Severity] = {
    None: "error", "error": "error", "critical": "error", "warning": "warn", "warn": "warn", "info": "warn",
}  # fmt: skip
_RANGE = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
_OPTIONS: dict[str, tuple[str, ...]] = {
    "string": ("pattern", "minLength", "maxLength"),
    "integer": _RANGE,
    "number": _RANGE,
    "date": _RANGE,
    "timestamp": (),
    "boolean": (),
    "array": ("minItems", "maxItems"),
}
_NOT_EVALUATED = ("relationships", "properties", "map", "encryptedName", "partitioned")
_NOT_EVALUATED_OF_ITEMS = (*_NOT_EVALUATED, "required", "unique", "primaryKey", "quality", "items")
_NO_BOUNDS = {"mustNotBe", "mustNotBeBetween", "query", "rule", "arguments"}
_NOT_EVALUATED_OF_QUALITY = {
    "library": _NO_BOUNDS | {"unit", "engine", "implementation"},
    "custom": _NO_BOUNDS
    | {"unit", "metric", "mustBe", "mustBeBetween"}
    | {f"mustBe{side}" for side in ("GreaterThan", "GreaterOrEqualTo", "LessThan", "LessOrEqualTo")},
}
_BUILT_IN = ("columns", "types", "primary_key")
"""Names of the checks that every table has (``quality.contract_checks``); no rule may be taken for one."""

ROW_EXPECTATIONS = {
    "expect_column_values_to_be_between": ("column",),
    "expect_column_values_to_be_in_set": ("column",),
    "expect_column_values_to_not_be_in_set": ("column",),
    "expect_column_values_to_not_be_null": ("column",),
    "expect_column_values_to_be_null": ("column",),
    "expect_column_values_to_match_regex": ("column",),
    "expect_column_values_to_not_match_regex": ("column",),
    "expect_column_value_lengths_to_be_between": ("column",),
    "expect_column_value_lengths_to_equal": ("column",),
    "expect_column_pair_values_a_to_be_greater_than_b": ("column_A", "column_B"),
    "expect_column_pair_values_to_be_equal": ("column_A", "column_B"),
    "expect_column_pair_values_to_be_in_set": ("column_A", "column_B"),
}
"""Expectations that a custom rule may name, with the arguments that name columns. Each looks at one row at a
time, so that a table of any length is checked in parts; a test holds that Great Expectations has them all."""


def table_contract(document: Document, problems: Problems) -> TableContract | None:
    """A table's contract out of its document; None, with the reasons in ``problems``, if it is wrong."""
    noted = len(problems.found)
    unknown_fields(OpenDataContractStandard, document, problems)
    try:
        contract = OpenDataContractStandard.model_validate(document.data)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            if detail["type"] != "extra_forbidden":  # told already, with what there is
                where: Place = tuple(detail["loc"])
                problems.add(document, where, f"{detail['msg']}.")
        return None
    if len(problems.found) > noted:
        return None
    compiled = _Compiler(document, problems).table(contract)
    return compiled if len(problems.found) == noted else None


@dataclass
class _Compiler:
    """One document on its way to a ``TableContract``; notes what is wrong and goes on."""

    document: Document
    problems: Problems
    rules: list[Rule] = field(default_factory=list)
    row_counts: list[RowCount] = field(default_factory=list)

    def table(self, contract: OpenDataContractStandard) -> TableContract | None:
        self._header(contract)
        schema = contract.schema_ or []
        if len(schema) != 1:
            self._wrong(("schema",), f"must list exactly one table, not {len(schema)}.")
            return None
        table = schema[0]
        properties = table.properties or []
        if table.name != contract.name:
            self._wrong(("schema", 0, "name"), f"must be the contract's name, {contract.name}.")
        if not properties:
            self._wrong(("schema", 0), "has no properties; list the table's columns.")
        if table.relationships:
            self._wrong(("schema", 0, "relationships"), "is not evaluated; take it out.")
        columns = [
            column
            for index, item in enumerate(properties)
            if (column := self._column(item, ("schema", 0, "properties", index)))
        ]
        self._once((column.name for column in columns), ("schema", 0, "properties"), "column")
        self._table_quality(table)
        names = [column.name for column in columns]
        custom = self._custom(contract.customProperties, ("customProperties",))
        zone, order_by = self._zone(custom), self._order_by(custom, names)
        rules = [*_BUILT_IN, *(rule.name for rule in self.rules), *(rule.name for rule in self.row_counts)]
        self._once(rules, ("schema", 0), "rule")
        if zone is None:
            return None
        return TableContract(
            name=contract.name or "",
            version=contract.version or "",
            fingerprint=self.document.fingerprint,
            zone=zone,
            description=_description(contract, table),
            columns=tuple(columns),
            primary_key=_primary_key(properties),
            order_by=order_by,
            rules=tuple(self.rules),
            row_counts=tuple(self.row_counts),
        )

    # --- the contract as a whole --------------------------------------------------------------------------

    def _header(self, contract: OpenDataContractStandard) -> None:
        if contract.kind != "DataContract":
            self._wrong(("kind",), "must be DataContract.")
        if contract.apiVersion not in API_VERSIONS:
            self._wrong(("apiVersion",), f"must be one of {', '.join(API_VERSIONS)}.")
        if contract.status not in STATUSES:
            self._wrong(("status",), f"must be one of {', '.join(STATUSES)}.")
        if not re.fullmatch(VERSION, contract.version or ""):
            self._wrong(("version",), "must be a semantic version such as 1.0.0.")
        for name in ("id", "name"):
            if not getattr(contract, name):
                self._wrong((name,), "is missing.")
        if not _description(contract, contract.schema_[0] if contract.schema_ else None):
            self._wrong(("description",), "is missing: write purpose: what the table is for.")

    def _zone(self, custom: Mapping[str, Any]) -> Zone | None:
        for zone in get_args(Zone):
            if custom.get("zone") == zone:
                return zone  # type: ignore[no-any-return]
        self._wrong(("customProperties",), f"needs property zone, one of {', '.join(get_args(Zone))}.")
        return None

    def _order_by(self, custom: Mapping[str, Any], columns: list[str]) -> tuple[str, ...]:
        value = custom.get("orderBy")
        if not isinstance(value, list) or not value:
            self._wrong(("customProperties",), "needs property orderBy, a list of columns.")
            return ()
        for name in value:
            if name not in columns:
                self._wrong(("customProperties",), f"orderBy: no column {name!r}; {one_of(name, columns)}")
        return tuple(str(name) for name in value)

    # --- a column -----------------------------------------------------------------------------------------

    def _column(self, item: SchemaProperty, where: Place) -> Column | None:
        name = item.name or ""
        if not _COLUMN_NAME.fullmatch(name):
            self._wrong((*where, "name"), "must be snake_case (small letters, digits, _).")
            return None
        self._only_evaluated(item, where, _NOT_EVALUATED)
        logical, item_type = self._types(item, where)
        if not item.description:
            self._wrong(where, f"column {name} needs a description.")
        if not logical:
            return None
        self._options(name, item, where, logical, items=False)
        if logical == "array" and (item.primaryKey or item.unique):
            self._wrong(where, "an array can be no key; take primaryKey and unique out.")
        if item.items and item_type:
            self._only_evaluated(item.items, (*where, "items"), _NOT_EVALUATED_OF_ITEMS)
            self._options(name, item.items, (*where, "items"), item_type, items=True)
        for index, quality in enumerate(item.quality or []):
            self._quality(quality, (*where, "quality", index), column=name)
        custom = self._custom(item.customProperties, (*where, "customProperties"))
        return Column(
            name=name,
            logical_type=logical,
            item_type=item_type,
            description=item.description or "",
            unit=custom.get("unit"),
            required=bool(item.required),
            unique=bool(item.unique),
            classification=item.classification,
            examples=tuple(item.examples or ()),
            custom=custom,
        )

    def _only_evaluated(self, item: SchemaProperty, where: Place, unused: Iterable[str]) -> None:
        for name in unused:
            if getattr(item, name):
                self._wrong((*where, name), "is not evaluated here; take it out.")

    def _types(self, item: SchemaProperty, where: Place) -> tuple[str, str | None]:
        logical = item.logicalType or ""
        if logical not in (*SCALARS, "array"):
            self._wrong((*where, "logicalType"), f"must be one of {', '.join((*SCALARS, 'array'))}.")
            return "", None
        if logical != "array":
            if item.items:
                self._wrong((*where, "items"), f"belongs to an array; this column is a {logical}.")
            return logical, None
        inner = item.items.logicalType if item.items else None
        if inner not in SCALARS:
            self._wrong((*where, "items"), f"must give the items' logicalType: {', '.join(SCALARS)}.")
            return "", None
        return logical, inner

    def _options(self, name: str, item: SchemaProperty, where: Place, logical: str, *, items: bool) -> None:
        """``logicalTypeOptions`` and ``enum`` → rules."""
        options = item.logicalTypeOptions or {}
        at: Place = (*where, "logicalTypeOptions")
        for option in options:
            if option == "enum":
                self._wrong((*at, option), "is no option of the standard; use enum: [{value: …}] beside it.")
            elif option not in _OPTIONS[logical]:
                known = _OPTIONS[logical]
                self._wrong((*at, option), f"is not evaluated for a {logical}; {one_of(option, known)}")
        if values := [entry.value for entry in item.enum or []]:
            words = f"is one of {', '.join(map(str, values))}"
            kwargs: dict[str, Any] = {"value_set": values}
            self._add("values", name, "expect_column_values_to_be_in_set", kwargs, words, items=items)
        pattern = options.get("pattern")
        if pattern is not None and self._is_pattern(pattern, (*at, "pattern")):
            # $ alone would also match before a line feed at the value's end.
            kwargs = {"regex": rf"\A(?:{pattern})\Z"}
            words = f"matches {pattern}"
            self._add("pattern", name, "expect_column_values_to_match_regex", kwargs, words, items=items)
        bounds = self._bounds(options, ("minLength", "maxLength"), at)
        if bounds := bounds or self._bounds(options, ("minItems", "maxItems"), at):
            kwargs = {"min_value": bounds[0], "max_value": bounds[1]}
            words = f"has {_between(*bounds)} {'items' if logical == 'array' else 'characters'}"
            self._add("length", name, "expect_column_value_lengths_to_be_between", kwargs, words, items=items)
        if any(option in options for option in _RANGE):
            self._range(name, options, at, logical, items=items)

    def _range(self, name: str, options: Mapping[str, Any], at: Place, logical: str, *, items: bool) -> None:
        bounds: dict[str, Any] = {}
        for end, strict, loose in (
            ("min", "exclusiveMinimum", "minimum"),
            ("max", "exclusiveMaximum", "maximum"),
        ):
            if strict in options and loose in options:
                self._wrong((*at, strict), f"and {loose} exclude each other; keep one.")
            for option in (strict, loose):
                if option in options and self._is_bound(options[option], logical, (*at, option)):
                    value = options[option]
                    bounds[f"{end}_value"] = value if logical != "date" else date.fromisoformat(str(value))
                    bounds[f"strict_{end}"] = option == strict
        if bounds:
            words = _between(bounds.get("min_value"), bounds.get("max_value"))
            self._add("range", name, "expect_column_values_to_be_between", bounds, f"is {words}", items=items)

    def _bounds(
        self, options: Mapping[str, Any], names: tuple[str, str], at: Place
    ) -> tuple[int | None, int | None] | None:
        if not any(name in options for name in names):
            return None
        for name in names:
            value = options.get(name)
            if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 0):
                self._wrong((*at, name), "must be a whole number from 0.")
                return None
        return options.get(names[0]), options.get(names[1])

    def _is_bound(self, value: object, logical: str, at: Place) -> bool:
        if logical == "date":
            try:
                date.fromisoformat(str(value))
            except ValueError:
                self._wrong(at, "must be a date, YYYY-MM-DD.")
                return False
            return True
        kinds = int if logical == "integer" else (int, float)
        if not isinstance(value, kinds) or isinstance(value, bool):
            self._wrong(at, f"must be a {'whole ' if logical == 'integer' else ''}number.")
            return False
        return True

    def _is_pattern(self, pattern: object, at: Place) -> bool:
        try:
            re.compile(str(pattern))
        except re.error as error:
            self._wrong(at, f"is no regular expression: {error}.")
            return False
        if not (str(pattern).startswith("^") and str(pattern).endswith("$")):
            self._wrong(at, "must say what the whole value is: begin with ^ and end with $.")
            return False
        return True

    def _add(
        self, kind: str, column: str, expectation: str, kwargs: dict[str, Any], words: str, *, items: bool
    ) -> None:
        subject = f"{column}[]" if items else column
        self.rules.append(
            Rule(
                name=f"{kind}.{subject}",
                expectation=expectation,
                kwargs={"column": column, **kwargs},
                columns=(column,),
                severity="error",
                description=f"{'Each item of ' if items else ''}{column} {words}.",
                items=items,
            )
        )

    # --- quality: ------------------------------------------------------------------------------------------

    def _table_quality(self, table: SchemaObject) -> None:
        for index, quality in enumerate(table.quality or []):
            self._quality(quality, ("schema", 0, "quality", index), column=None)

    def _quality(self, quality: DataQuality, where: Place, *, column: str | None) -> None:
        kind = quality.type or "library"
        if kind == "text":  # words for people; there is nothing to evaluate
            return
        if quality.severity not in _SEVERITIES:
            known = [name for name in _SEVERITIES if name]
            self._wrong((*where, "severity"), f"is unknown; {one_of(quality.severity, known)}")
            return
        for unused in sorted(quality.model_fields_set & _NOT_EVALUATED_OF_QUALITY.get(kind, set())):
            self._wrong((*where, unused), "is not evaluated here; take it out.")
        if not quality.name:
            self._wrong(where, "needs a name: it is what a steward sees when the rule is broken.")
        elif kind == "custom":
            self._custom_rule(quality, where, column)
        elif kind == "library" and quality.metric == "rowCount" and column is None:
            self._row_count(quality, where)
        else:
            self._wrong(
                where,
                "can't be evaluated; there are type custom (engine great-expectations), type text, and, for "
                "the table, metric rowCount.",
            )

    def _custom_rule(self, quality: DataQuality, where: Place, column: str | None) -> None:
        if quality.engine != "great-expectations":
            self._wrong((*where, "engine"), "must be great-expectations.")
            return
        at: Place = (*where, "implementation")
        body = quality.implementation
        if not isinstance(body, dict) or set(body) - {"type", "kwargs"} or "type" not in body:
            self._wrong(at, "must have type (an expectation) and kwargs (its arguments).")
            return
        expectation, kwargs = str(body["type"]), body.get("kwargs") or {}
        if not isinstance(kwargs, dict):
            self._wrong((*at, "kwargs"), "must be a mapping of arguments.")
            return
        kwargs = dict(kwargs)
        if expectation not in ROW_EXPECTATIONS:
            self._wrong((*at, "type"), f"is no expectation on rows; {one_of(expectation, ROW_EXPECTATIONS)}")
            return
        arguments = ROW_EXPECTATIONS[expectation]
        if column is not None and arguments == ("column",):
            kwargs.setdefault("column", column)
        for argument in arguments:
            names = [item["name"] for item in self.document.data["schema"][0]["properties"] if "name" in item]
            if kwargs.get(argument) not in names:
                self._wrong(
                    (*at, "kwargs"), f"{argument} must be a column; {one_of(kwargs.get(argument), names)}"
                )
                return
        columns = tuple(str(kwargs[argument]) for argument in arguments)
        words = quality.description or quality.name or ""
        severity = _SEVERITIES[quality.severity]
        self.rules.append(Rule(quality.name or "", expectation, kwargs, columns, severity, words))

    def _row_count(self, quality: DataQuality, where: Place) -> None:
        low, high = quality.mustBeGreaterOrEqualTo, quality.mustBeLessOrEqualTo
        if quality.mustBeBetween:
            low, high = quality.mustBeBetween
        if quality.mustBeGreaterThan is not None:
            low = quality.mustBeGreaterThan + 1
        if quality.mustBeLessThan is not None:
            high = quality.mustBeLessThan - 1
        if isinstance(quality.mustBe, int):
            low = high = quality.mustBe
        if low is None and high is None:
            self._wrong(where, "rowCount needs a bound: mustBeGreaterThan, mustBeBetween, mustBe, …")
            return
        self.row_counts.append(
            RowCount(
                quality.name or "",
                None if low is None else int(low),
                None if high is None else int(high),
                _SEVERITIES[quality.severity],
            )
        )

    # --- small things --------------------------------------------------------------------------------------

    def _custom(self, properties: list[CustomProperty] | None, where: Place) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for index, entry in enumerate(properties or []):
            if not entry.property or entry.property in result:
                self._wrong((*where, index), "needs a property name that stands once.")
            else:
                result[entry.property] = entry.value
        return result

    def _once(self, names: Iterable[str], where: Place, what: str) -> None:
        for name, count in Counter(names).items():
            if count > 1:
                self._wrong(where, f"{what} {name} is there {count} times; keep one.")

    def _wrong(self, where: Place, message: str) -> None:
        self.problems.add(self.document, where, message)


def _description(contract: OpenDataContractStandard, table: SchemaObject | None) -> str:
    purpose = contract.description.purpose if contract.description else None
    parts = (table.description if table else None, purpose)
    return "\n\n".join(part.strip() for part in parts if part)


def _primary_key(properties: list[SchemaProperty]) -> tuple[str, ...]:
    """Columns by ``primaryKeyPosition``, or in the table's order where it isn't given."""
    keyed = [(item.primaryKeyPosition or 0, index, item.name or "") for index, item in enumerate(properties)
             if item.primaryKey]  # fmt: skip
    return tuple(name for _, _, name in sorted(keyed))


def _between(low: object, high: object) -> str:
    if low is None:
        return f"at most {high}"
    return f"at least {low}" if high is None else f"{low}" if low == high else f"from {low} to {high}"
