"""Real servers for tests, each started once for a session on loopback: a pytest plugin (see ``conftest.py``).

``seaweedfs`` is the S3 server that the project is tested against, with identities of least privilege; ``rclone_s3``
is a second, independent implementation; ``faulty`` stands before SeaweedFS and fails as a test says.
"""

from __future__ import annotations

import http.client
import http.server
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from aida_pipelines.storage.s3 import S3Access

BUCKETS = ("raw", "refined", "curated")

_IDENTITIES = {
    "admin": ["Admin", "Read", "List", "Tagging", "Write"],
    "intake": [f"{action}:{bucket}" for bucket in ("raw", "refined") for action in ("Read", "List", "Write")],
    "refinement": [
        f"{action}:{bucket}" for bucket in ("refined", "curated") for action in ("Read", "List", "Write")
    ],
    "reader": ["Read:curated", "List:curated"],
}
"""As docs/storage.md tells an operator to do it: ``refinement`` can't reach raw, a downstream team only reads."""


@dataclass(frozen=True)
class S3Server:
    """A running S3 server.

    Attributes:
        endpoint: Its URL.
        keys: Access key and secret by identity.
    """

    endpoint: str
    keys: Mapping[str, tuple[str, str]] = field(repr=False)

    def access(self, identity: str = "admin") -> S3Access:
        """Explicit credentials of an identity."""
        return S3Access(self.endpoint, *self.keys[identity])

    def env(self, identity: str = "admin") -> dict[str, str]:
        """The ``AWS_*`` variables of an identity, for a process of its own."""
        access_key, secret_key = self.keys[identity]
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": access_key,
            "AWS_SECRET_ACCESS_KEY": secret_key,
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    def client(self, identity: str = "admin") -> Any:
        """A boto3 client, to look at the server past the code under test."""
        import boto3

        access = self.access(identity)
        return boto3.client(
            "s3",
            endpoint_url=access.endpoint,
            aws_access_key_id=access.access_key_id,
            aws_secret_access_key=access.secret_access_key,
            region_name=access.region,
        )


@pytest.fixture(scope="session")
def seaweedfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """SeaweedFS with the buckets ``raw``, ``refined``, ``curated`` and four identities: see ``_IDENTITIES``."""
    folder = tmp_path_factory.mktemp("seaweedfs")
    keys = {name: (secrets.token_hex(8), secrets.token_hex(16)) for name in _IDENTITIES}
    (folder / "s3.json").write_text(
        json.dumps(
            {
                "identities": [
                    {
                        "name": name,
                        "credentials": [{"accessKey": keys[name][0], "secretKey": keys[name][1]}],
                        "actions": actions,
                    }
                    for name, actions in _IDENTITIES.items()
                ]
            }
        )
    )
    ports = _free_ports(4, apart=10_000)  # each server also listens 10,000 above its port, for gRPC
    master, volume, filer, s3 = ports
    command = [
        _binary("weed"), "server", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
        f"-master.port={master}", "-master.telemetry=false", "-master.volumeSizeLimitMB=256",
        "-master.volumePreallocate=false", "-master.raftHashicorp=false",
        f"-volume.port={volume}", "-volume.max=0",
        "-filer", f"-filer.port={filer}",
        "-s3", f"-s3.port={s3}", f"-s3.config={folder / 's3.json'}", "-s3.port.iceberg=0", "-s3.port.lance=0",
    ]  # fmt: skip
    server = S3Server(f"http://127.0.0.1:{s3}", keys)
    with _running(command, folder, lambda: _answers(f"{server.endpoint}/healthz", {200})):
        for bucket in BUCKETS:
            server.client().create_bucket(Bucket=bucket)
        yield server


