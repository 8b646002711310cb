"""A zone in an S3 bucket.

The hot path is obstore (Rust's object_store); ``make bench`` shows it beside boto3. What only boto3 can do (buckets,
abandoned uploads) is in ``s3_control``.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import chain, islice
from pathlib import Path

import obstore
import obstore.exceptions
import obstore.store

from aida_pipelines.errors import NotFoundError, StorageError, TransientError, UsageError
from aida_pipelines.storage.disk import explaining, write_all
from aida_pipelines.storage.scratch import scratch, sweep_scratch
from aida_pipelines.storage.store import Data, ObjectInfo, check_key, is_key, parts_of

PART_BYTES = 8 << 20
"""Up to here one request writes an object; above it several do, of which S3 takes 10,000 (84 GB)."""

_Level = list[ObjectInfo | str]

_PARTS_AT_ONCE = 4
_FOLDERS_AHEAD = 8
_RETRY: obstore.store.RetryConfig = {
    "max_retries": 6,
    "backoff": {
        "init_backoff": timedelta(milliseconds=200),
        "max_backoff": timedelta(seconds=10),
        "base": 2,
    },
    "retry_timeout": timedelta(minutes=2),
}
"""12 s of trying for an endpoint that isn't there; throttling and 5xx answers are tried again by the same rule."""


@dataclass(frozen=True)
class S3Access:
    """Where and as whom, said explicitly; without it the ``AWS_*`` variables say it.

    Attributes:
        endpoint: URL of the S3 server.
        access_key_id: Name of the access key.
        secret_access_key: Its secret.
        region: Region that requests are signed for.
    """

    endpoint: str
    access_key_id: str
    secret_access_key: str = field(repr=False)
    region: str = "us-east-1"


