"""What flows on its own: each delivery once what it is made of is sound, each collection after each delivery."""

import dagster as dg
import pytest

from aida_pipelines.orchestration import intake, refinement
from aida_pipelines.orchestration.partitions import DELIVERIES
from aida_pipelines.settings import intake_settings, refinement_settings

INSTANCES = dg.AssetKey(["refined", "instances"])
SERIES = dg.AssetKey(["refined", "series"])
QUALITY = dg.AssetKey(["refined", "quality"])
CANDIDATE = dg.AssetKey(["curated", "candidate"])


class Ticks:
    """Evaluates the automation of the refinement location against what an instance has recorded."""

    def __init__(self, definitions: dg.Definitions, instance: dg.DagsterInstance) -> None:
        self.definitions, self.instance, self.cursor = definitions, instance, None

    def __call__(self) -> dict[dg.AssetKey, set[str]]:
        result = dg.evaluate_automation_conditions(self.definitions, self.instance, cursor=self.cursor)
        self.cursor = result.cursor
        return {key: set(result.get_requested_partitions(key)) for key in (SERIES, QUALITY, CANDIDATE)}


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions(str(DELIVERIES.name), ["norr_1", "syd_1"])
        yield instance


@pytest.fixture
def ticks(instance, tmp_path, monkeypatch):
    monkeypatch.setenv("AIDA_HOME", str(tmp_path))
    both = dg.Definitions.merge(
        dg.Definitions(
            assets=intake.build_defs(intake_settings()).assets,
            asset_checks=intake.build_defs(intake_settings()).asset_checks,
        ),
        refinement.build_defs(refinement_settings()),
    )
    ticks = Ticks(both, instance)
    assert not any(ticks().values())  # nothing has happened yet
    return ticks


def wrote(instance, key: dg.AssetKey, delivery: str) -> None:
    instance.report_runless_asset_event(dg.AssetMaterialization(key, partition=delivery))


def checked(instance, delivery: str, *, passed: bool, key: dg.AssetKey = INSTANCES) -> None:
    for name in ("contract", "every_file_accounted_for"):
        instance.report_runless_asset_event(
            dg.AssetCheckEvaluation(
                asset_key=key, check_name=name, passed=passed, blocking=True, partition=delivery, metadata={}
            )
        )


def test_a_delivery_flows_on_once_it_is_written_and_its_blocking_checks_passed(instance, ticks):
    checked(instance, "norr_1", passed=True)
    wrote(instance, INSTANCES, "norr_1")
    requested = ticks()
    assert requested[SERIES] == requested[QUALITY] == {"norr_1"}
    assert ticks()[SERIES] == set()  # once


def test_a_delivery_that_failed_a_blocking_check_waits_and_holds_up_no_other(instance, ticks):
    checked(instance, "norr_1", passed=False)
    wrote(instance, INSTANCES, "norr_1")
    assert ticks()[SERIES] == set()
    checked(instance, "syd_1", passed=True)
    wrote(instance, INSTANCES, "syd_1")
    assert ticks()[SERIES] == {"syd_1"}


def test_candidates_are_built_again_after_each_delivery_though_others_are_missing(instance, ticks):
    wrote(instance, QUALITY, "norr_1")
    assert "reference-images" in ticks()[CANDIDATE]
    wrote(instance, QUALITY, "syd_1")
    assert "reference-images" in ticks()[CANDIDATE]
