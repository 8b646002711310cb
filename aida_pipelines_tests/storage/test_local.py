"""A zone in a folder: what only a file system can do wrong."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from aida_pipelines.errors import NotFoundError, StorageError
from aida_pipelines.storage.local import LocalStore
from aida_pipelines.storage.objects import put_object
from aida_pipelines.storage.store import open_store
from aida_pipelines_tests.permissions import let_others_in


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "zone")


def remains(store: LocalStore) -> list[Path]:
    return list((store.root / ".tmp").iterdir())


def python(program: str, *arguments: str, wrapped_in: tuple[str, ...] = (), **options) -> subprocess.Popen:
    """A process of its own that runs ``program`` with ``store`` in ``sys.argv[1]``."""
    prelude = """
        import sys, time
        from pathlib import Path
        from aida_pipelines.errors import AidaError
        from aida_pipelines.storage.local import LocalStore
        store = LocalStore(Path(sys.argv[1]))
    """
    code = textwrap.dedent(prelude) + textwrap.dedent(program)
    return subprocess.Popen(
        [*wrapped_in, sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, text=True, **options
    )


# --- kills --------------------------------------------------------------------------------------------------------


def test_what_a_killed_writer_leaves_is_swept_and_nothing_else(store):
    program = """
        def data():
            yield b"x" * 100_000
            print("writing", flush=True)
            time.sleep(60)
        store.put("a/b", data())
    """
    writer = python(program, str(store.root))
    assert writer.stdout.readline() == "writing\n"
    assert store.sweep() == 0
    assert len(remains(store)) == 1
    assert list(store.list()) == []
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    assert store.sweep() == 1
    assert remains(store) == []


def test_writers_and_sweepers_work_side_by_side(store):
    def write(number: int) -> bool:
        store.sweep()
        return store.create(f"objects/{number % 7}/{number}", b"x" * 100, synced=False)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(write, range(1_000)))
    assert len(list(store.list())) == 1_000
    assert remains(store) == []


def test_a_sweep_covers_the_work_folder(tmp_path):
    store = open_store((tmp_path / "zone").as_uri(), work_dir=tmp_path / "work")
    (tmp_path / "work" / "aida-scratch-of-a-killed-process").mkdir(parents=True)
    assert store.sweep() == 1


# --- links and files that aren't objects --------------------------------------------------------------------------


def test_links_lead_out_of_the_zone_and_are_not_followed(store, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"secret")
    store.put("a/object", b"x")
    (store.root / "a" / "link").symlink_to(outside / "secret")
    (store.root / "linked").symlink_to(outside)
    assert [info.key for info in store.list()] == ["a/object"]
    assert list(store.list("linked/")) == []
    for key in ("a/link", "linked/secret"):
        assert store.stat(key) is None
        with pytest.raises(NotFoundError):
            store.get(key)
        store.delete(key)
    with pytest.raises(StorageError, match="symbolic link"):
        store.put("linked/new", b"x")
    with pytest.raises(StorageError, match="symbolic link"):
        store.create("linked/new", b"x")
    store.put("a/link", b"mine")  # replaces the link, not what it points to
    assert sorted(path.name for path in outside.iterdir()) == ["secret"]
    assert (outside / "secret").read_bytes() == b"secret"


def test_the_zone_itself_may_be_a_link(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "zone").symlink_to(tmp_path / "disk")
    store = LocalStore(tmp_path / "zone")
    store.put("a/b", b"x")
    assert [info.key for info in store.list()] == ["a/b"]


def test_hidden_files_and_pipes_are_no_objects(store):
    store.put("a/b", b"x")
    (store.root / "a" / ".DS_Store").write_bytes(b"")
    os.mkfifo(store.root / "a" / "pipe")
    assert [info.key for info in store.list()] == ["a/b"]
    with pytest.raises(NotFoundError):
        store.get("a/pipe")


def test_a_file_of_the_kernel_can_be_put(store):
    """It has no size, so the kernel's own copy sees nothing in it."""
    store.put_file("version", Path("/proc/version"))
    assert store.get("version") == Path("/proc/version").read_bytes()


# --- file systems without something -------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", [errno.EPERM, errno.EOPNOTSUPP])
def test_create_without_hard_links_is_conditional_too(store, monkeypatch, missing):
    """FAT and some network shares have none; none can be mounted in a test, so the call's answer is scripted."""

    def link(*_: object) -> None:
        raise OSError(missing, os.strerror(missing))

    monkeypatch.setattr(os, "link", link)
    with ThreadPoolExecutor(8) as pool:
        for attempt in range(20):
            won = list(pool.map(lambda n, a=attempt: store.create(f"r{a}", str(n).encode()), range(8)))
            assert won.count(True) == 1
            assert store.get(f"r{attempt}") == str(won.index(True)).encode()
    assert remains(store) == []


