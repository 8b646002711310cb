"""The administrator's side of S3: buckets, and uploads that a kill left unfinished.

The only user of boto3, which comes with the ``pipeline`` extra: who only reads datasets never imports this.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import boto3
import botocore.config
import botocore.exceptions

from aida_pipelines.errors import StorageError, TransientError

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

    from aida_pipelines.storage.s3 import S3Store

STALE = timedelta(days=1)
"""An upload older than this has no writer any more: the longest transfer allowed takes half a day."""

_RULE = "aida-abort-abandoned-uploads"
_PROBE = "conditional-write-probe"


def control(store: S3Store) -> S3Client:
    """A boto3 client for the store's server, with the store's credentials or those of the environment."""
    config = botocore.config.Config(retries={"mode": "standard", "max_attempts": 5}, connect_timeout=5)
    if store.access is None:
        return boto3.client("s3", config=config)
    return boto3.client(
        "s3",
        config=config,
        endpoint_url=store.access.endpoint,
        aws_access_key_id=store.access.access_key_id,
        aws_secret_access_key=store.access.secret_access_key,
        region_name=store.access.region,
    )


def abort_stale_uploads(store: S3Store, *, older_than: timedelta = STALE) -> int:
    """Abort the multipart uploads below the store's prefix that began before that long; how many there were.

    Their parts are invisible, cost money and may hold identifiable bytes.

    Raises:
        StorageError: The credentials may not list or abort uploads.
    """
    client, before, aborted = control(store), datetime.now(UTC) - older_than, 0
    prefix = f"{store.prefix}/" if store.prefix else ""
    with _explaining(store):
        pages = client.get_paginator("list_multipart_uploads").paginate(Bucket=store.bucket, Prefix=prefix)
        try:
            for page in pages:
                for upload in page.get("Uploads", ()):
                    if upload["Initiated"] < before:
                        aborted += _aborted(client, store.bucket, upload["Key"], upload["UploadId"])
        except client.exceptions.NoSuchUpload:
            pass  # what rclone's server says of a bucket that has had no multipart upload yet
    return aborted


def _aborted(client: S3Client, bucket: str, key: str, upload_id: str) -> bool:
    """Whether there was an upload to abort: since it was listed, its writer or another sweep may have ended it."""
    try:
        client.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload_id)
    except client.exceptions.NoSuchUpload:
        return False
    return True


def prepare_bucket(store: S3Store) -> None:
    """Make a bucket ready: create it if need be, have abandoned uploads aborted, try conditional writes.

    Versioning stays off: a withdrawal has to remove bytes, and a versioned bucket keeps what it deletes.
    Releases are immutable by their keys.

    Raises:
        StorageError: The credentials may not do this, or the server ignores conditional writes, so that two
            writers of one release would both win.
    """
    client = control(store)
    with _explaining(store):
        try:
            client.head_bucket(Bucket=store.bucket)
        except botocore.exceptions.ClientError as error:
            if error.response["Error"]["Code"] not in {"404", "NoSuchBucket"}:
                raise
            client.create_bucket(Bucket=store.bucket)
    _try_conditional_writes(store)
    with _explaining(store):
        _add_lifecycle_rule(client, store.bucket)


def _try_conditional_writes(store: S3Store) -> None:
    store.delete(_PROBE)
    try:
        if not store.create(_PROBE, b"") or store.create(_PROBE, b""):
            raise StorageError(
                f"{store.url}: the server ignores conditional writes (If-None-Match).",
                way_out="Use a server that honours them: AWS S3, SeaweedFS, MinIO, Ceph.",
            )
    finally:
        store.delete(_PROBE)


def _add_lifecycle_rule(client: S3Client, bucket: str) -> None:
    """Add our rule to those that are there: S3 only replaces all of them at once."""
    try:
        rules = client.get_bucket_lifecycle_configuration(Bucket=bucket).get("Rules", [])
    except botocore.exceptions.ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchLifecycleConfiguration":
            raise
        rules = []
    if any(rule.get("ID") == _RULE for rule in rules):
        return
    client.put_bucket_lifecycle_configuration(
        Bucket=bucket,
        LifecycleConfiguration={
            "Rules": [
                *rules,
                {
                    "ID": _RULE,
                    "Status": "Enabled",
                    "Filter": {"Prefix": ""},
                    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 2},
                },
            ]
        },
    )


@contextmanager
def _explaining(store: S3Store) -> Iterator[None]:
    try:
        yield
    except botocore.exceptions.ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        said = f"{status} {error.response['Error']['Code']}"
        if status >= 500 or status == 429:
            raise TransientError(
                f"{store.url} doesn't answer as it should ({said}).", way_out="Run the same command again."
            ) from None
        raise StorageError(
            f"{store.url} refused a request ({said}).",
            way_out="Check the credentials and what they may do with this bucket.",
        ) from None
    except botocore.exceptions.BotoCoreError as error:
        raise TransientError(
            f"{store.url} can't be reached ({type(error).__name__}).",
            way_out="Check AWS_ENDPOINT_URL, the credentials and the network.",
        ) from None