@pytest.fixture(scope="session")
def rclone_s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """``rclone serve s3`` with the same buckets. It ignores ``If-None-Match`` and ranges from the first byte."""
    folder = tmp_path_factory.mktemp("rclone")
    for bucket in BUCKETS:
        (folder / "data" / bucket).mkdir(parents=True)
    (port,) = _free_ports(1)
    keys = {"admin": (secrets.token_hex(8), secrets.token_hex(16))}
    command = [
        _binary("rclone"), "serve", "s3", "--config", str(folder / "none.conf"), "--addr", f"127.0.0.1:{port}",
        "--auth-key", ",".join(keys["admin"]), str(folder / "data"),
    ]  # fmt: skip
    server = S3Server(f"http://127.0.0.1:{port}", keys)
    with _running(command, folder, lambda: _answers(server.endpoint, {200, 400, 403})):
        yield server


Fault = int | str
"""An HTTP status; ``"drop"``: close the connection without an answer; ``"cut"``: break off half of a body."""


class FaultyServer(http.server.ThreadingHTTPServer):
    """Passes requests on to a real server and fails as told.

    Attributes:
        faults: What befalls the next requests, in order; then all goes well again. With ``forever`` the first one
            befalls every request.
        seen: Method and status of what was answered.
    """

    daemon_threads = True

    def __init__(self, upstream: S3Server) -> None:
        super().__init__(("127.0.0.1", 0), _Forwarder)
        self.upstream = upstream.endpoint.removeprefix("http://")
        self.server = S3Server(f"http://127.0.0.1:{self.server_address[1]}", upstream.keys)
        self.faults: list[Fault] = []
        self.forever = False
        self.seen: list[tuple[str, Fault]] = []

    def next_fault(self) -> Fault | None:
        """What befalls this request."""
        if not self.faults:
            return None
        return self.faults[0] if self.forever else self.faults.pop(0)


class _Forwarder(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FaultyServer

    def _forward(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = self.server.next_fault()
        if fault == "drop":
            self.server.seen.append((self.command, fault))
            self.close_connection = True
            return
        if isinstance(fault, int):
            self._answer(fault, {}, b"<Error><Code>SlowDown</Code></Error>")
            return
        upstream = http.client.HTTPConnection(self.server.upstream)
        # The Host header stays the one that the client signed.
        upstream.request(self.command, self.path, body or None, dict(self.headers))
        response = upstream.getresponse()
        content = response.read()
        upstream.close()
        self._answer(response.status, dict(response.headers), content, cut=fault == "cut")

    def _answer(self, status: int, headers: Mapping[str, str], body: bytes, *, cut: bool = False) -> None:
        self.server.seen.append((self.command, "cut" if cut else status))
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in {"content-length", "transfer-encoding", "connection"}:
                self.send_header(name, value)
        length = headers.get("Content-Length", "0") if self.command == "HEAD" else str(len(body))
        self.send_header("Content-Length", length)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[: len(body) // 2] if cut else body)
        if cut:
            self.close_connection = True

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _forward

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""


@pytest.fixture
def faulty(seaweedfs: S3Server) -> Iterator[FaultyServer]:
    """SeaweedFS behind a server that fails as a test says."""
    with FaultyServer(seaweedfs) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def _binary(name: str) -> str:
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if not found:
        pytest.fail(f"{name} is missing: install the `dev` extra")
    return found


def _free_ports(count: int, *, apart: int = 0) -> list[int]:
    """Ports that are free, and free ``apart`` above them too."""
    found: list[int] = []
    while len(found) < count:
        port = 20_000 + secrets.randbelow(20_000)
        if port not in found and all(_is_free(p) for p in {port, port + apart}):
            found.append(port)
    return found


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _answers(url: str, statuses: set[int]) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=1) as response:
            return response.status in statuses
    except urllib.error.HTTPError as error:
        return error.code in statuses
    except OSError:
        return False


@contextmanager
def _running(command: list[str], folder: Path, ready: Callable[[], bool]) -> Iterator[None]:
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, start_new_session=True)
        try:
            deadline = time.monotonic() + 60
            while not ready():
                if process.poll() is not None or time.monotonic() > deadline:
                    pytest.fail(f"{Path(command[0]).name} didn't start; see {folder / 'server.log'}")
                time.sleep(0.1)
            yield
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
