"""The Dagster UI on one machine: two code servers, one each side of the legal line, a web server and a daemon.

The refinement code server starts with an environment from which the raw zone's URL and the key are taken, and Dagster
launches a run in the environment of its code server: the wall holds for runs from the UI as for `aida run`.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from ruamel.yaml import YAML

from aida_pipelines.cli.output import remarks
from aida_pipelines.errors import AidaError, UsageError
from aida_pipelines.settings import RAW_VARIABLES, dagster_home

LOCATIONS = ("intake", "refinement")
_PATIENCE = 120
"""Seconds to wait for a server to listen: code locations load in some seconds, on a busy machine in many."""


def serve(host: str, port: int) -> None:
    """Run the UI until it is interrupted.

    Raises:
        UsageError: Something else listens on the port.
        AidaError: One of the processes ended.
    """
    from aida_pipelines.orchestration.instance import bury_dead_runs, open_instance

    if _listening(host, port):
        raise UsageError(f"Something listens on port {port} already.", way_out="aida ui --port …")
    # A service manager ends it with SIGTERM, and a shell starts what runs in its background deaf to SIGINT.
    for end in (signal.SIGINT, signal.SIGTERM):
        signal.signal(end, signal.default_int_handler)
    home = dagster_home()
    with open_instance(home) as instance:
        bury_dead_runs(instance)
    ports = {name: _free_port() for name in LOCATIONS}
    processes = [_code_server(name, ports[name], home) for name in LOCATIONS]
    try:
        for name in LOCATIONS:
            _wait(ports[name], processes)
        workspace = _workspace(home, ports)
        processes.append(_start(["dagster-daemon", "run", "-w", str(workspace)], home))
        web = ["dagster-webserver", "-w", str(workspace), "-h", host, "-p", str(port)]
        processes.append(_start(web, home))
        _wait(port, processes, host)
        remarks.print(f"The UI is at http://{host}:{port}  (Ctrl-C stops it)")
        while all(process.poll() is None for process in processes):
            time.sleep(1)
        raise AidaError("One of the UI's processes has ended.", way_out="Start it again: aida ui")
    finally:
        for process in reversed(processes):
            process.send_signal(signal.SIGINT)
        for process in processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def _start(command: list[str], home: Path, env: Mapping[str, str] = os.environ) -> subprocess.Popen[bytes]:
    # Each in a session of its own: a Ctrl-C reaches this process only, which stops the others in order.
    return subprocess.Popen(
        [sys.executable, "-m", *_module(command)],
        env={**env, "DAGSTER_HOME": str(home)},
        start_new_session=True,
    )


def _module(command: list[str]) -> list[str]:
    modules = {
        "dagster": ["dagster"],
        "dagster-daemon": ["dagster._daemon"],
        "dagster-webserver": ["dagster_webserver"],
    }
    return [*modules[command[0]], *command[1:]]


def _code_server(location: str, port: int, home: Path) -> subprocess.Popen[bytes]:
    environment = {
        name: value for name, value in os.environ.items() if location == "intake" or name not in RAW_VARIABLES
    }
    module = f"aida_pipelines.orchestration.{location}"
    command = ["dagster", "code-server", "start", "-m", module, "-h", "127.0.0.1", "-p", str(port)]
    return _start([*command, "--location-name", location, "--log-level", "warning"], home, environment)


def _workspace(home: Path, ports: Mapping[str, int]) -> Path:
    path = home / "workspace.yaml"
    servers = [
        {"grpc_server": {"host": "127.0.0.1", "port": port, "location_name": name}}
        for name, port in ports.items()
    ]
    with path.open("w") as file:
        YAML().dump({"load_from": servers}, file)
    return path


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _listening(host: str, port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((host, port)) == 0


def _wait(port: int, processes: list[subprocess.Popen[bytes]], host: str = "127.0.0.1") -> None:
    deadline = time.monotonic() + _PATIENCE
    while not _listening(host, port):
        if any(process.poll() is not None for process in processes) or time.monotonic() > deadline:
            raise AidaError("A process of the UI did not start.", way_out="Its words above say why.")
        time.sleep(0.2)
