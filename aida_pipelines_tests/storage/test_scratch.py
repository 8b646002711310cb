"""Scratch folders: private, gone after use, and swept after a kill."""

import signal
import stat
import subprocess
import sys
import threading

from aida_pipelines.storage.scratch import scratch, scratch_file, sweep_scratch


def test_a_scratch_folder_is_private_and_gone_afterwards(tmp_path):
    with scratch(tmp_path / "work") as folder:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        (folder / "spool").write_bytes(b"x")
    assert list((tmp_path / "work").iterdir()) == []


def test_a_folder_in_use_is_not_swept(tmp_path):
    with scratch(tmp_path) as folder:
        assert sweep_scratch(tmp_path) == 0
        assert folder.is_dir()


def test_what_a_killed_process_leaves_is_swept(tmp_path):
    program = (
        "import sys, time; from pathlib import Path; from aida_pipelines.storage.scratch import scratch\n"
        "with scratch(Path(sys.argv[1])) as folder:\n"
        "    (folder / 'spool').write_bytes(b'x'); print('ready', flush=True); time.sleep(60)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE)
    assert child.stdout
    assert child.stdout.readline() == b"ready\n"
    assert sweep_scratch(tmp_path) == 0
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert sweep_scratch(tmp_path) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_sweep_never_takes_what_a_writer_has_just_made(tmp_path):
    """Between the making of a file and its lock a sweep may come by: the writer then makes another."""
    done = threading.Event()

    def sweep() -> None:
        while not done.is_set():
            sweep_scratch(tmp_path)

    sweepers = [threading.Thread(target=sweep) for _ in range(3)]
    for sweeper in sweepers:
        sweeper.start()
    try:
        for _ in range(500):
            with scratch_file(tmp_path) as (file, path):
                assert file.fileno() >= 0
                path.rename(tmp_path / "placed")
    finally:
        done.set()
        for sweeper in sweepers:
            sweeper.join()


def test_a_sweep_takes_nothing_but_scratch(tmp_path):
    (tmp_path / "aida-home").mkdir()
    (tmp_path / "elsewhere").write_bytes(b"x")
    (tmp_path / "aida-scratch-link").symlink_to(tmp_path / "elsewhere")
    assert sweep_scratch(tmp_path) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["aida-home", "aida-scratch-link", "elsewhere"]