@pytest.mark.parametrize("unable", [errno.EXDEV, errno.EOPNOTSUPP])
def test_put_file_where_the_kernel_cannot_copy(store, tmp_path, monkeypatch, unable):
    def copy_file_range(*_: object) -> int:
        raise OSError(unable, os.strerror(unable))

    monkeypatch.setattr(os, "copy_file_range", copy_file_range)
    (tmp_path / "source").write_bytes(os.urandom(3_000_000))
    store.put_file("a", tmp_path / "source")
    assert store.get("a") == (tmp_path / "source").read_bytes()


# --- full, forbidden ----------------------------------------------------------------------------------------------

FILL = """
    calls = {
        "put": lambda: store.put("a/b", b"x" * 3_000_000),
        "create": lambda: store.create("a/b", iter([b"x" * 1_000_000] * 3)),
        "file": lambda: store.put_file("a/b", Path(sys.argv[2])),
    }
    for name, call in calls.items():
        try:
            call()
        except AidaError as error:
            print(type(error).__name__, error.message)
    print([info.key for info in store.list()], list((store.root / ".tmp").iterdir()))
"""


@pytest.fixture
def large(tmp_path) -> str:
    """A file that is larger than what the tests below leave room for."""
    path = tmp_path / "large"
    path.write_bytes(b"x" * 3_000_000)
    return str(path)


def test_a_file_over_the_limit_is_said_to_find_no_space(store, large):
    """RLIMIT_FSIZE answers EFBIG, as a quota does."""
    limited = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))\n"
    output, _ = python(limited + textwrap.dedent(FILL), str(store.root), large).communicate()
    assert output.splitlines() == [f"StorageError No space left in {store.url}."] * 3 + ["[] []"]


def test_a_full_disk_is_said_to_be_full(tmp_path, large):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c",
               f'mount -t tmpfs -o size=2m none "{disk}" && exec "$@"', "sh")  # fmt: skip
    if subprocess.run([*mounted, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("this machine lets nobody mount a file system of their own")
    output, _ = python(textwrap.dedent(FILL), str(disk / "zone"), large, wrapped_in=mounted).communicate()
    assert output.splitlines() == [
        *[f"StorageError No space left in {(disk / 'zone').as_uri()}."] * 3,
        "[] []",
    ]


def test_what_may_not_be_read_or_written_is_said(tmp_path):
    zone = tmp_path / "zone"
    store = LocalStore(zone)
    store.put("a/open", b"x")
    store.put("a/shut", b"x")
    (zone / "a" / "shut").chmod(0)
    (zone / "a").chmod(0o555)
    (zone / ".tmp").chmod(0o555)
    program = """
        import os
        if os.geteuid() == 0:  # root may do everything, so it becomes the user `nobody`, once Python is up
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
        assert store.get("a/open") == b"x"
        for call in (lambda: store.get("a/shut"), lambda: store.put("a/new", b"x"), lambda: store.delete("a/open")):
            try:
                call()
            except AidaError as error:
                print(type(error).__name__)
    """
    let_others_in(zone)
    process = python(program, str(zone))
    output, _ = process.communicate()
    (zone / "a").chmod(0o755)
    assert process.returncode == 0
    assert output.split() == ["StorageError"] * 3


def test_an_unreadable_source_is_not_the_stores_fault_and_not_named(store, tmp_path):
    with pytest.raises(StorageError, match="file to be put") as raised:
        store.put_file("a", tmp_path / "Anna Andersson.dcm")
    assert "Anna" not in str(raised.value)


def test_a_folder_in_the_way_is_an_error_not_a_loss(store):
    store.put("a/b", b"x")
    with pytest.raises(StorageError):
        store.put("a", b"y")
    with pytest.raises(StorageError):
        store.put("a/b/c", b"y")
    assert store.get("a/b") == b"x"
    assert remains(store) == []


# --- power --------------------------------------------------------------------------------------------------------


def test_an_object_torn_by_a_loss_of_power_is_written_again(store):
    sha256 = put_object(store, [b"header", b"pixels"], "dcm")
    key = f"objects/{sha256[:2]}/{sha256}.dcm"
    (store.root / key).write_bytes(b"")  # what a file system may leave of an object that wasn't flushed
    assert put_object(store, [b"header", b"pixels"], "dcm") == sha256
    assert store.get(key) == b"headerpixels"


def test_flush_needs_no_zone_yet(store):
    store.flush()
    store.put("a", b"x")
    store.flush()