class S3Store:
    """Objects of a bucket below a prefix.

    ``create`` is one conditional request (``If-None-Match: *``; AWS, SeaweedFS, MinIO and Ceph honour it) up
    to ``PART_BYTES``. For larger data it looks first and then writes: of two writers at the same moment both
    may believe that they won, which does no harm where the key is the hash of the bytes; nothing else that
    large is created.

    A listing goes folder by folder, a few ahead in parallel: a request for each folder buys the order of
    keys on every server (one that keeps folders, SeaweedFS, lists ``a/b`` before ``a-b`` otherwise).

    Args:
        bucket: Name of the bucket.
        prefix: Below which all keys are; may be empty. ASCII: Polars finds nothing by ``*`` below another one.
        work_dir: Where ``local`` keeps copies while they are read.
        access: Endpoint and credentials; from the environment if None.

    Raises:
        UsageError: The prefix isn't one.
    """

    def __init__(
        self, bucket: str, prefix: str = "", *, work_dir: Path | None = None, access: S3Access | None = None
    ) -> None:
        if prefix and not (is_key(prefix) and prefix.isascii()):
            raise UsageError(
                f"{prefix!r} is no prefix for a zone: plain ASCII names with / between them are."
            )
        self.bucket, self.prefix, self.access = bucket, prefix, access
        self.url = "/".join(filter(None, (f"s3://{bucket}", self.prefix)))
        self.work_dir = work_dir
        self._store = _client(bucket, self.prefix, access)

    def get(self, key: str) -> bytes:
        """See ``ObjectStore``."""
        with self._explaining(check_key(key)):
            return bytes(obstore.get(self._store, key).bytes())

    def put(self, key: str, data: Data) -> None:
        """See ``ObjectStore``. Nothing is visible, and no part stays behind, if ``data`` raises."""
        check_key(key)
        whole, parts = _whole_or_parts(data)
        with self._explaining(key):
            if whole is not None:
                obstore.put(self._store, key, whole, use_multipart=False)
            else:
                self._put_parts(key, parts)

    def create(self, key: str, data: Data, *, synced: bool = True) -> bool:
        """See ``ObjectStore`` and, for large data, the class."""
        check_key(key)
        whole, parts = _whole_or_parts(data)
        with self._explaining(key):
            if whole is not None:
                try:
                    obstore.put(self._store, key, whole, mode="create", use_multipart=False)
                except (obstore.exceptions.AlreadyExistsError, obstore.exceptions.PreconditionError):
                    return False
                return True
            if self.stat(key) is not None:
                return False
            self._put_parts(key, parts)
            return True

    def put_file(self, key: str, path: Path) -> None:
        """See ``ObjectStore``."""
        check_key(key)
        with explaining(f"A file to be put into {self.url}"):
            path.open("rb").close()
        with self._explaining(key):
            obstore.put(self._store, key, path, chunk_size=PART_BYTES, max_concurrency=_PARTS_AT_ONCE)

    def stat(self, key: str) -> ObjectInfo | None:
        """See ``ObjectStore``."""
        try:
            with self._explaining(check_key(key)):
                return ObjectInfo(key, obstore.head(self._store, key)["size"])
        except NotFoundError:
            return None

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """See ``ObjectStore``. In memory are the names of a few folders, no more."""
        folder, slash, start = prefix.rpartition("/")
        if slash and not is_key(folder):
            return
        with ThreadPoolExecutor(_FOLDERS_AHEAD, thread_name_prefix="s3-list") as pool:
            try:
                yield from self._walk(pool, self._level(folder, start))
            finally:
                pool.shutdown(wait=False, cancel_futures=True)

    def _walk(self, pool: ThreadPoolExecutor, level: Iterable[ObjectInfo | str]) -> Iterator[ObjectInfo]:
        entries = sorted(level, key=lambda entry: entry if isinstance(entry, str) else entry.key)
        folders = (entry for entry in entries if isinstance(entry, str))
        ahead: deque[Future[_Level]] = deque()
        for entry in entries:
            if isinstance(entry, ObjectInfo):
                yield entry
                continue
            wanted = islice(folders, _FOLDERS_AHEAD - len(ahead))
            ahead.extend(pool.submit(self._level, folder[:-1]) for folder in wanted)
            yield from self._walk(pool, ahead.popleft().result())

    def _level(self, folder: str, start: str = "") -> _Level:
        """The objects of one folder and its folders, as keys that end with a slash; page by page."""
        with self._explaining(folder):
            found = obstore.list_with_delimiter(self._store, folder or None)
        begin = f"{folder}/{start}" if folder else start
        objects = (
            ObjectInfo(meta["path"], meta["size"]) for meta in found["objects"] if is_key(meta["path"])
        )
        folders = (name for name in found["common_prefixes"] if is_key(name))
        return [
            *(info for info in objects if info.key.startswith(begin)),
            *(f"{name}/" for name in folders if name.startswith(begin)),
        ]

    def delete(self, key: str) -> None:
        """See ``ObjectStore``."""
        try:
            with self._explaining(check_key(key)):
                obstore.delete(self._store, key)
        except NotFoundError:
            pass

    @contextmanager
    def local(self, key: str) -> Iterator[Path]:
        """See ``ObjectStore``. The copy keeps the key's last part as its name."""
        check_key(key)
        where = str(self.work_dir or "the system's folder for temporary files")
        with ExitStack() as stack:
            with explaining(where):
                path = stack.enter_context(scratch(self.work_dir)) / key.rpartition("/")[2]
                self._download(key, path)
            yield path

    def _download(self, key: str, path: Path) -> None:
        with path.open("xb", buffering=0) as file, self._explaining(key):
            path.chmod(0o600)
            result = obstore.get(self._store, key)
            for chunk in result.stream(min_chunk_size=PART_BYTES):
                write_all(file, memoryview(chunk))
            if file.tell() != result.meta["size"]:
                raise TransientError(
                    f"{key} in {self.url} came in part only.", way_out="Run the same command again."
                )

    def flush(self) -> None:
        """See ``ObjectStore``. A server answers a write when it is safe."""

    def sweep(self) -> int:
        """See ``ObjectStore``. Abandoned uploads are aborted after a day: a younger one may be under way."""
        from aida_pipelines.storage.s3_control import abort_stale_uploads

        return sweep_scratch(self.work_dir) + abort_stale_uploads(self)

    def uri(self, key: str) -> str:
        """See ``ObjectStore``."""
        return f"{self.url}/{key}"

    def storage_options(self) -> dict[str, str] | None:
        """See ``ObjectStore``. Empty where the environment says it all: Polars reads the same variables."""
        if self.access is None:
            return {}
        return {
            "aws_endpoint_url": self.access.endpoint,
            "aws_access_key_id": self.access.access_key_id,
            "aws_secret_access_key": self.access.secret_access_key,
            "aws_region": self.access.region,
            "aws_allow_http": str(self.access.endpoint.startswith("http://")).lower(),
        }

    def _put_parts(self, key: str, parts: Iterator[memoryview]) -> None:
        obstore.put(self._store, key, parts, chunk_size=PART_BYTES, max_concurrency=_PARTS_AT_ONCE)

    @contextmanager
    def _explaining(self, key: str) -> Iterator[None]:
        try:
            yield
        except obstore.exceptions.BaseError as error:
            raise _explained(error, key, self) from None
        except OSError as error:
            if error.errno is not None:  # of a local file, not of the server
                raise
            raise _explained(error, key, self) from None


