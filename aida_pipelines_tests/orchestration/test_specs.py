"""Every asset, check, job and sensor as Dagster sees it: an accidental change of a key, group or edge shows in review."""

import dagster as dg
import pytest

from aida_pipelines.orchestration import intake, refinement
from aida_pipelines.settings import intake_settings, refinement_settings


@pytest.fixture(scope="module", params=["intake", "refinement"])
def definitions(request, tmp_path_factory):
    home = str(tmp_path_factory.mktemp("home"))
    if request.param == "intake":
        return intake.build_defs(intake_settings({"AIDA_HOME": home}))
    return refinement.build_defs(refinement_settings({"AIDA_HOME": home}))


@pytest.fixture(scope="module")
def specs(definitions):
    """The location's own assets; of the other location's Dagster makes stubs, to draw the edges."""
    own = [
        s
        for s in definitions.resolve_all_asset_specs()
        if not s.metadata.get("dagster/auto_created_stub_asset")
    ]
    return sorted(own, key=lambda spec: spec.key)


def test_assets_checks_jobs_and_sensors(definitions, specs, snapshot):
    described = {
        "assets": {
            spec.key.to_user_string(): {
                "group": spec.group_name,
                "deps": sorted(dep.asset_key.to_user_string() for dep in spec.deps),
                "partitions": type(spec.partitions_def).__name__,
                "owners": list(spec.owners),
                "automation": spec.automation_condition.get_label() if spec.automation_condition else None,
            }
            for spec in specs
        },
        "checks": sorted(
            f"{key.asset_key.to_user_string()}:{key.name}"
            for check in definitions.asset_checks or []
            for key in check.check_keys
        ),
        "jobs": sorted(job.name for job in definitions.jobs or []),
        "sensors": sorted(sensor.name for sensor in definitions.sensors or []),
    }
    assert described == snapshot


def test_every_asset_tells_a_steward_what_it_is(specs):
    for spec in specs:
        assert spec.description, spec.key
        assert spec.group_name
        assert spec.kinds
        assert spec.owners
        assert spec.code_version


def test_tables_show_their_columns(specs):
    for spec in specs:
        if "contract" in spec.metadata:
            schema = spec.metadata["dagster/column_schema"]
            assert isinstance(schema, dg.TableSchema)
            assert all(column.description for column in schema.columns), spec.key
