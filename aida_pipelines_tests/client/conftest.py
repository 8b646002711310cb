"""One small release, in a folder and in a bucket; the bucket is read as a downstream team reads it."""

from __future__ import annotations

import pytest

from aida_pipelines.client.dataset import Dataset, load
from aida_pipelines.storage.local import LocalStore
from aida_pipelines.storage.s3 import S3Store
from aida_pipelines.storage.store import ObjectStore
from aida_pipelines_tests.servers import S3Server
from aida_pipelines_tests.zones import COLLECTION, Zones


@pytest.fixture(scope="session")
def bucket(seaweedfs: S3Server, release_to_read: Zones) -> S3Store:
    """The release's curated zone in the bucket ``curated``, as the credential ``reader`` sees it."""
    writer = S3Store("curated", access=seaweedfs.access("refinement"))
    for info in release_to_read.curated.list():
        writer.put(info.key, release_to_read.curated.get(info.key))
    return S3Store("curated", access=seaweedfs.access("reader"))


@pytest.fixture(params=["folder", "bucket"])
def curated(request: pytest.FixtureRequest, release_to_read: Zones) -> ObjectStore:
    """The curated zone with one release, to be read only: a folder, then a bucket."""
    if request.param == "folder":
        return LocalStore(release_to_read.home / "curated")
    bucket: S3Store = request.getfixturevalue("bucket")
    return bucket


@pytest.fixture
def dataset(curated: ObjectStore) -> Dataset:
    """The release, loaded from either."""
    return load(COLLECTION, store=curated)
