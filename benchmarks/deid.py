"""De-identification beside its peers: CPU time, memory, and what is left in the output.

``make bench-deid`` makes the corpus, gives each peer a virtual environment of its own, runs all of them
interleaved, each run with its own output folder warmed by an uncounted one, and writes
``docs/benchmarks/deid.md``. CPU seconds are user + system of the whole process tree, start-up included. Ratios
are paired: each run is compared with the floor's of the same round.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
import venv
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.corpus import KINDS, PLANTED, Part, make_corpus

CHECKOUT = Path(__file__).parents[1]
PAGE = CHECKOUT / "docs" / "benchmarks" / "deid.md"
DRIVERS = Path(__file__).parent / "peers"
_BE_SUBREAPER = 36  # prctl(2), PR_SET_CHILD_SUBREAPER
FLOOR = "cp + sha256sum"


@dataclass(slots=True)
class Tool:
    """A tool that is measured.

    Attributes:
        name: As in the table.
        command: A shell command with ``{src}`` and ``{dst}``.
        package: What to install from the package index into an environment of its own; ``{python}`` in the
            command is that environment's.
        program: What must be on the path instead.
        most: Files of a kind beyond which it is not run, because it would take minutes.
        note: What the reader must know.
    """

    name: str
    command: str
    package: str = ""
    program: str = ""
    most: int = 10_000
    note: str = ""
    missing: str = ""
    runs: list[tuple[float, float, float]] = field(default_factory=list)
    leaks: list[str] | None = None
    files: int = 0


def tools() -> list[Tool]:
    """All of them, the floor first."""
    ours = f"{sys.executable} -m benchmarks.ours {{src}} {{dst}}"
    peer = f"{{python}} {DRIVERS}/"
    hashed = "cp -r {{src}}/. {{dst}} && find {{dst}} -type f -exec {0} {{{{}}}} + >/dev/null"
    return [
        Tool(FLOOR, hashed.format("sha256sum"), note="a floor: changes nothing"),
        Tool("cp + openssl sha256", hashed.format("openssl sha256"), note="a floor: changes nothing"),
        Tool(
            "aida_pipelines",
            ours,
            note="hashes input and output; keeps DeviceSerialNumber by its profile's option",
        ),
        Tool("aida_pipelines, verified", f"{ours} --verify", note="the same, verified"),
        Tool(
            "aida_pipelines, 2 processes",
            f"{ours} --workers 2",
            note="hashes input and output; keeps DeviceSerialNumber by its profile's option",
        ),
        Tool("gdcmanon", f"sh {DRIVERS}/gdcmanon.sh {{src}} {{dst}}", program="gdcmanon", note="no hash"),
        Tool(
            "fw-file-rs",
            peer + "run_fw_file_rs.py {src} {dst}",
            package="fw-file-rs",
            note="no hash; the profile is ours",
        ),
        Tool("dcmanon", peer + "run_dcmanon.py {src} {dst}", package="dcmanon", note="no hash"),
        Tool(
            "dicom-anonymizer",
            peer + "run_dicom_anonymizer.py {src} {dst}",
            package="dicom-anonymizer",
            most=600,
            note="no hash",
        ),
        Tool(
            "dicognito", peer + "run_dicognito.py {src} {dst}", package="dicognito", most=600, note="no hash"
        ),
    ]


def _prepare(tool: Tool, environments: Path) -> None:
    if tool.program and shutil.which(tool.program) is None:
        tool.missing = f"`{tool.program}` is not installed (Debian has it)"
    if not tool.package:
        return
    home = environments / tool.package
    python = home / "bin" / "python"
    if not (home / ".done").exists():
        venv.create(home, with_pip=True, clear=True)
        install = [python, "-m", "pip", "install", "--quiet", tool.package]
        if subprocess.run(install, check=False, capture_output=True).returncode:
            tool.missing = "could not be installed"
            return
        (home / ".done").touch()
    tool.command = tool.command.replace("{python}", str(python))


def _measure(tool: Tool, src: Path, dst: Path) -> tuple[float, float, float] | None:
    """CPU seconds, wall seconds, peak MB of the largest process; None if it failed."""
    dst.mkdir(parents=True, exist_ok=True)
    command = tool.command.format(src=src, dst=dst)
    before = time.perf_counter()
    process = subprocess.Popen(
        ["sh", "-c", command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - before
    usages = [usage, *_orphans()]
    if process.returncode != 0:
        return None
    cpu = sum(one.ru_utime + one.ru_stime for one in usages)
    return cpu, wall, max(one.ru_maxrss for one in usages) / 1024


def _orphans() -> Iterator[resource.struct_rusage]:
    """What processes used whose parent didn't wait for them (a pool's fork server): they became ours."""
    while True:
        try:
            yield os.wait4(-1, 0)[2]
        except ChildProcessError:
            return


def _leaks(dst: Path) -> list[str]:
    """What was planted and is still there, in a sample of the files."""
    files = sorted(path for path in dst.rglob("*") if path.is_file())
    sample = files[:: max(1, len(files) // 20)]
    found = {what for path in sample for what in _left_in(path.read_bytes())}
    return sorted(found)


def _left_in(data: bytes) -> list[str]:
    return [what for text, what in PLANTED.items() if text.encode() in data]


def _run(part: Part, kind: str, work: Path, rounds: int) -> list[Tool]:
    measured = tools()
    for tool in measured:
        _prepare(tool, work / "environments")
        if part.files > tool.most:
            tool.missing = tool.missing or "too slow for this many files"
    for number in range(rounds + 1):
        for tool in measured:
            if tool.missing:
                continue
            dst = work / "out" / kind / tool.name.replace(" ", "-").replace(",", "")
            run = _measure(tool, part.folder, dst)
            if run is None:
                tool.missing = "failed"
                continue
            print(f"{kind} {number} {tool.name}: {run[0]:.2f} CPU s", file=sys.stderr, flush=True)
            if number:
                tool.runs.append(run)
            elif "floor" not in tool.note:
                tool.leaks, tool.files = _leaks(dst), sum(path.is_file() for path in dst.rglob("*"))
    return measured


def _table(measured: list[Tool], part: Part) -> list[str]:
    floors = [run[0] for run in measured[0].runs]
    lines = [
        f"{part.files:,} files, {part.bytes / 1e6:,.0f} MB; {len(floors)} rounds.",
        "",
        f"| tool | CPU s | × {FLOOR}, paired | wall s | peak MB | files out | clean | note |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for tool in measured:
        if tool.missing or not tool.runs:
            lines.append(f"| {tool.name} | | | | | | | {tool.missing or 'not run'} |")
            continue
        cpu, wall, peak = (statistics.median(column) for column in zip(*tool.runs, strict=True))
        ratios = [run[0] / floor for run, floor in zip(tool.runs, floors, strict=True)]
        ratio = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        clean = "" if tool.leaks is None else "NO: " + ", ".join(tool.leaks) if tool.leaks else "yes"
        files = str(tool.files or "")
        lines.append(
            f"| {tool.name} | {cpu:.2f} | {ratio} | {wall:.2f} | {peak:.0f} | {files} | {clean} | {tool.note} |"
        )
    return lines


_ABOUT = """# De-identification: speed beside its peers

Made by `make bench-deid`; nothing here is written by hand. CPU seconds are user + system of the whole process
tree, start-up included, median of the rounds. *Clean* looks for planted texts in a sample of the outputs'
bytes: it is a floor on leaks, not proof. Peers run with their own defaults or with the driver in
`benchmarks/peers`; none hashes or verifies. Not measured: `deid` needs a recipe of one's own, Orthanc is a
server, CTP is not in a package index.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the corpus")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--work", type=Path, default=CHECKOUT / "build" / "bench")
    arguments = parser.parse_args()
    ctypes.CDLL(None).prctl(_BE_SUBREAPER, 1, 0, 0, 0)
    scale = 0.1 if arguments.quick else 1.0
    parts = make_corpus(arguments.work / "corpus", tuple(arguments.kinds), scale=scale)
    lines = [_ABOUT]
    for kind, part in parts.items():
        lines += [f"## {kind}", "", *_table(_run(part, kind, arguments.work, arguments.rounds), part), ""]
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text("\n".join(lines), encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
