"""Runs a shell command; prints CPU seconds of its whole process tree, wall seconds, peak MB of its largest process.

A process of its own, and a small one: what is started from it begins with its memory as high-water mark.
"""

import ctypes
import os
import subprocess
import sys
import time

_BE_SUBREAPER = 36  # prctl(2), PR_SET_CHILD_SUBREAPER

ctypes.CDLL(None).prctl(_BE_SUBREAPER, 1, 0, 0, 0)
before = time.perf_counter()
process = subprocess.Popen(["sh", "-c", sys.argv[1]], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
_, status, usage = os.wait4(process.pid, 0)
wall = time.perf_counter() - before
usages = [usage]
while True:
    # Processes whose parent didn't wait for them (a pool's fork server) became ours.
    try:
        usages.append(os.wait4(-1, 0)[2])
    except ChildProcessError:
        break
cpu = sum(one.ru_utime + one.ru_stime for one in usages)
print(cpu, wall, max(one.ru_maxrss for one in usages) / 1024)
sys.exit(os.waitstatus_to_exitcode(status))
