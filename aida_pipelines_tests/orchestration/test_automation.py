"""What flows on its own: each delivery once what it is made of is sound, each collection after each delivery.

Real runs of the intake job on a small delivery, on an instance that both locations share, as in the UI.
"""

import shutil
from datetime import UTC, datetime

import dagster as dg
import pytest

from aida_pipelines.contracts.load import load_contracts
from aida_pipelines.deid.keys import create_key
from aida_pipelines.demo.phantom import write_ct_series
from aida_pipelines.ingest.receive import receive
from aida_pipelines.orchestration import intake, refinement
from aida_pipelines.orchestration.partitions import DELIVERIES
from aida_pipelines.settings import intake_settings, refinement_settings, shipped_file
from aida_pipelines.storage.store import open_store

SERIES = dg.AssetKey(["refined", "series"])
QUALITY = dg.AssetKey(["refined", "quality"])
CANDIDATE = dg.AssetKey(["curated", "candidate"])
WAREHOUSE = dg.AssetKey(["refined", "warehouse"])


class Hub:
    """A home with two deliveries, both code locations and one instance; ``tick`` is the daemon's."""

    def __init__(self, home, contracts, instance):
        env = {"AIDA_HOME": str(home), "AIDA_CONTRACTS": str(contracts)}
        settings, self.instance, self.cursor = intake_settings(env), instance, None
        self.intake = intake.build_defs(settings)
        self.both = dg.Definitions.merge(
            dg.Definitions(assets=self.intake.assets, asset_checks=self.intake.asset_checks),
            refinement.build_defs(refinement_settings(env)),
        )
        create_key(settings.key_file)
        raw = open_store(settings.raw_store)
        for number, id_ in enumerate(("norr_1", "norr_2")):
            write_ct_series(home / "in" / id_, seed=number, slices=3)
            receive(
                str(home / "in" / id_),
                site="norr",
                collection="reference-images",
                delivery_id=id_,
                raw=raw,
                contracts=load_contracts(contracts),
                work_dir=settings.work_dir,
                now=datetime(2026, 1, 2, tzinfo=UTC),
            )
        instance.add_dynamic_partitions(str(DELIVERIES.name), ["norr_1", "norr_2"])

    def tick(self):
        """What is asked for, by asset."""
        result = dg.evaluate_automation_conditions(self.both, self.instance, cursor=self.cursor)
        self.cursor = result.cursor
        return {
            key: set(result.get_requested_partitions(key)) for key in (SERIES, QUALITY, CANDIDATE, WAREHOUSE)
        }

    def take_in(self, delivery):
        """Run the intake job; whether it succeeded."""
        job = self.intake.resolve_job_def("intake")
        return job.execute_in_process(
            partition_key=delivery, instance=self.instance, raise_on_error=False
        ).success

    def wrote(self, key, delivery):
        """Record that a stage has written."""
        self.instance.report_runless_asset_event(dg.AssetMaterialization(key, partition=delivery))


@pytest.fixture
def contracts(tmp_path):
    """A copy of the shipped contracts that a test may change."""
    return shutil.copytree(shipped_file("data_contracts"), tmp_path / "contracts")


@pytest.fixture
def hub(tmp_path, contracts):
    with dg.DagsterInstance.ephemeral() as instance:
        hub = Hub(tmp_path, contracts, instance)
        assert not any(hub.tick().values())  # nothing has happened yet
        yield hub


def test_a_delivery_flows_on_once_it_is_written_and_its_blocking_checks_passed(hub):
    assert hub.take_in("norr_1")
    requested = hub.tick()
    assert requested[SERIES] == {"norr_1"}
    assert requested[QUALITY] == set()  # waits for the checks of what it is made of
    assert hub.tick()[SERIES] == set()  # once


def test_a_delivery_that_failed_a_blocking_check_waits_and_holds_up_no_other(hub, contracts):
    """The rule that norr_1 breaks is in the contract while norr_1 is taken in, and taken back for norr_2."""
    contract = contracts / "tables" / "instances.odcs.yaml"
    sound = contract.read_text()
    rule = "{type: library, name: many, metric: rowCount, mustBeGreaterThan: 1000, severity: error}"
    contract.write_text(
        sound.replace("    properties:\n", f"    quality:\n      - {rule}\n    properties:\n", 1)
    )
    assert not hub.take_in("norr_1")
    assert hub.tick()[SERIES] == set()
    contract.write_text(sound)
    assert hub.take_in("norr_2")
    assert hub.tick()[SERIES] == {"norr_2"}


def test_candidates_and_warehouse_follow_each_delivery_though_others_are_missing(hub):
    hub.wrote(QUALITY, "norr_1")
    requested = hub.tick()
    assert "reference-images" in requested[CANDIDATE]
    assert requested[WAREHOUSE]
    assert not any(hub.tick().values())  # once


def test_a_delivery_that_comes_right_after_a_request_is_not_forgotten(hub):
    hub.wrote(QUALITY, "norr_1")
    assert "reference-images" in hub.tick()[CANDIDATE]
    hub.wrote(QUALITY, "norr_2")
    assert "reference-images" in hub.tick()[CANDIDATE]


def test_a_collection_that_nothing_was_delivered_for_has_no_candidate_and_no_failed_run(hub):
    job = hub.both.resolve_job_def("candidate")
    run = job.execute_in_process(partition_key="head-ct", instance=hub.instance)
    assert run.success
    assert not run.get_asset_materialization_events()
