"""The candidate: what a collection's contract selects from the deliveries that are checked, whole before it is named."""

import hashlib
import json
import shutil
from dataclasses import replace

import duckdb
import polars as pl
import pytest

from aida_pipelines.contracts.collection import Criterion
from aida_pipelines.errors import ContractError, IntegrityError, NotFoundError
from aida_pipelines.release.candidate import build_candidate, candidate_key, is_current, read_candidate
from aida_pipelines.stages import Stage
from aida_pipelines.storage.objects import object_key
from aida_pipelines.storage.receipts import receipt_key
from aida_pipelines.storage.tables import table_key
from aida_pipelines_tests.zones import COLLECTION, FIRST, SECOND, SLICES, Interrupted, Killed


def rows(zones, candidate, table):
    file = next(t for t in candidate.tables if t.table == table)
    return pl.read_parquet(zones.home / "refined" / file.key)


def criterion(sql, name="asked-for"):
    return (Criterion(name=name, description="As the test asks for it.", sql=sql),)


def current(zones):
    return is_current(COLLECTION, refined=zones.refined, curated=zones.curated, contracts=zones.contracts)


# --- what is selected -----------------------------------------------------------------------------------------------


def test_holds_every_checked_series_that_meets_the_contract(both):
    candidate = both.build()
    assert candidate.counts == {
        "subjects": 3, "studies": 3, "series": 3, "instances": 2 * SLICES + 1, "volumes": 2,
    }  # fmt: skip
    assert sorted(rows(both, candidate, "series")["modality"]) == ["CT", "CT", "MR"]


def test_a_criterion_leaves_out_the_series_that_do_not_meet_it_and_everything_of_theirs(both):
    candidate = both.under(criteria=criterion("modality = 'MR'")).build()
    assert candidate.counts == {"subjects": 1, "studies": 1, "series": 1, "instances": 1, "volumes": 0}
    assert rows(both, candidate, "instances")["modality"].to_list() == ["MR"]
    assert rows(both, candidate, "clinical_condition_occurrence")["condition_code"].to_list() == ["J18.9"]


def test_a_criterion_that_is_neither_true_nor_false_of_a_series_leaves_it_out(both):
    assert both.under(criteria=criterion("NULL")).build().counts["series"] == 0


def test_every_step_of_the_selection_says_what_it_left(both):
    criteria = criterion("modality = 'CT'", "ct") + criterion("slices > 100", "large")
    steps = both.under(criteria=criteria).build().attrition
    assert [(s.name, s.series, s.instances) for s in steps] == [
        ("delivered", 3, 2 * SLICES + 1),
        ("once", 3, 2 * SLICES + 1),
        ("ct", 2, 2 * SLICES),
        ("large", 0, 0),
        ("quality", 0, 0),
    ]


def test_a_blocking_gate_keeps_a_series_out_and_a_warning_does_not(zones):
    gates = {gate.check: gate for gate in zones.collection.gates}
    # A single slice has no volume: the MR slice misses the gate on geometry.
    missed = [gate.model_copy(update={"severity": "block"}) if check == "geometry" else gate for check, gate in gates.items()]  # fmt: skip
    blocking = zones.under(gates=tuple(missed))
    blocking.refine(FIRST)
    assert zones.collection.gates != blocking.collection.gates
    assert rows(zones, blocking.build(), "series")["modality"].to_list() == ["CT"]


@pytest.mark.parametrize(
    "sql",
    [
        "no_such_column = 1",
        "modality =",
        "1=1) UNION SELECT delivery, series_instance_uid FROM refined.series --",
        "count(*) > 1",
        "modality",
    ],
)
def test_a_criterion_that_is_no_condition_over_series_is_a_wrong_contract(zones, sql):
    with pytest.raises(ContractError, match="asked-for") as refused:
        zones.under(criteria=criterion(sql)).build()
    assert refused.value.way_out
    assert read_candidate(zones.refined, COLLECTION) is None


def test_only_deliveries_that_are_checked_are_used_and_the_others_are_named(both):
    (both.home / "refined" / receipt_key(Stage.QUALITY_CHECKS, SECOND)).unlink()
    candidate = both.build()
    assert [used.delivery for used in candidate.deliveries] == [FIRST]
    assert [(left.delivery, left.stage) for left in candidate.left_out] == [(SECOND, "quality_checks")]
    assert set(rows(both, candidate, "instances")["delivery"]) == {FIRST}


def test_a_delivery_whose_stage_was_run_again_waits_for_the_stages_after_it(both):
    receipt = both.home / "refined" / receipt_key(Stage.DEIDENTIFICATION, SECOND)
    receipt.write_text(receipt.read_text().replace('"code_version": "deid/', '"code_version": "deid/9'))
    assert [(left.delivery, left.stage) for left in both.build().left_out] == [(SECOND, "harmonisation")]


@pytest.mark.parametrize("what", ["key", "pseudonym_domain"])
def test_deliveries_under_two_keys_or_domains_are_never_mixed(both, what):
    """As when a rotation's new pseudonyms have come to one delivery and not to the other: a person would be two."""
    path = both.home / "refined" / receipt_key(Stage.DEIDENTIFICATION, FIRST)
    receipt = json.loads(path.read_text())
    receipt["inputs"][what] = "another"
    path.write_text(json.dumps(receipt))
    both.refine(FIRST)
    candidate = both.build()
    assert [used.delivery for used in candidate.deliveries] == [SECOND]
    (left,) = candidate.left_out
    assert (left.delivery, left.stage) == (FIRST, "deidentification")
    assert "another key or domain" in left.why


