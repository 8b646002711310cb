"""Scratch folders: private, gone after use, and swept after a kill."""

import signal
import stat
import subprocess
import sys

from aida_pipelines.storage.scratch import scratch, sweep_scratch


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
    assert child.stdout and child.stdout.readline() == b"ready\n"
    assert sweep_scratch(tmp_path) == 0
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert sweep_scratch(tmp_path) == 1
    assert list(tmp_path.iterdir()) == []
