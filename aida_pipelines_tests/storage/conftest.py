"""The stores that the one suite runs on."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path

import pytest

from aida_pipelines.storage.local import LocalStore
from aida_pipelines.storage.s3 import S3Store
from aida_pipelines.storage.store import ObjectStore

StoreFactory = Callable[[], ObjectStore]
"""Makes an empty store at each call."""

KINDS = ("local", "seaweedfs", "rclone")
CONDITIONAL = ("local", "seaweedfs")
"""rclone's server ignores ``If-None-Match``; ``prepare_bucket`` refuses it for that reason."""


@pytest.fixture
def new_store(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> StoreFactory:
    """A factory of empty stores of the ``kind`` that the test is parametrised by."""

    def make() -> ObjectStore:
        name = secrets.token_hex(4)
        if kind == "local":
            return LocalStore(tmp_path / f"zone {name}")
        server = request.getfixturevalue("seaweedfs" if kind == "seaweedfs" else "rclone_s3")
        return S3Store("refined", f"zone {name}/x", work_dir=tmp_path / "work", access=server.access())

    return make


@pytest.fixture
def store(new_store: StoreFactory) -> ObjectStore:
    """An empty store."""
    return new_store()
