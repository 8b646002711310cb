"""The Dagster instance of the embedded default, and what a killed run leaves in it.

Only what `aida run`, `aida release` and `aida ui` need; a hub's own deployment sets DAGSTER_HOME itself.
https://docs.dagster.io/deployment/oss/oss-instance-configuration
"""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import psutil

from aida_pipelines.settings import shipped_file

_PROCESS_TAG, _HOST_TAG = "aida/process", "aida/host"


def open_instance(home: Path) -> dg.DagsterInstance:
    """The instance below ``home``; made on first use.

    Two processes that make the same SQLite storage at once crash, so that is done under a lock.
    """
    home.mkdir(parents=True, exist_ok=True)
    with (home / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / "dagster.yaml").exists():
            shutil.copyfile(shipped_file("dagster.yaml"), home / "dagster.yaml")
        os.environ["DAGSTER_HOME"] = str(home)
        return dg.DagsterInstance.get()


def own_tags() -> dict[str, str]:
    """Tags that tell later which process a run was executed in."""
    started = int(psutil.Process().create_time())
    return {_HOST_TAG: socket.gethostname(), _PROCESS_TAG: f"{os.getpid()}.{started}"}


def bury_dead_runs(instance: dg.DagsterInstance) -> int:
    """Mark runs as failed whose process on this machine is gone (``kill -9``), and free the slots they held.

    Returns:
        How many there were. Their work is simply done again: a stage without a receipt is outstanding.
    """
    running = dg.RunsFilter(
        statuses=[dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING],
        tags={_HOST_TAG: socket.gethostname()},
    )
    dead = [run for run in instance.get_runs(running) if not _alive(run.tags[_PROCESS_TAG])]
    for run in dead:
        instance.report_run_failed(run, "The process that executed this run is gone.")
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
    return len(dead)


@contextmanager
def burying(instance: dg.DagsterInstance, *, every_seconds: float = 5) -> Iterator[None]:
    """Bury dead runs now and while the block lasts: a run waits for a slot for as long as a dead one holds it."""
    done = threading.Event()

    def watch() -> None:
        while not done.wait(every_seconds):
            bury_dead_runs(instance)

    bury_dead_runs(instance)
    watcher = threading.Thread(target=watch, name="burying", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


def _alive(process: str) -> bool:
    pid, _, started = process.partition(".")
    try:
        found = psutil.Process(int(pid))
        # A killed process stays in the list until its parent has asked how it ended, and in a container nobody may.
        ended = found.status() in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
        return not ended and int(found.create_time()) == int(started)
    except psutil.NoSuchProcess:
        return False