def _client(bucket: str, prefix: str, access: S3Access | None) -> obstore.store.S3Store:
    config: obstore.store.S3Config = {}
    if access:
        config = {
            "endpoint": access.endpoint,
            "access_key_id": access.access_key_id,
            "secret_access_key": access.secret_access_key,
            "region": access.region,
        }
    return obstore.store.S3Store(
        bucket,
        prefix=prefix or None,
        # The endpoint's URL says whether it is http; this only lets it say so (AWS's own are https).
        # `timeout` spans a transfer, so it must outlast the largest object; `read_timeout` catches a stall.
        client_options={
            "allow_http": True,
            "connect_timeout": "5s",
            "read_timeout": "120s",
            "timeout": "12h",
        },
        retry_config=_RETRY,
        config=config,
    )


def _whole_or_parts(data: Data) -> tuple[bytes | None, Iterator[memoryview]]:
    """Data up to ``PART_BYTES`` as a whole; larger data (None, and) as parts of at most that size."""
    parts = _sliced(parts_of(data))
    head, size = [], 0
    for part in parts:
        head.append(part)
        size += len(part)
        if size > PART_BYTES:
            return None, chain(head, parts)
    return b"".join(head), iter(())


def _sliced(parts: Iterable[memoryview]) -> Iterator[memoryview]:
    for part in parts:
        for start in range(0, len(part), PART_BYTES):
            yield part[start : start + PART_BYTES]


_STATUS = re.compile(r"non-2xx status code: (\d{3})")
_CODE = re.compile(r"<Code>(\w+)</Code>|\(code: (\w+)\)")
_DENIED = {401, 403}
_TRY_AGAIN = {408, 425, 429}
_TRY_AGAIN_CODES = {"SlowDown", "RequestTimeout", "InternalError", "ServiceUnavailable", "Throttling"}


def _explained(error: Exception, key: str, store: S3Store) -> StorageError | NotFoundError:
    """What the server's answer means; obstore tells it in its text (most classes are ``GenericError``)."""
    text = str(error)
    status = int(found[1]) if (found := _STATUS.search(text)) else None
    code = (found[1] or found[2]) if (found := _CODE.search(text)) else ""
    said = " ".join(filter(None, (str(status or ""), code))) or type(error).__name__
    if code == "NoSuchBucket":
        return StorageError(
            f"There is no bucket {store.bucket}.", way_out="Create it, or correct the zone's URL."
        )
    if isinstance(error, FileNotFoundError | obstore.exceptions.NotFoundError):
        return NotFoundError(f"There is no {key} in {store.url}.")
    denied = isinstance(
        error, obstore.exceptions.PermissionDeniedError | obstore.exceptions.UnauthenticatedError
    )
    if denied or status in _DENIED or code == "AccessDenied":
        return StorageError(
            f"Access to {store.url} is denied ({said}).",
            way_out="Check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and what they may do with this bucket.",
        )
    if "169.254.169.254" in text:  # the last place where credentials are looked for, on AWS's own machines
        return StorageError(
            f"There are no credentials for {store.url}.",
            way_out="Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
        )
    if (
        (status is None and "HTTP error" in text)
        or status in _TRY_AGAIN
        or code in _TRY_AGAIN_CODES
        or (status is not None and status >= 500)
    ):
        return TransientError(
            f"{store.url} doesn't answer as it should ({said}).",
            way_out="Check AWS_ENDPOINT_URL and the network, then run the same command again.",
        )
    return StorageError(
        f"{store.url} refused a request ({said}).", way_out="Check AWS_ENDPOINT_URL and AWS_REGION."
    )
