"""What every store guarantees, asked of every store: a folder, SeaweedFS, and a second S3 server."""

from __future__ import annotations

import mmap
import multiprocessing
import os
import pickle
import signal
import stat
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.synchronize import Event
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aida_pipelines.errors import NotFoundError, UsageError
from aida_pipelines.storage.objects import object_key, put_object_file, sha256_of_file, verify_object
from aida_pipelines.storage.s3 import PART_BYTES
from aida_pipelines.storage.store import ObjectStore, is_key
from aida_pipelines_tests.storage.conftest import CONDITIONAL, KINDS, StoreFactory

every_store = pytest.mark.parametrize("kind", KINDS)
every_conditional_store = pytest.mark.parametrize("kind", CONDITIONAL)

spawn = multiprocessing.get_context("spawn")


def keys(store: ObjectStore, prefix: str = "") -> list[str]:
    return [info.key for info in store.list(prefix)]


# --- bytes in, bytes out ------------------------------------------------------------------------------------------


@every_store
@pytest.mark.parametrize("size", [0, 1, PART_BYTES, PART_BYTES + 1])
def test_what_is_put_is_what_is_got(store, size):
    data = os.urandom(size)
    store.put("a/b", data)
    assert store.get("a/b") == data
    assert store.stat("a/b").size == size


@every_store
def test_data_may_come_in_parts_of_any_buffer_type(store):
    mapped = mmap.mmap(-1, 4)
    mapped[:] = b"mmap"
    words = memoryview(b"12345678").cast("I")  # an item is not a byte
    store.put("parts", iter([b"bytes", bytearray(b"array"), b"", words, mapped]))
    store.put("one", mapped)
    assert store.get("parts") == b"bytesarray12345678mmap"
    assert store.get("one") == b"mmap"


@every_store
def test_put_replaces(store):
    store.put("a", b"a longer first")
    store.put("a", b"second")
    assert store.get("a") == b"second"


@every_store
@pytest.mark.parametrize(("how", "blocks"), [("parts", 70), ("file", 20)])
def test_a_large_object_goes_in_several_parts(store, how, blocks, tmp_path):
    block = os.urandom(1 << 20)
    if how == "parts":
        store.put("large", (block for _ in range(blocks)))
    else:
        path = tmp_path / "source"
        path.write_bytes(block * blocks)
        store.put_file("large", path)
    assert store.stat("large").size == blocks << 20
    with store.local("large") as path, path.open("rb") as file:
        assert all(file.read(1 << 20) == block for _ in range(blocks))
        assert file.read() == b""


@every_store
@pytest.mark.parametrize("size", [1_000, PART_BYTES + 1])
def test_a_local_file_becomes_an_object_once(store, size, tmp_path):
    path = tmp_path / "source"
    path.write_bytes(os.urandom(size))
    sha256 = sha256_of_file(path)
    for _ in range(2):
        put_object_file(store, path, sha256, "dcm")
        assert verify_object(store, sha256, "dcm") == size
    store.put(object_key(sha256, "dcm"), b"torn by a loss of power")
    put_object_file(store, path, sha256, "dcm")
    assert verify_object(store, sha256, "dcm") == size


@every_store
@pytest.mark.parametrize("size", [0, 1_000])
def test_a_small_file_is_put(store, size, tmp_path):
    (tmp_path / "source").write_bytes(b"x" * size)
    store.put_file("a/b", tmp_path / "source")
    assert store.get("a/b") == b"x" * size


@every_store
def test_what_is_not_there_is_said_so(store):
    store.put("folder/object", b"x")
    for key in ("nothing", "folder", "folder/nothing", "nothing/nothing"):
        assert store.stat(key) is None
        with pytest.raises(NotFoundError):
            store.get(key)
        with pytest.raises(NotFoundError), store.local(key):
            pass


@every_store
def test_delete_removes_and_may_be_repeated(store):
    store.put("a/b", b"x")
    store.delete("a/b")
    store.delete("a/b")
    store.delete("never/was")
    assert store.stat("a/b") is None
    assert keys(store) == []


# --- keys ---------------------------------------------------------------------------------------------------------


@every_store
@pytest.mark.parametrize(
    "key",
    ["å ä ö/Ünïcode ☃", "a b/c", "a+b", "100%", "a%20b", "a%2Fb", "x:y*?#&=;@,'\"<>", "tail ", "a" * 255],
)
def test_odd_names_are_names(store, key):
    store.put(key, b"odd")
    assert keys(store) == [key]
    assert store.get(key) == b"odd"
    assert store.stat(key).size == 3
    store.delete(key)
    assert keys(store) == []


