"""De-identification beside its peers: CPU and wall time, memory, what is left in the output, and the pixels.

``make bench-deid`` makes the corpus, gives each peer a virtual environment of its own, runs all of them
interleaved, each with its own output folder warmed by an uncounted run, and writes ``docs/benchmarks/deid.md``.
CPU seconds are user + system of the whole process tree. Ratios are paired: each run is compared with the other
tool's of the same round. Python peers that would take minutes get a tenth of the CT part, in a table of their own.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import shutil
import statistics
import subprocess
import sys
import venv
from dataclasses import dataclass, field
from pathlib import Path

import pydicom

from aida_pipelines.deid.pseudonym import create_key
from benchmarks.corpus import KINDS, PLANTED, Part, make_corpus
from benchmarks.peers import recipes

CHECKOUT = Path(__file__).parents[1]
PAGE = CHECKOUT / "docs" / "benchmarks" / "deid.md"
DRIVERS = Path(__file__).parent / "peers"
FLOOR, OURS, VERIFIED, TWO = (
    "cp + sha256sum",
    "aida_pipelines",
    "aida_pipelines, verified",
    "aida_pipelines, 2 processes",
)
FW = "fw-file-rs"
_SAMPLE = 20
_PIXEL_SAMPLE = 5
_BY_OPTION = frozenset({"DeviceSerialNumber"})
"""What our profile keeps by the standard's option Retain Device Identity: no leak of ours."""

Run = tuple[float, float, float]
"""CPU seconds, wall seconds, peak MB of the largest process."""


@dataclass(slots=True)
class Tool:
    """A tool that is measured.

    Attributes:
        name: As in the table.
        command: A shell command with ``{src}``, ``{dst}`` and ``{work}``.
        package: What to install from the package index into an environment of its own; ``{python}`` in the
            command is that environment's.
        program: What must be on the path instead.
        slow: Gets a tenth of the CT part only.
        fresh: Refuses an output folder with other results in it.
        note: What the reader must know.
    """

    name: str
    command: str
    package: str = ""
    program: str = ""
    slow: bool = False
    fresh: bool = False
    note: str = ""
    missing: str = ""
    runs: list[Run] = field(default_factory=list)
    start: float = 0.0
    leaks: list[str] | None = None
    pixels: str = ""
    files: int = 0


def tools() -> list[Tool]:
    """All of them, the floor first."""
    ours = f"{sys.executable} -m benchmarks.ours {{src}} {{dst}}"
    peer = f"{{python}} {DRIVERS}/"
    hashed = "cp -r {{src}}/. {{dst}} && find {{dst}} -type f -exec {0} {{{{}}}} + >/dev/null"
    edited = (
        "cp -r {src}/. {dst} && find {dst} -name '*.dcm' -exec dcmodify @{work}/dcmodify.txt {{}} + || true"
    )
    cli = (
        f"{sys.executable} -m aida_pipelines.cli deidentify {{src}} {{dst}} --key-file {{work}}/key"
        " --report {dst}.report; test $? -ne 1"
    )
    return [
        Tool(FLOOR, hashed.format("sha256sum"), note="a floor: changes nothing"),
        Tool("cp + openssl sha256", hashed.format("openssl sha256"), note="a floor: changes nothing"),
        Tool(OURS, ours, note="hashes input and output"),
        Tool(VERIFIED, f"{ours} --verify", note="hashes input and output; every header verified"),
        Tool(TWO, f"{ours} --workers 2", note="hashes input and output"),
        Tool("aida deidentify", cli, fresh=True, note="the command: verified, with its report, a process a core"),
        Tool(
            FW, peer + "run_fw_file_rs.py {work}/fw-file-rs.yaml {src} {dst}", package="fw-file-rs",
            note="no hash; our profile: table E.1-1, listed sequences removed whole, times kept",
        ),
        Tool("gdcmanon", f"sh {DRIVERS}/gdcmanon.sh {{src}} {{dst}}", program="gdcmanon",
             note="no hash; its Basic Profile; encrypts the originals into the file"),
        Tool("dcmanon", peer + "run_dcmanon.py {src} {dst}", package="dcmanon", note="no hash; its defaults"),
        Tool("dcmodify", edited, program="dcmodify",
             note="no hash; an edit list of ours; new study and series UIDs in every file; copies first"),
        Tool("dicom-anonymizer", peer + "run_dicom_anonymizer.py {src} {dst}", package="dicom-anonymizer",
             slow=True, note="no hash; its defaults: dates replaced, not moved"),
        Tool("dicognito", peer + "run_dicognito.py {src} {dst}", package="dicognito", slow=True,
             note="no hash; its defaults"),
        Tool("deid", peer + "run_deid.py {work}/deid.dicom {src} {dst}", package="deid", slow=True,
             note="no hash; our recipe: table E.1-1"),
    ]  # fmt: skip


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


