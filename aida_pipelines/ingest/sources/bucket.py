"""Everything below a prefix of an S3 bucket.

A site's bucket holds whatever names people gave, hidden and odd ones included, which a zone's store refuses
as keys; so it is read through boto3 itself. Each object is read in the version that was listed, or not at
all.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

import botocore.exceptions

from aida_pipelines.errors import StorageError, TransientError
from aida_pipelines.ingest.deliveries import SourceKind
from aida_pipelines.ingest.names import leaves_the_archive
from aida_pipelines.ingest.sources import CHUNK, Member, metered_member, refused
from aida_pipelines.ingest.sources.limits import Limits, Meter
from aida_pipelines.storage.s3 import S3Store
from aida_pipelines.storage.s3_control import control

_NOT_THERE = frozenset(
    {"NoSuchBucket", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "404", "403"}
)
_CHANGED = frozenset({"PreconditionFailed", "NoSuchKey", "412"})


@dataclass(frozen=True, slots=True)
class _Object:
    key: str
    size: int
    etag: str


class BucketSource:
    """``s3://bucket/prefix``, with the usual ``AWS_*`` variables."""

    kind = SourceKind.BUCKET

    def __init__(self, typed: str, *, limits: Limits) -> None:
        parts = urlsplit(typed)
        self._typed, self._limits = typed, limits
        self._bucket, prefix = parts.netloc, parts.path.strip("/")
        self._prefix = f"{prefix}/" if prefix else ""
        with self._explaining():
            self._client = control(S3Store(self._bucket, prefix))

    def check(self) -> None:
        """List it: sizes, names, nothing at all."""
        meter, files = Meter(self._typed, self._limits), 0
        for found in self._objects():
            files += 1
            meter.declared(found.size)
            meter.add(found.size)
            if why := leaves_the_archive(self._name(found)):
                raise refused(self._typed, why, "Give the object a plain name.", member=self._name(found))
        if not files:
            raise refused(self._typed, "holds nothing", "Check bucket, prefix and endpoint.")

    def members(self) -> Iterator[Member]:
        """Its objects, in the order in which the server lists them."""
        meter = Meter(self._typed, self._limits)
        for found in self._objects():
            yield metered_member(self._name(found), partial(self._read, found), meter)

    def _name(self, found: _Object) -> str:
        return found.key[len(self._prefix) :]

    def _objects(self) -> Iterator[_Object]:
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=self._prefix
        )
        with self._explaining():
            for page in pages:
                for item in page.get("Contents", ()):
                    # Consoles mark a folder by an empty object whose key ends in a slash.
                    if not item["Key"].endswith("/"):
                        yield _Object(item["Key"], item["Size"], item["ETag"])

    def _read(self, found: _Object) -> Iterator[bytes]:
        with self._explaining(found):
            answer = self._client.get_object(Bucket=self._bucket, Key=found.key, IfMatch=found.etag)
            yield from answer["Body"].iter_chunks(CHUNK)  # raises if less than the announced length comes

    @contextmanager
    def _explaining(self, found: _Object | None = None) -> Iterator[None]:
        try:
            yield
        except botocore.exceptions.ClientError as error:
            code = error.response["Error"]["Code"]
            if code in _CHANGED and found is not None:
                raise refused(
                    self._typed,
                    "changed while it was read",
                    "Wait until whatever writes there has finished, then deliver again.",
                    member=self._name(found),
                ) from None
            if code in _NOT_THERE:
                raise refused(
                    self._typed, f"can't be read ({code})", "Check bucket, credentials and endpoint (AWS_*)."
                ) from None
            raise TransientError(
                f"{self._typed}: the server answered {code}.", way_out="Run it again."
            ) from None
        except botocore.exceptions.NoCredentialsError:
            raise refused(self._typed, "needs credentials", "Set the AWS_* variables.") from None
        except (botocore.exceptions.ConnectionError, botocore.exceptions.HTTPClientError):
            raise TransientError(
                f"{self._typed}: the connection broke.", way_out="Check AWS_ENDPOINT_URL; run it again."
            ) from None
        except botocore.exceptions.BotoCoreError as error:
            raise StorageError(
                f"{self._typed} can't be read ({type(error).__name__}).", way_out="Check the AWS_* variables."
            ) from None