BAD_KEYS = [
    "", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/./b", ".tmp", ".tmp/a", "a/.hidden",
    "a\\b", "a\0b", "a\nb", "a\x7f", "a\udcff", "a" * 256, "/".join(["a" * 200] * 6),
]  # fmt: skip


@every_store
@pytest.mark.parametrize("key", BAD_KEYS, ids=range(len(BAD_KEYS)))
def test_what_is_not_a_key_is_refused(store, key, tmp_path):
    (tmp_path / "file").write_bytes(b"x")
    calls = [
        lambda: store.get(key),
        lambda: store.put(key, b"x"),
        lambda: store.create(key, b"x"),
        lambda: store.put_file(key, tmp_path / "file"),
        lambda: store.stat(key),
        lambda: store.delete(key),
        lambda: store.local(key).__enter__(),
    ]
    for call in calls:
        with pytest.raises(UsageError):
            call()
    assert keys(store) == []


# --- listing ------------------------------------------------------------------------------------------------------


@every_store
def test_a_listing_is_in_the_order_of_keys(store):
    """Also where a folder's name begins another name: '-' and '.' sort before '/', letters after it."""
    names = ["d/x", "d-e/x", "d.f", "d/y/z", "d0", "D", "é", "e", "z/a", "z/B", "z!/a"]
    for name in names:
        store.put(name, name.encode())
    assert keys(store) == sorted(names)
    assert [info.size for info in store.list("z")] == [4, 3, 3]


@every_store
@pytest.mark.parametrize(
    "prefix", ["", "a", "ab", "ab/", "ab/c", "ab/cd/", "ab/cd/e", "b", "b/", "ab//", "/", "../"]
)
def test_a_prefix_is_the_beginning_of_keys(store, prefix):
    names = ["a", "ab/c", "ab/cd/e", "ab/cd/ef", "abc/d", "b"]
    for name in names:
        store.put(name, b"x")
    assert keys(store, prefix) == [name for name in names if name.startswith(prefix)]


@every_store
def test_a_listing_goes_on_after_a_page(store):
    names = [f"folder/{number:04}" for number in range(1_100)]  # a page of S3 holds 1,000
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: store.create(name, b"", synced=False), names))
    assert keys(store) == names
    assert keys(store, "folder/109") == names[1090:]


@every_store
def test_a_listing_may_be_left(store):
    for name in ("a/1", "b/1", "c/1"):
        store.put(name, b"x")
    assert next(iter(store.list())).key == "a/1"


# --- atomic, conditional ------------------------------------------------------------------------------------------


@every_store
def test_a_reader_sees_the_old_bytes_or_the_new(store):
    versions = [bytes([65 + number]) * 300_000 for number in range(4)]
    store.put("a", versions[0])
    seen, done = [], threading.Event()

    def read() -> None:
        while not done.is_set():
            seen.append(store.get("a"))

    with ThreadPoolExecutor(2) as pool:
        readers = [pool.submit(read) for _ in range(2)]
        for _ in range(5):
            for version in versions:
                store.put("a", version)
        done.set()
        for reader in readers:
            reader.result()
    assert set(seen) <= set(versions)


@every_store
@pytest.mark.parametrize("parts_before", [0, 1, 3])
def test_data_that_fail_leave_nothing(store, parts_before):
    """Also when a part has been sent: the exception of the data's source comes out as it is."""

    def data() -> Iterator[bytes]:
        for _ in range(parts_before):
            yield b"x" * PART_BYTES
        raise OSError(5, "the source broke")

    store.put("there", b"before")
    for write in (store.put, store.create):
        with pytest.raises(OSError, match="the source broke"):
            write("new", data())
    with pytest.raises(OSError, match="the source broke"):
        store.put("there", data())
    assert keys(store) == ["there"]
    assert store.get("there") == b"before"
    assert store.sweep() == 0


@every_conditional_store
@pytest.mark.parametrize("size", [0, 1, PART_BYTES + 1])
def test_create_writes_only_where_nothing_is(store, size):
    assert store.create("a", b"1" * size) is True
    assert store.create("a", b"2" * size) is False
    assert store.get("a") == b"1" * size


