"""The difference between two versions of a table is what a user would find by comparing row by row."""

from collections import Counter

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import aida_pipelines.client as aida
from aida_pipelines.client.difference import PROVENANCE, compare_tables
from aida_pipelines.errors import NotFoundError, UsageError
from aida_pipelines_tests.zones import COLLECTION

SCHEMA = {
    "series_instance_uid": pl.String,
    "modality": pl.String,
    "slices": pl.Int64,
    "code_version": pl.String,
}
values = st.tuples(st.sampled_from(["CT", "MR", None]), st.sampled_from([1, 2, None]), st.sampled_from("ab"))
series = st.dictionaries(st.sampled_from("pqrstu"), values, max_size=5)


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """``compared(table, before, after)`` on rows of ``SCHEMA``."""
    folder = tmp_path_factory.mktemp("difference")

    def compare(table, before, after):
        paths = []
        for name, rows in (("before", before), ("after", after)):
            frame = pl.DataFrame([(key, *row) for key, row in rows], schema=SCHEMA, orient="row")
            frame.write_parquet(folder / f"{name}.parquet")
            paths.append({table: folder / f"{name}.parquet"})
        return compare_tables(*paths).tables.get(table)

    return compare


def content(row):
    return row[:2]  # code_version says how a row was made, not what it says


@settings(max_examples=30)
@given(series, series)
def test_cases_are_compared_by_their_key(compared, before, after):
    found = compared("series", before.items(), after.items())
    added, removed = sorted(after.keys() - before.keys()), sorted(before.keys() - after.keys())
    changed = sorted(k for k in before.keys() & after.keys() if content(before[k]) != content(after[k]))
    if not (added or removed or changed):
        assert found is None
        return
    assert (found.added, found.removed, found.changed) == (tuple(added), tuple(removed), tuple(changed))
    assert (found.rows_added, found.rows_removed, found.rows_changed) == tuple(
        map(len, (added, removed, changed))
    )
    per_column = Counter(
        name
        for k in changed
        for name, a, b in zip(("modality", "slices"), before[k], after[k], strict=False)
        if a != b
    )
    assert found.values_changed == dict(per_column)


@settings(max_examples=30)
@given(
    st.lists(st.tuples(st.sampled_from("pq"), values), max_size=5),
    st.lists(st.tuples(st.sampled_from("pq"), values), max_size=5),
)
def test_rows_without_a_key_are_compared_as_often_as_they_occur(compared, before, after):
    found = compared("quality", before, after)
    old, new = (Counter((key, *content(row)) for key, row in rows) for rows in (before, after))
    counts = ((new - old).total(), (old - new).total())
    assert ((found.rows_added, found.rows_removed) if found else (0, 0)) == counts


def test_columns_that_say_how_a_row_was_made_are_no_difference():
    assert {"delivery", "source_sha256", "code_version", "contract_version"} == PROVENANCE


def test_a_release_differs_in_nothing_from_itself(curated):
    assert not aida.diff(f"{COLLECTION}@1.0.0", COLLECTION, store=curated)


def test_two_releases_are_compared_by_name_and_one_way_mirrors_the_other(released, second_arrives):
    second_arrives(released)
    recorded = released.release().change
    there = aida.diff(f"{COLLECTION}@1.0.0", f"{COLLECTION}@1.1.0", store=released.curated)
    back = aida.diff(f"{COLLECTION}@1.1.0", f"{COLLECTION}@1.0.0", store=released.curated)
    assert there == recorded
    for table, found in there.tables.items():
        mirrored = back.tables[table]
        assert (found.rows_added, found.rows_removed) == (mirrored.rows_removed, mirrored.rows_added)
        assert found.added == mirrored.removed
    assert {row["table"]: row["added"] for row in there.rows()}["series"] == 1


def test_what_is_not_there_can_not_be_compared(curated):
    with pytest.raises(NotFoundError):
        aida.diff(f"{COLLECTION}@1.0.0", f"{COLLECTION}@7.0.0", store=curated)
    with pytest.raises(UsageError):
        aida.diff("a/b", COLLECTION, store=curated)