def test_a_table_that_is_not_what_its_receipt_says_stops_the_build(zones):
    table = zones.home / "refined" / table_key("series", FIRST)
    pl.read_parquet(table).with_columns(modality=pl.lit("MR")).write_parquet(table)
    with pytest.raises(IntegrityError, match="series"):
        zones.build()
    assert read_candidate(zones.refined, COLLECTION) is None


def test_a_collection_that_has_no_contract_has_no_candidate(zones):
    with pytest.raises(NotFoundError, match="no-such"):
        build_candidate("no-such", refined=zones.refined, curated=zones.curated, contracts=zones.contracts)


# --- its tables -----------------------------------------------------------------------------------------------------


def test_every_table_is_its_contract_columns_and_rows_in_the_contract_order(both):
    candidate = both.build()
    for file in candidate.tables:
        name = f"release_{file.table}" if file.table in ("subjects", "studies") else file.table
        contract, frame = both.contracts.table(name), rows(both, candidate, file.table)
        assert frame.columns == contract.arrow_schema.names
        assert frame.height == file.rows
        order = [column for column in contract.order_by if frame.schema[column] != pl.List(pl.String)]
        assert frame[order].equals(frame[order].sort(order, nulls_last=True))


def test_every_row_says_where_it_came_from(both):
    candidate = both.build()
    for file in candidate.tables:
        frame = rows(both, candidate, file.table)
        for column in {"code_version", "contract_version", "delivery"} & set(frame.columns):
            assert frame[column].null_count() == 0
    instances = rows(both, candidate, "instances")
    assert instances["source_sha256"].str.len_chars().unique().to_list() == [64]


def test_subjects_and_studies_count_what_is_in_the_candidate_and_not_what_was_delivered(both):
    candidate = both.under(criteria=criterion("modality = 'CT'")).build()
    with duckdb.connect() as db:
        for table in candidate.tables:
            db.execute(f"CREATE VIEW {table.table} AS FROM '{both.home}/refined/{table.key}'")
        counted = (
            "SELECT subject, count(*), sum(object_bytes)::BIGINT FROM instances GROUP BY subject ORDER BY 1"
        )
        said = "SELECT subject, instances, bytes FROM subjects ORDER BY 1"
        assert db.sql(counted).fetchall() == db.sql(said).fetchall() != []
        assert db.sql("SELECT sum(series), sum(volumes) FROM studies").fetchall() == [(2, 2)]


def test_every_object_it_names_is_in_the_refined_zone(both):
    candidate = both.build()
    for table, extension in (("instances", "dcm"), ("volumes", "nii.gz")):
        for sha256 in rows(both, candidate, table)["object_sha256"]:
            content = both.refined.get(object_key(sha256, extension))
            assert hashlib.sha256(content).hexdigest() == sha256


# --- when it is built -----------------------------------------------------------------------------------------------


def test_the_same_inputs_give_the_same_bytes_wherever_they_are_built(both, tmp_path):
    elsewhere = replace(both, home=tmp_path / "elsewhere")
    shutil.copytree(both.home, elsewhere.home)
    assert both.build() == elsewhere.build()
    assert both.tree("refined") == elsewhere.tree("refined")


def test_built_again_from_the_same_inputs_it_writes_nothing(both):
    first, watched = both.build(), Interrupted(both.refined)
    assert both.build(refined=watched) == first
    assert watched.writes == 0
    assert current(both)


def test_a_new_delivery_or_another_contract_makes_it_stale(zones, second_arrives):
    assert not current(zones)
    zones.build()
    assert not current(zones.under(title="Another title"))
    second_arrives(zones)
    assert not current(zones)


def test_its_own_release_does_not_make_it_stale(zones):
    zones.release()
    assert current(zones)


def test_killed_at_any_write_there_is_the_old_candidate_or_the_new_one_and_never_half(zones, second_arrives):
    zones.build()
    second_arrives(zones)
    before = {
        name: content for name, content in zones.tree("refined").items() if name.startswith("candidates/")
    }
    fresh = replace(zones, home=zones.home.with_name("fresh"))
    shutil.copytree(zones.home / "refined", fresh.home / "refined")
    watched = Interrupted(fresh.refined)
    new, writes = fresh.build(refined=watched), watched.writes
    whole = fresh.tree("refined")
    assert writes > len(new.tables)
    seen = set()
    for at in range(1, writes + 1):
        home = replace(zones, home=zones.home.with_name(f"killed-{at}"))
        shutil.copytree(zones.home / "refined", home.home / "refined")
        with pytest.raises(Killed):
            home.build(refined=Interrupted(home.refined, at))
        named = read_candidate(home.refined, COLLECTION)
        seen.add(named == new)
        for table in named.tables:
            assert hashlib.sha256(home.refined.get(table.key)).hexdigest() == table.sha256
        assert named == new or before.items() <= home.tree("refined").items()
        assert home.build() == new
        assert home.tree("refined") == whole, "what the killed build left behind is still there"
    assert seen == {False, True}


def test_of_older_builds_nothing_is_left(zones, second_arrives):
    zones.build()
    second_arrives(zones)
    candidate = zones.build()
    keys = {info.key for info in zones.refined.list("candidates/")}
    assert keys == {candidate_key(COLLECTION), *(table.key for table in candidate.tables)}
