"""A dataset as a downstream team meets it: found, loaded, asked. From a folder and from a bucket that it may only read."""

import polars as pl
import pytest

import aida_pipelines.client as aida
from aida_pipelines.client.catalogue import parse_name
from aida_pipelines.errors import IntegrityError, NotFoundError, StorageError, UsageError
from aida_pipelines.storage.local import LocalStore
from aida_pipelines.storage.s3 import S3Store
from aida_pipelines_tests.zones import COLLECTION, SLICES


def test_datasets_are_found(curated):
    frame = aida.datasets(store=curated)
    assert frame.select("name", "version", "subjects", "series", "instances").rows() == [
        (COLLECTION, "1.0.0", 2, 2, SLICES + 1)
    ]


def test_where_nothing_was_released_there_are_no_datasets(tmp_path):
    assert aida.datasets(store=LocalStore(tmp_path)).is_empty()


def test_without_a_version_the_newest_is_loaded(released, second_arrives):
    second_arrives(released)
    released.release()
    assert aida.load(COLLECTION, store=released.curated).version == "1.1.0"
    assert aida.load(f"{COLLECTION}@1.0.0", store=released.curated).version == "1.0.0"


def test_the_environment_says_where_datasets_are(release_to_read, monkeypatch):
    monkeypatch.setenv("AIDA_CURATED_STORE", release_to_read.curated.url)
    assert aida.load(COLLECTION).version == "1.0.0"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("no-such", COLLECTION),
        (f"{COLLECTION}@9.9.9", "1.0.0"),
    ],
)
def test_what_is_not_there_is_answered_by_what_is(curated, name, says):
    with pytest.raises(NotFoundError, match="There is no dataset") as missing:
        aida.load(name, store=curated)
    assert says in missing.value.way_out


@pytest.mark.parametrize(
    "name", ["", "@1.0.0", "x@", "x@1", "x@1.0", "x@01.0.0", "../x", "x@1.0.0/../2.0.0", "x@latest"]
)
def test_what_names_no_dataset_is_refused_before_anything_is_read(name):
    with pytest.raises(UsageError, match="names no dataset"):
        parse_name(name)


def test_a_damaged_release_json_is_said_to_be_damaged(released):
    (released.home / "curated" / COLLECTION / "1.0.0" / "release.json").write_text('{"name":')
    with pytest.raises(IntegrityError, match=r"release\.json .* is damaged"):
        aida.load(COLLECTION, store=released.curated)


def test_every_table_is_a_lazy_frame(dataset):
    assert set(dataset.tables) == {
        "subjects", "studies", "series", "instances", "volumes", "clinical_condition_occurrence", "quality",
    }  # fmt: skip
    for name in dataset.tables:
        frame = getattr(dataset, name)
        assert isinstance(frame, pl.LazyFrame)
        assert frame.collect().height == dataset.release.tables_by_name[name].rows
    assert dataset.series.filter(modality="CT").select("slices").collect().item() == SLICES
    assert set(dataset.tables) <= set(dir(dataset))


def test_a_table_that_is_not_there_is_answered_by_those_that_are(dataset):
    with pytest.raises(NotFoundError, match="no table annotations") as missing:
        dataset.table("annotations")
    assert "series" in missing.value.way_out
    with pytest.raises(AttributeError):
        _ = dataset.annotations


def test_sql_joins_its_tables(dataset):
    rows = dataset.sql(
        "SELECT modality, count(*) AS n FROM series JOIN instances USING (series_instance_uid, modality) "
        "GROUP BY ALL ORDER BY ALL;"
    )
    assert rows.rows() == [("CT", SLICES), ("MR", 1)]


def test_sql_over_all_collections_sees_the_newest_release_of_each(released, second_arrives):
    second_arrives(released)
    released.release()
    rows = aida.query(
        "SELECT (SELECT count(*) FROM reference_images.subjects), (SELECT count(*) FROM releases)",
        store=released.curated,
    )
    assert rows.row(0) == (3, 2)


def test_sql_over_all_collections_in_a_bucket(bucket):
    rows = aida.query("SELECT name, version FROM releases", store=bucket)
    assert rows.rows() == [(COLLECTION, "1.0.0")]


@pytest.mark.parametrize("damage", ["missing", "no Parquet"])
@pytest.mark.parametrize("where", ["folder", "bucket"])
def test_a_release_whose_table_is_damaged_says_which_and_not_how_duckdb_puts_it(
    released, seaweedfs, where, damage
):
    zone = released.curated
    if where == "bucket":
        zone = S3Store("refined", f"damaged/{damage.split()[0]}", access=seaweedfs.access("refinement"))
        for info in released.curated.list(f"{COLLECTION}/"):
            zone.put(info.key, released.curated.get(info.key))
    table = f"{COLLECTION}/1.0.0/series.parquet"
    zone.delete(table)
    if damage == "no Parquet":
        zone.put(table, b"PAR1 and so on")
    dataset = aida.load(COLLECTION, store=zone)
    for ask in (lambda: dataset.sql("SELECT 1"), lambda: dataset.pull(released.home / "out")):
        with pytest.raises(IntegrityError, match=r"series\.parquet") as missing:
            ask()
        assert "aida verify" in missing.value.way_out


def test_a_reader_credential_reaches_neither_the_other_zones_nor_a_write(bucket, seaweedfs):
    """So that the tests above prove what they say."""
    with pytest.raises(StorageError):
        bucket.put("reference-images/1.0.0/README.md", b"x")
    with pytest.raises(StorageError):
        list(S3Store("refined", access=seaweedfs.access("reader")).list())
