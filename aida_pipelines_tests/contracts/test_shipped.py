"""Every contract that ships loads, and says what the rest of the program relies on."""

import re
from hashlib import sha256

import duckdb
import polars as pl
import pyarrow as pa
import pytest
from pydicom.datadict import tag_for_keyword

from aida_pipelines.contracts.collection import GateCheck
from aida_pipelines.errors import NotFoundError
from aida_pipelines.quality.checks import CHECKS
from aida_pipelines_tests.contracts.conftest import CHECKOUT

ROOT = CHECKOUT / "data_contracts"
TABLES = sorted(path.name.removesuffix(".odcs.yaml") for path in (ROOT / "tables").iterdir())
COLLECTIONS = sorted(path.stem for path in (ROOT / "collections").iterdir())


def test_every_file_of_every_folder_is_a_contract(shipped):
    for folder, found, ending in (
        ("sites", shipped.sites, ".yaml"),
        ("collections", shipped.collections, ".yaml"),
        ("deid", shipped.profiles, ".yaml"),
        ("tables", shipped.tables, ".odcs.yaml"),
        ("vocabularies", shipped.vocabularies, ".csv"),
    ):
        assert set(found) == {path.name.removesuffix(ending) for path in (ROOT / folder).iterdir()}


@pytest.mark.parametrize("name", TABLES)
def test_a_tables_arrow_polars_and_duckdb_schemas_are_one(shipped, name):
    table = shipped.table(name)
    empty = table.arrow_schema.empty_table()
    assert pl.from_arrow(empty).schema == table.polars_schema
    with duckdb.connect() as db:
        db.execute(f"CREATE TABLE t ({table.duckdb_columns})")
        described = db.sql("SELECT column_name, column_type FROM (DESCRIBE t)").fetchall()
        kinds = {"VARCHAR": pa.string(), "BIGINT": pa.int64(), "DOUBLE": pa.float64(), "BOOLEAN": pa.bool_(),
                 "DATE": pa.date32(), "TIMESTAMP WITH TIME ZONE": pa.timestamp("us", "UTC")}  # fmt: skip
        assert {
            column: pa.list_(kinds[kind.removesuffix("[]")]) if kind.endswith("[]") else kinds[kind]
            for column, kind in described
        } == {field.name: field.type for field in table.arrow_schema}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_says_what_a_row_is_what_names_it_and_how_rows_are_ordered(shipped, name):
    table = shipped.table(name)
    assert table.description
    assert table.order_by
    assert all(column.description for column in table.columns)
    assert table.arrow_schema.metadata == {
        b"contract": name.encode(),
        b"contract_version": table.version.encode(),
    }


@pytest.mark.parametrize("name", TABLES)
def test_a_column_out_of_dicom_names_an_attribute_that_exists_and_is_named_after_it(shipped, name):
    for column in shipped.table(name).columns:
        if keyword := column.custom.get("dicomKeyword"):
            assert tag_for_keyword(keyword) is not None, column.name
            assert column.name == snake_case(keyword)


def snake_case(keyword):
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", keyword)
    return words.lower()


@pytest.mark.parametrize("name", COLLECTIONS)
def test_a_collections_gates_know_their_checks_and_nothing_is_asked_twice(shipped, name):
    collection = shipped.collection(name)
    assert {gate.check for gate in collection.gates} <= set(CHECKS)
    assert set(CHECKS) == set(GateCheck)


def test_what_is_not_there_is_told_with_what_is(shipped):
    for get, there in (
        (shipped.site, "norr"),
        (shipped.collection, "ct-bulk"),
        (shipped.table, "series"),
        (shipped.profile, "basic"),
        (shipped.vocabulary, "body_part"),
    ):
        with pytest.raises(NotFoundError, match=there) as raised:
            get("nowhere")
        assert raised.value.exit_code == 2
        assert "data_contracts/" in raised.value.way_out


def test_contracts_cannot_be_changed_after_loading(shipped):
    with pytest.raises(TypeError):
        shipped.sites["x"] = shipped.site("norr")
    with pytest.raises(ValueError, match="frozen"):
        shipped.site("norr").title = "x"


def test_a_fingerprint_is_that_of_the_files_bytes(shipped):
    for contract, file in (
        (shipped.site("norr"), "sites/norr.yaml"),
        (shipped.collection("ct-bulk"), "collections/ct-bulk.yaml"),
        (shipped.profile("basic"), "deid/basic.yaml"),
        (shipped.table("series"), "tables/series.odcs.yaml"),
        (shipped.vocabulary("plane"), "vocabularies/plane.csv"),
    ):
        assert contract.fingerprint == sha256((ROOT / file).read_bytes()).hexdigest()
