"""SQL over the refined zone: over its tables as they are, and over one DuckDB file that is built from them."""

import shutil

import duckdb
import pytest

from aida_pipelines.errors import UsageError
from aida_pipelines.stages import Stage
from aida_pipelines.storage.receipts import list_receipts
from aida_pipelines.storage.s3 import S3Store
from aida_pipelines.warehouse.build import WAREHOUSE_KEY, build_warehouse, inputs
from aida_pipelines.warehouse.query import query, refined_tables
from aida_pipelines_tests.zones import COLLECTION, FIRST, SECOND, SLICES, Interrupted, Killed


def build(zones, **options):
    given = {"refined": zones.refined, "curated": zones.curated, "contracts": zones.contracts} | options
    return build_warehouse(work_dir=zones.work, **given)


def ask(zones, sql):
    """As a notebook does: the file alone, opened read-only."""
    with duckdb.connect(zones.home / "refined" / WAREHOUSE_KEY, read_only=True) as db:
        return db.sql(sql).fetchall()


# --- aida query --zone refined ----------------------------------------------------------------------------------------


def test_a_question_sees_every_table_of_all_deliveries(both):
    rows = query("SELECT delivery, count(*) FROM instances GROUP BY ALL ORDER BY ALL", store=both.refined)
    assert rows.rows() == [(FIRST, SLICES + 1), (SECOND, SLICES)]
    assert {"instances", "series", "studies", "subjects", "volumes", "quality", "rejections"} <= set(
        refined_tables(both.refined)
    )


def test_a_new_delivery_is_seen_at_once(zones, second_arrives):
    count = "SELECT count(*) FROM series"
    before = query(count, store=zones.refined).item()
    second_arrives(zones)
    assert query(count, store=zones.refined).item() == before + 1


def test_a_bucket_is_asked_like_a_folder(both, seaweedfs):
    bucket = S3Store("refined", "warehouse", access=seaweedfs.access("refinement"))
    for info in both.refined.list("tables/"):
        bucket.put(info.key, both.refined.get(info.key))
    sql = "SELECT modality, count(*) FROM series GROUP BY ALL ORDER BY ALL"
    assert query(sql, store=bucket).rows() == query(sql, store=both.refined).rows() == [("CT", 2), ("MR", 1)]


@pytest.mark.parametrize("sql", ["FROM glob('/*')", "COPY series TO 'x.csv'", "FROM 'pseudonym.key'"])
def test_a_question_reads_the_tables_and_nothing_else(zones, sql):
    with pytest.raises(UsageError):
        query(sql, store=zones.refined)


# --- the file -------------------------------------------------------------------------------------------------------


def test_it_holds_every_refined_table_the_releases_and_the_deliveries(released):
    built = build(released)
    wanted = {name for name, contract in released.contracts.tables.items() if contract.zone == "refined"}
    assert set(built.tables) == wanted | {"releases", "deliveries"}
    assert {table: n for table, n in built.tables.items() if n} == {
        table: ask(released, f"SELECT count(*) FROM {table}")[0][0]
        for table in built.tables
        if built.tables[table]
    }
    assert ask(released, "SELECT name, version FROM releases") == [(COLLECTION, "1.0.0")]
    assert ask(released, "SELECT delivery, stage, counts['received'] FROM deliveries") == [
        (FIRST, "quality_checks", 13)
    ]


def test_it_can_be_copied_away_and_opened_alone(released, tmp_path):
    build(released)
    shutil.copy(released.home / "refined" / WAREHOUSE_KEY, tmp_path / "mine.duckdb")
    shutil.rmtree(released.home)
    with duckdb.connect(tmp_path / "mine.duckdb", read_only=True) as db:
        assert db.sql("SELECT count(*) FROM instances").fetchall() == [(SLICES + 1,)]


def test_tables_and_columns_bear_the_words_of_their_contracts(zones):
    build(zones)
    contract = zones.contracts.table("series")
    told = dict(ask(zones, "SELECT column_name, comment FROM duckdb_columns() WHERE table_name = 'series'"))
    assert set(told) == {column.name for column in contract.columns}
    assert all(told[column.name].startswith(column.description) for column in contract.columns)
    assert "[mm]" in told["slice_spacing_mm"]


def test_before_the_first_delivery_it_is_there_and_empty(zones):
    shutil.rmtree(zones.home / "refined")
    assert set(build(zones).tables.values()) == {0}
    assert ask(zones, "SELECT count(modality) FROM series") == [(0,)]


def test_built_again_from_the_same_inputs_it_writes_nothing(released):
    first, watched = build(released), Interrupted(released.refined)
    assert build(released, refined=watched) == first
    assert watched.writes == 0


def test_a_delivery_and_a_release_make_it_anew(zones, second_arrives):
    assert build(zones).tables["instances"] == SLICES + 1
    second_arrives(zones)
    assert build(zones).tables["instances"] == 2 * SLICES + 1
    zones.release()
    assert build(zones).tables["releases"] == 1
    assert ask(zones, "SELECT count(*) FROM releases") == [(1,)]


def test_only_what_a_receipt_speaks_of_is_in_it(both):
    """A stage that was killed has left tables and no receipt."""
    for stage in (Stage.DEIDENTIFICATION, Stage.HARMONISATION, Stage.QUALITY_CHECKS):
        (both.home / "refined" / "receipts" / stage / f"{SECOND}.json").unlink()
    assert build(both).tables["instances"] == SLICES + 1
    assert len(list(list_receipts(both.refined, Stage.DEIDENTIFICATION))) == 1


@pytest.mark.parametrize("at", [1, 2])
def test_killed_it_is_the_old_one_or_the_new_one_and_is_built_again(zones, second_arrives, at):
    build(zones)
    second_arrives(zones)
    with pytest.raises(Killed):
        build(zones, refined=Interrupted(zones.refined, at))
    assert ask(zones, "SELECT count(*) FROM instances")[0][0] in (SLICES + 1, 2 * SLICES + 1)
    built = build(zones)
    assert built.inputs == inputs(refined=zones.refined, curated=zones.curated, contracts=zones.contracts)
    assert ask(zones, "SELECT count(*) FROM instances") == [(2 * SLICES + 1,)]
