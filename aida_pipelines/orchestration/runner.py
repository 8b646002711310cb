"""Executes one code location's outstanding work in this process: the engine of `aida run` and `aida release`.

The command line starts this module as a child, once for each side of the legal line, with an environment that holds
what that side may have. Request: one JSON document as the argument. Answer: one JSON document on standard output.
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal

import dagster as dg
from pydantic import BaseModel

from aida_pipelines.errors import AidaError
from aida_pipelines.orchestration.instance import burying, open_instance, own_tags
from aida_pipelines.orchestration.partitions import DELIVERIES
from aida_pipelines.settings import dagster_home, intake_settings, refinement_settings
from aida_pipelines.stages import Stage

if TYPE_CHECKING:
    from aida_pipelines.orchestration.resources import RefinementZones

_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
"""The command line has its own words; the whole log is in the UI."""


class Request(BaseModel):
    """What to do.

    Attributes:
        location: Which side.
        deliveries: Which deliveries; None for all.
        until: Last stage to run.
        release: Collection to release, on the refinement side; then nothing else is done.
        sign_off: Name and decision number for the release.
    """

    location: Literal["intake", "refinement"]
    deliveries: tuple[str, ...] | None = None
    until: Stage = Stage.CURATED_DATASETS
    release: str | None = None
    sign_off: str = ""


class RunOutcome(BaseModel):
    """How one Dagster run ended.

    Attributes:
        job: Its job.
        partition: Delivery or collection, empty for neither.
        run_id: To find it in the UI.
        success: Whether every step succeeded.
        failed_checks: ``asset:check`` of every check that did not pass.
        error: Why a step failed, for a person.
    """

    job: str
    partition: str = ""
    run_id: str
    success: bool
    failed_checks: tuple[str, ...] = ()
    error: str = ""


class Answer(BaseModel):
    """What was done. ``error`` is set when the work could not begin."""

    runs: tuple[RunOutcome, ...] = ()
    error: str = ""
    exit_code: int = 0


class Runner:
    """Runs jobs of one location's definitions against an instance."""

    def __init__(self, definitions: dg.Definitions, instance: dg.DagsterInstance) -> None:
        self.definitions = definitions
        self.instance = instance
        self.outcomes: list[RunOutcome] = []

    def run(
        self, job: str, partition: str | None = None, *, groups: Iterable[Stage] = (), config: object = None
    ) -> RunOutcome:
        """Execute a job in this process and record how it ended."""
        resolved = self.definitions.resolve_job_def(job)
        keys = [
            spec.key for spec in self.definitions.resolve_all_asset_specs() if spec.group_name in set(groups)
        ]
        result = resolved.execute_in_process(
            partition_key=partition,
            instance=self.instance,
            raise_on_error=False,
            tags=own_tags(),
            asset_selection=keys or None,
            run_config=_QUIET | (config if isinstance(config, dict) else {}),
        )
        outcome = RunOutcome(
            job=job,
            partition=partition or "",
            run_id=result.run_id,
            success=result.success,
            failed_checks=tuple(
                f"{check.asset_key.to_user_string()}:{check.check_name}"
                for check in result.get_asset_check_evaluations()
                if not check.passed
            ),
            error="" if result.success else _why(result),
        )
        self.outcomes.append(outcome)
        return outcome


def _why(result: dg.ExecuteInProcessResult) -> str:
    for event in result.filter_events(lambda event: event.is_step_failure):
        failure = event.step_failure_data.user_failure_data
        error = event.step_failure_data.error
        if failure and failure.description:
            return str(failure.description)
        if error:
            return str(error.cls_name)
    return "A blocking check failed."


def _wanted(found: Iterable[str], request: Request) -> list[str]:
    return [d for d in found if request.deliveries is None or d in request.deliveries]


def _groups(stages: Sequence[Stage], until: Stage) -> list[Stage]:
    return [stage for stage in stages if stage.position <= until.position]


def run_intake(request: Request, instance: dg.DagsterInstance) -> list[RunOutcome]:
    """Raw ingest and de-identification of what is outstanding."""
    from aida_pipelines.orchestration.intake import build_defs
    from aida_pipelines.orchestration.outstanding.intake import outstanding
    from aida_pipelines.orchestration.resources import IntakeZones

    settings = intake_settings()
    zones = IntakeZones.of(settings)
    raw, refined = zones.raw(), zones.refined()
    raw.sweep(), refined.sweep()
    found = outstanding(raw, refined, zones.contracts(), settings.key_file)
    deliveries = _wanted((item.delivery for item in found), request)
    if not deliveries:
        return []
    runner = Runner(build_defs(settings), instance)
    instance.add_dynamic_partitions(str(DELIVERIES.name), deliveries)
    for delivery in deliveries:
        stages = _groups([Stage.RAW_INGEST, Stage.DEIDENTIFICATION], request.until)
        runner.run("intake", delivery, groups=stages)
    return runner.outcomes


def run_refinement(request: Request, instance: dg.DagsterInstance) -> list[RunOutcome]:
    """Harmonisation, checks, candidates and the warehouse, as far as outstanding; or a release."""
    from aida_pipelines.orchestration.refinement import build_defs
    from aida_pipelines.orchestration.resources import RefinementZones

    settings = refinement_settings()
    zones = RefinementZones.of(settings)
    zones.refined().sweep(), zones.curated().sweep()
    runner = Runner(build_defs(settings), instance)
    if request.release:
        config = {"ops": {"curated__release": {"config": {"sign_off": request.sign_off}}}}
        if runner.run("release", request.release, config=config).success:
            runner.run("warehouse")
    else:
        _refine(request, runner, zones)
    return runner.outcomes


def _refine(request: Request, runner: Runner, zones: RefinementZones) -> None:
    from aida_pipelines.orchestration.outstanding.refinement import outstanding
    from aida_pipelines.release.candidate import is_current
    from aida_pipelines.storage.receipts import list_receipts

    refined, contracts = zones.refined(), zones.contracts()
    stages = _groups([Stage.HARMONISATION, Stage.QUALITY_CHECKS], request.until)
    if stages:
        deliveries = _wanted((item.delivery for item in outstanding(refined, contracts)), request)
        runner.instance.add_dynamic_partitions(str(DELIVERIES.name), deliveries)
        for delivery in deliveries:
            runner.run("refine", delivery, groups=stages)
    if request.until is not Stage.CURATED_DATASETS:
        return
    checked = {receipt.collection for receipt in list_receipts(refined, Stage.QUALITY_CHECKS)}
    for collection in sorted(checked):
        if not is_current(collection, refined=refined, curated=zones.curated(), contracts=contracts):
            runner.run("candidate", collection)
    if runner.outcomes:
        runner.run("warehouse")


def main(argument: str) -> Answer:
    """Do what the request says; never raises for what a person can mend."""
    request = Request.model_validate_json(argument)
    try:
        instance = open_instance(dagster_home())
        work = run_intake if request.location == "intake" else run_refinement
        with burying(instance):
            return Answer(runs=tuple(work(request, instance)))
    except AidaError as error:
        return Answer(error=str(error), exit_code=error.exit_code)


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # library warnings may quote header values; nothing reads them here
    # Libraries print what they like: only the answer may be on standard output.
    answer_to = os.dup(1)
    os.dup2(2, 1)
    answer = main(sys.argv[1])
    with os.fdopen(answer_to, "w") as file:
        json.dump(answer.model_dump(mode="json"), file)
