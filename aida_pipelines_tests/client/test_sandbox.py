"""A user's SQL may come from anywhere: it reads the tables that it was given and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aida_pipelines.client import sandbox
from aida_pipelines.errors import UsageError

SECRET = "a-secret-of-the-user"
outside = SECRET  # a variable that DuckDB would find by its name, if it were let

ESCAPES = [
    "SELECT * FROM read_text('{file}')",
    "SELECT * FROM '{file}'",
    "FROM read_csv('{file}', header=false)",
    "FROM read_blob('{file}')",
    "FROM read_json('{file}')",
    "FROM read_parquet('{zone}/index.parquet')",
    "FROM glob('{folder}/*')",
    "FROM sniff_csv('{file}')",
    "FROM query('FROM read_text(''{file}'')')",
    "SELECT (SELECT content FROM read_text('{file}'))",
    "EXPLAIN ANALYZE COPY (SELECT 1) TO '{folder}/written'",
    "SELECT * FROM 'http://127.0.0.1:9/x.parquet'",
    "SELECT * FROM outside",
    "SELECT getenv('HOME')",
]

STATEMENTS = [
    "COPY (SELECT 1) TO '{folder}/written'",
    "COPY series FROM '{file}'",
    "EXPORT DATABASE '{folder}/written'",
    "ATTACH '{folder}/written'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SET enable_external_access=true",
    "RESET lock_configuration",
    "PRAGMA enable_external_access=true",
    "CREATE TABLE x AS SELECT 1",
    "DROP VIEW series",
    "INSERT INTO series VALUES (1)",
    "SELECT 1; COPY (SELECT 1) TO '{folder}/written'",
    "CALL pragma_version()",
    "",
    ";",
    "nonsense",
]


@pytest.fixture
def places(tmp_path, release_to_read):
    (tmp_path / "secret.txt").write_text(SECRET)
    return {"file": tmp_path / "secret.txt", "folder": tmp_path, "zone": release_to_read.home / "curated"}


def untouched(places):
    return [path.name for path in places["folder"].iterdir()] == ["secret.txt"]


@pytest.mark.parametrize("sql", ESCAPES)
def test_a_query_reads_no_file_no_network_no_variable(dataset, places, sql):
    with pytest.raises(UsageError) as refused:
        dataset.sql(sql.format(**places))
    assert SECRET not in str(refused.value)
    assert untouched(places)


@pytest.mark.parametrize("sql", STATEMENTS)
def test_only_one_query_is_taken_and_nothing_else(dataset, places, sql):
    with pytest.raises(UsageError) as refused:
        dataset.sql(sql.format(**places))
    assert refused.value.exit_code == 2
    assert untouched(places)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1 AS x;",
        "-- asked by a colleague\nSELECT 1",
        "WITH t AS (SELECT 1) FROM t",
        "VALUES (1)",
        "FROM series",
        "DESCRIBE SELECT * FROM series",
        "SUMMARIZE series",
        "EXPLAIN SELECT * FROM series",
        "SHOW TABLES",
    ],
)
def test_every_form_of_a_question_is_answered(dataset, sql):
    assert dataset.sql(sql).height > 0


@pytest.mark.parametrize(
    "where",
    [
        "(SELECT count(*) FROM read_text('{file}')) > 0",
        "EXISTS (FROM '{file}')",
        "1=1) UNION SELECT 'x' FROM read_text('{file}') --",
        "1=1; COPY (SELECT 1) TO '{folder}/written'",
        "modality = (SELECT content FROM read_text('{file}'))",
        "count(*) > 1",
        "no_such_column = 1",
        "",
        "modality =",
        "series_description::INTEGER = 1",
    ],
)
def test_where_is_one_condition_over_series_and_reads_nothing_else(dataset, places, tmp_path_factory, where):
    dest = tmp_path_factory.mktemp("pull") / "out"
    with pytest.raises(UsageError) as refused:
        dataset.pull(dest, where=where.format(**places))
    assert SECRET not in str(refused.value)
    assert not dest.exists()
    assert untouched(places)


@given(st.text(alphabet=st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_a_literal_is_the_text_whatever_it_holds(text):
    import duckdb

    with duckdb.connect() as db:
        assert db.sql(f"SELECT {sandbox.literal(text)}").fetchall() == [(text,)]