def _measure(tool: Tool, src: Path, dst: Path, work: Path) -> Run | None:
    """What one run takes; None if it failed."""
    if tool.fresh:
        shutil.rmtree(dst, ignore_errors=True)
    dst.mkdir(parents=True, exist_ok=True)
    command = tool.command.format(src=src, dst=dst, work=work)
    shell = [sys.executable, "-I", "-S", str(Path(__file__).with_name("usage.py")), command]
    done = subprocess.run(
        shell, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(CHECKOUT)}
    )
    if done.returncode:
        return None
    cpu, wall, peak = map(float, done.stdout.split())
    return cpu, wall, peak


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _leaks(dst: Path) -> list[str]:
    """What was planted and is still there, in a sample of the files."""
    files = _files(dst)
    sample = files[:: max(1, len(files) // _SAMPLE)]
    found = {what for path in sample for what in _left_in(path.read_bytes())}
    return sorted(found)


def _left_in(data: bytes) -> list[str]:
    return [what for text, what in PLANTED.items() if text.encode() in data]


def _pixels(path: Path) -> str:
    return hashlib.sha256(pydicom.dcmread(path).PixelData).hexdigest()


def _pixels_equal(src: Path, dst: Path) -> str:
    """Whether the encoded pixel data of a sample of outputs are those of an input, byte for byte."""
    files = _files(dst)
    sources = {_pixels(path) for path in _files(src)}
    sample = files[:: max(1, len(files) // _PIXEL_SAMPLE)][:_PIXEL_SAMPLE]
    same = sum(_pixels(path) in sources for path in sample)
    return "yes" if same == len(sample) else f"NO: {len(sample) - same} of {len(sample)} differ"


def _run(measured: list[Tool], part: Part, name: str, work: Path, rounds: int) -> None:
    one = work / "one" / name
    one.mkdir(parents=True, exist_ok=True)
    first = _files(part.folder)[0]
    shutil.copy(first, one / first.name)
    for number in range(rounds + 1):
        for tool in measured:
            if tool.missing:
                continue
            dst = work / "out" / name / tool.name.replace(" ", "-").replace(",", "")
            run = _measure(tool, part.folder, dst, work)
            start = _measure(tool, one, dst.with_name(f"{dst.name}-one"), work) if number == 1 else (0.0,)
            if run is None or start is None:
                tool.missing = "failed"
                continue
            print(f"{name} {number} {tool.name}: {run[0]:.2f} CPU s", file=sys.stderr, flush=True)
            if number:
                tool.runs.append(run)
                tool.start += start[0]
            elif "floor" not in tool.note:
                tool.leaks, tool.files = _leaks(dst), len(_files(dst))
                tool.pixels = _pixels_equal(part.folder, dst)


def _paired(one: Tool, other: Tool, column: int = 0) -> list[float]:
    return [a[column] / b[column] for a, b in zip(one.runs, other.runs, strict=True)]


def _clean(tool: Tool) -> str:
    if tool.leaks is None:
        return ""
    ours = tool.name.startswith("aida")
    left = [what for what in tool.leaks if not (ours and what in _BY_OPTION)]
    if left:
        return "NO: " + ", ".join(left)
    return "yes, but DeviceSerialNumber, by option" if tool.leaks else "yes"


def _table(measured: list[Tool], part: Part) -> list[str]:
    floor = measured[0]
    lines = [
        f"{part.files:,} files, {part.bytes / 1e6:,.0f} MB; {len(floor.runs)} rounds.",
        "",
        f"| tool | CPU s | × {FLOOR}, paired | start-up, CPU s | ms a file without it | wall s | peak MB "
        "| files out | pixels equal | clean | note |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for tool in measured:
        if tool.missing or not tool.runs:
            lines.append(f"| {tool.name} | | | | | | | | | | {tool.missing or 'not run'} |")
            continue
        cpu, wall, peak = (statistics.median(column) for column in zip(*tool.runs, strict=True))
        ratios = _paired(tool, floor)
        ratio = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        each = 1000 * max(cpu - tool.start, 0) / max(part.files - 1, 1)
        lines.append(
            f"| {tool.name} | {cpu:.2f} | {ratio} | {tool.start:.2f} | {each:.2f} | {wall:.2f} | {peak:.0f} "
            f"| {tool.files or ''} | {tool.pixels} | {_clean(tool)} | {tool.note} |"
        )
    return lines


def _goals(results: dict[str, list[Tool]]) -> list[str]:
    """Issue 3's goals beside what was measured."""
    wanted = [
        ("ct", OURS, FLOOR, "CPU", "≤", 1.3),
        ("ct", VERIFIED, FLOOR, "CPU", "≤", 2.0),
        ("ct", OURS, FW, "CPU", "≤", 0.75),
        ("ct", OURS, TWO, "wall", "≥", 1.8),
        *((kind, OURS, FLOOR, "CPU", "≤", 2.0) for kind in ("mr", "comp", "us")),
    ]
    lines = ["| part | what | goal | measured | |", "|---|---|---|---|---|"]
    for kind, one, other, what, sign, goal in wanted:
        named = {tool.name: tool for tool in results.get(kind, ())}
        if one not in named or other not in named or not (named[one].runs and named[other].runs):
            continue
        found = statistics.median(_paired(named[one], named[other], int(what == "wall")))
        met = found <= goal if sign == "≤" else found >= goal
        lines.append(
            f"| {kind} | {what} of {one} / {other} | {sign} {goal} | {found:.2f} | {'met' if met else 'NOT met'} |"
        )
    return lines


_ABOUT = """# De-identification: speed beside its peers

Made by `make bench-deid`; nothing here is written by hand. CPU seconds are user + system of the whole process
tree, start-up included, median of the rounds; *start-up* is the CPU time of the same command on one file. *Pixels
equal* compares the encoded pixel data of a sample of outputs with the inputs', byte for byte. *Clean* looks for
planted texts in a sample of the outputs' bytes: it is a floor on leaks, not proof. Peers run with their own defaults
or with the driver and rules in `benchmarks/peers`, as the notes say; none hashes or verifies. Not measured: Orthanc
(a server with a database), CTP (in no package index). Where a part is a few files only, start-up is most of what is
measured, whoever is measured.
"""


def _write_rules(work: Path) -> None:
    work.mkdir(parents=True, exist_ok=True)
    (work / "fw-file-rs.yaml").write_text(recipes.fw_file_rs(), encoding="utf-8")
    (work / "deid.dicom").write_text(recipes.deid(), encoding="utf-8")
    (work / "dcmodify.txt").write_text(recipes.dcmodify(), encoding="utf-8")
    if not (work / "key").exists():
        create_key(work / "key")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="a tenth of the corpus, one round; writes no page"
    )
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--work", type=Path, default=CHECKOUT / "build" / "bench")
    arguments = parser.parse_args()
    work, rounds = arguments.work, 1 if arguments.quick else arguments.rounds
    _write_rules(work)
    scale = 0.1 if arguments.quick else 1.0
    kinds = tuple(arguments.kinds)
    parts = make_corpus(work / "corpus", kinds, scale=scale)
    results: dict[str, list[Tool]] = {}
    tables: list[str] = []
    for kind, part in parts.items():
        results[kind] = [tool for tool in tools() if not tool.slow]
        for tool in results[kind]:
            _prepare(tool, work / "environments")
        _run(results[kind], part, kind, work, rounds)
        tables += [f"## {kind}", "", *_table(results[kind], part), ""]
    if "ct" in parts:
        part = make_corpus(work / "corpus", ("ct",), scale=0.02 if arguments.quick else 0.1)["ct"]
        slow = [tool for tool in tools() if tool.slow or tool.name in (FLOOR, OURS, VERIFIED)]
        for tool in slow:
            _prepare(tool, work / "environments")
        _run(slow, part, "ct-part", work, min(rounds, 2))
        tables += ["## A part of ct, for the slow ones", "", *_table(slow, part), ""]
    load = os.getloadavg()[2]
    machine = f"Python {platform.python_version()}, {os.cpu_count()} processors, load {load:.1f} (15 min)."
    page = "\n".join([_ABOUT, machine, "", *_goals(results), "", *tables])
    print(page)
    if not arguments.quick:
        PAGE.parent.mkdir(parents=True, exist_ok=True)
        PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