@every_conditional_store
def test_of_concurrent_creators_one_wins(store):
    for attempt in range(2):
        barrier = threading.Barrier(8)

        def create(number: int, attempt: int = attempt, barrier: threading.Barrier = barrier) -> bool:
            barrier.wait()
            return store.create(f"release-{attempt}", str(number).encode() * 1_000)

        with ThreadPoolExecutor(8) as pool:
            won = list(pool.map(create, range(8)))
        assert won.count(True) == 1
        assert store.get(f"release-{attempt}") == str(won.index(True)).encode() * 1_000


def _write_slowly(store: ObjectStore, started: Event) -> None:
    def data() -> Iterator[bytes]:
        for _ in range(3):
            yield os.urandom(PART_BYTES)
        started.set()
        time.sleep(60)

    store.put("new", data())


@every_store
def test_a_writer_killed_in_the_middle_shows_nothing(store):
    started = spawn.Event()
    writer = spawn.Process(target=_write_slowly, args=(store, started))
    writer.start()
    assert started.wait(60)
    os.kill(writer.pid, signal.SIGKILL)
    writer.join()
    assert store.stat("new") is None
    assert keys(store) == []
    store.put("new", b"again")
    assert store.get("new") == b"again"


# --- the rest -----------------------------------------------------------------------------------------------------


@every_store
def test_a_local_file_is_private_or_the_zones_own(store, tmp_path):
    store.put("a/object.nii.gz", b"x")
    with store.local("a/object.nii.gz") as path:
        assert path.read_bytes() == b"x"
        assert path.name.endswith(".nii.gz")  # readers choose a decoder by it
        copied = path.is_relative_to(tmp_path / "work")
        if copied:
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert path.exists() is not copied
    assert store.sweep() == 0


@every_store
def test_a_store_can_be_handed_to_another_process(store):
    store.put("a", b"x")
    store.flush()
    assert pickle.loads(pickle.dumps(store)).get("a") == b"x"


@every_conditional_store
@pytest.mark.parametrize("key", ["tables/t/delivery=a/part-0.parquet", "tables/t/*/part-0.parquet"])
def test_polars_reads_by_uri(store, key, tmp_path):
    pl.DataFrame({"n": [1, 2]}).write_parquet(tmp_path / "t.parquet")
    for delivery in ("a", "b"):
        store.put_file(f"tables/t/delivery={delivery}/part-0.parquet", tmp_path / "t.parquet")
    frame = pl.scan_parquet(store.uri(key), storage_options=store.storage_options(), hive_partitioning=False)
    assert frame.collect().height == (4 if "*" in key else 2)


names = st.sampled_from(["a", "a-b", "a.b", "b/c", "b/c-d", "b/c.d", "b-", "ö/x y", "ö/x%20y", "z/1/2/3"])
contents = st.binary(max_size=40)
operations = st.lists(
    st.one_of(
        st.tuples(st.just("put"), names, contents),
        st.tuples(st.just("create"), names, contents),
        st.tuples(st.just("delete"), names),
        st.tuples(st.just("get"), names),
        st.tuples(st.just("list"), st.sampled_from(["", "a", "b", "b/", "b/c", "ö", "z/1/", "q"])),
    ),
    max_size=30,
)


@every_conditional_store
def test_a_store_behaves_as_a_dictionary(new_store: StoreFactory):
    @given(operations)
    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    def law(steps: list[tuple[str, ...]]) -> None:
        store, model = new_store(), {}
        for step in steps:
            match step:
                case ("put", key, data):
                    store.put(key, data)
                    model[key] = data
                case ("create", key, data):
                    assert store.create(key, data) is (key not in model)
                    model.setdefault(key, data)
                case ("delete", key):
                    store.delete(key)
                    model.pop(key, None)
                case ("get", key):
                    found = store.stat(key)
                    assert (found.size if found else None) == (len(model[key]) if key in model else None)
                    if key in model:
                        assert store.get(key) == model[key]
                case ("list", prefix):
                    assert [(i.key, i.size) for i in store.list(prefix)] == [
                        (key, len(model[key])) for key in sorted(model) if key.startswith(prefix)
                    ]
        assert {key: store.get(key) for key in keys(store)} == model

    law()


@given(st.text(max_size=30))
def test_a_key_stays_below_its_zone(text):
    if is_key(text):
        assert (Path("/zone") / text).resolve().is_relative_to("/zone")
        assert Path("/zone", text).relative_to("/zone").as_posix() == text
