"""Half a megabyte per object into and out of SeaweedFS: obstore beside boto3. ``make bench`` prints the figures.

A benchmark that pytest runs, because the server is the tests' own.
"""

import os
import resource
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from aida_pipelines.storage.s3 import S3Store
from aida_pipelines_tests.servers import S3Server

OBJECTS, SIZE, THREADS = 200, 530_000, 8


def test_objects_per_second(seaweedfs: S3Server) -> None:
    data = os.urandom(SIZE)
    store, client = S3Store("raw", access=seaweedfs.access()), seaweedfs.client()
    keys = [f"bench/{number:04d}" for number in range(OBJECTS)]

    def boto3_get(key: str) -> bytes:
        body: bytes = client.get_object(Bucket="raw", Key=f"b{key}")["Body"].read()
        return body

    rows: list[tuple[str, Callable[[str], object]]] = [
        ("obstore put", lambda key: store.put(key, data)),
        ("boto3 put", lambda key: client.put_object(Bucket="raw", Key=f"b{key}", Body=data)),
        ("obstore get", store.get),
        ("boto3 get", boto3_get),
    ]
    print(
        f"\n{OBJECTS} objects of {SIZE:,} bytes, {THREADS} threads\n\n| what | objects/s | client CPU ms/object |"
    )
    print("|---|---|---|")
    for name, work in rows:
        before, cpu = time.perf_counter(), _cpu()
        with ThreadPoolExecutor(THREADS) as pool:
            assert len(list(pool.map(work, keys))) == OBJECTS
        seconds = time.perf_counter() - before
        print(f"| {name} | {OBJECTS / seconds:.0f} | {(_cpu() - cpu) / OBJECTS * 1000:.2f} |")


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
