"""The embedded instance: made once though many ask at once, and rid of what a kill leaves."""

import os
import signal
import subprocess
import sys
import threading
import time

import dagster as dg
import psutil
import pytest

from aida_pipelines.orchestration.instance import bury_dead_runs, burying, open_instance, own_tags

ENV = {k: v for k, v in os.environ.items() if not k.startswith("DAGSTER_")}


@pytest.fixture
def instance(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", "")
    with open_instance(tmp_path / "dagster") as instance:
        yield instance


def started(program: str, home) -> subprocess.Popen:
    """A process of its own that runs ``program`` with the instance's folder in ``sys.argv[1]``."""
    return subprocess.Popen(
        [sys.executable, "-c", program, str(home)],
        env=ENV,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def test_processes_that_start_together_make_one_instance(tmp_path):
    program = (
        "import sys; from pathlib import Path; from aida_pipelines.orchestration.instance import open_instance\n"
        "print(open_instance(Path(sys.argv[1])).get_runs_count())"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "dagster")]
    children = [subprocess.Popen(command, env=ENV, stdout=subprocess.PIPE) for _ in range(3)]
    assert [child.communicate()[0] for child in children] == [b"0\n"] * 3


def test_telemetry_is_off_and_raw_output_is_not_kept(instance):
    assert instance.get_settings("telemetry") == {"enabled": False}
    assert type(instance.compute_log_manager).__name__ == "NoOpComputeLogManager"


def test_a_run_whose_process_was_killed_is_marked_and_gives_back_its_slot(instance, tmp_path):
    program = (
        "import os, signal, dagster as dg, sys; from pathlib import Path\n"
        "from aida_pipelines.orchestration.instance import open_instance, own_tags\n"
        "@dg.asset(pool='cpu')\n"
        "def dies() -> None: os.kill(os.getpid(), signal.SIGKILL)\n"
        "instance = open_instance(Path(sys.argv[1]))\n"
        "dg.materialize([dies], instance=instance, tags=own_tags())\n"
    )
    died = started(program, tmp_path / "dagster")
    # Dead, and nobody has asked how it ended.
    while psutil.Process(died.pid).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.05)
    assert instance.get_runs()[0].status is dg.DagsterRunStatus.STARTED
    assert bury_dead_runs(instance) == 1
    assert died.wait() == -signal.SIGKILL
    assert instance.get_runs()[0].status is dg.DagsterRunStatus.FAILURE
    assert instance.event_log_storage.get_concurrency_info("cpu").active_slot_count == 0


def test_a_run_whose_process_is_alive_is_left_alone(instance):
    @dg.asset
    def looks() -> None:
        assert bury_dead_runs(instance) == 0

    assert dg.materialize([looks], instance=instance, tags=own_tags()).success


def test_a_run_that_waits_gets_the_slot_of_one_that_dies_meanwhile(instance, tmp_path):
    """`aida run` after a kill, when the killed process takes its time to die."""
    program = (
        "import time, dagster as dg, sys; from pathlib import Path\n"
        "from aida_pipelines.orchestration.instance import open_instance, own_tags\n"
        "@dg.asset(pool='cpu')\n"
        "def holds() -> None: time.sleep(600)\n"
        "dg.materialize([holds], instance=open_instance(Path(sys.argv[1])), tags=own_tags())\n"
    )
    holder = started(program, tmp_path / "dagster")
    storage = instance.event_log_storage
    while (
        "cpu" not in storage.get_concurrency_keys() or not storage.get_concurrency_info("cpu").claimed_slots
    ):
        time.sleep(0.05)

    @dg.asset(pool="cpu")
    def waits() -> None: ...

    with burying(instance, every_seconds=0.2):
        threading.Timer(1, holder.kill).start()
        assert dg.materialize([waits], instance=instance, tags=own_tags()).success
    holder.wait()
