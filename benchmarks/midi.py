"""De-identification scored in the form of the MIDI-B challenge: ``make bench-midi``.

Without arguments: real files and phantoms dressed with made-up identities, their answer key as SQLite in the
challenge's layout (``benchmarks/midi_key.py``), ``aida deidentify`` over them, the score by action and category.
``--key FILE.db --src FOLDER`` takes a key and data that someone brings, ``--keep FOLDER`` keeps ours in that form. The
two actions on pixels are not scored here. Values of failed checks are shown only on request (``--show``).
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import sqlite3
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pydicom
from pydicom.dataset import Dataset

from aida_pipelines.deid.keys import create_key
from aida_pipelines.dicom.quiet import quiet_pydicom
from benchmarks.midi_key import generate, text_of

_RETAIN = frozenset({"tag_retained", "text_notnull", "text_retained", "uid_consistent", "patid_consistent"})
_CATEGORIES = {
    "date_shifted": "HIPAA", "uid_changed": "HIPAA", "tag_retained": "DICOM", "text_notnull": "DICOM",
    "uid_consistent": "DICOM", "patid_consistent": "DICOM",
}  # fmt: skip
_FUNCTION_WORDS = frozenset(
    (
        "a an and are as at be by for from has he her his in is it its not of on or "
        "she that the their they this to was were will with"
    ).split()
)
_ANSWERS = "SELECT SOPInstanceUID, AnswerData FROM answer_data"
_AIDA = "from aida_pipelines.cli.main import main; main()"
_TOKEN = re.compile(r"[^\s@,;:()\[\]{}<>!?&#$%\"']*[^\s@,;:()\[\]{}<>!?&#$%\"'.]")
"""Words as the challenge's tokeniser cuts them: a date and a host name are one, an address of mail is two."""
_STEP = re.compile(r"<([^<>]*)>")


def value_at(ds: Dataset, place: str) -> str | None:
    """The text at a place as keys write it; None where nothing is."""
    here: Any = ds
    for step in _STEP.findall(place):
        try:
            if re.fullmatch(r"\d{4}", step):
                here = here.value[int(step)]
            elif match := re.fullmatch(r'\(([0-9a-fA-F]{4}),"(.*)",([0-9a-fA-F]{2})\)', step):
                block = here.private_block(int(match[1], 16), match[2])
                here = here[block.get_tag(int(match[3], 16))]
            else:
                group, element = step.strip("()").split(",")
                here = here[int(group, 16), int(element, 16)]
        except (KeyError, IndexError, ValueError, AttributeError, TypeError):
            return None
    return text_of(here)


def _kept_share(wanted: str, value: str) -> float:
    try:
        return float(float(wanted) == float(value))
    except ValueError:
        pass
    if wanted in value:
        return 1.0
    words = [word for word in _TOKEN.findall(wanted) if word.lower() not in _FUNCTION_WORDS]
    return sum(word in value for word in words) / len(words) if words else 1.0


def passes(check: dict[str, Any], ds: Dataset | None, uids: dict[str, str], patients: dict[str, str]) -> bool:
    """The challenge's rule for one check; ``ds`` is None where the instance did not come out."""
    action = bare(check["action"])
    if ds is None:
        return action not in _RETAIN
    text, original = bare(check.get("action_text")), bare(check.get("value"))
    value = value_at(ds, check.get("tag_ds") or check["tag"])
    match action:
        case "tag_retained":
            return value is not None
        case "text_notnull":
            return bool(value)
        case "text_retained":
            return bool(value) and _kept_share(text or original, value or "") == 1.0
        case "text_removed":
            return value in (None, "", "REMOVED") or _kept_share(text or original, value or "") == 0.0
        case "date_shifted" | "uid_changed":
            return value is None or (original or text) not in value
        case "uid_consistent":
            return value is None or value == uids.get(original or text)
        case _:
            return value is None or value == patients.get(original or text)


def bare(text: object) -> str:
    """What is in the angle brackets that keys write around everything."""
    return "" if text is None else str(text).removeprefix("<").removesuffix(">")


def category_of(check: dict[str, Any]) -> str:
    """HIPAA, DICOM or TCIA (best practice): by the action, for texts by what the key says of them."""
    action = bare(check["action"])
    if action in _CATEGORIES:
        return _CATEGORIES[action]
    named = check.get("answer_category_v2") or check.get("answer_category") or {}
    names = json.dumps(named).lower()
    return "HIPAA" if action == "text_removed" and "hipaa" in names else "TCIA"


def _mapping(path: Path) -> dict[str, str]:
    with path.open(newline="", encoding="utf-8") as file:
        return {row["id_old"]: row["id_new"] for row in csv.DictReader(file)}


def _deidentified(src: Path, work: Path) -> bool:
    create_key(work / "pseudonym.key")
    command = [sys.executable, "-c", _AIDA, "deidentify", str(src), str(work / "out"),
               "--profile", "research-longitudinal", "--key-file", str(work / "pseudonym.key"),
               "--report", str(work / "report")]  # fmt: skip
    return subprocess.run(command, check=False, stdout=subprocess.DEVNULL).returncode in (0, 3)


class Score:
    """Checks and failures by action, by category and over all."""

    def __init__(self) -> None:
        self.total: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self.places: Counter[tuple[str, ...]] = Counter()
        self.instances = self.missing = 0

    def add(self, check: dict[str, Any], passed: bool, *, show: bool = False) -> None:
        """Count one check."""
        names = {bare(check["action"]), category_of(check), "all"}
        self.total.update(names)
        if not passed:
            self.failed.update(names)
            shown = (bare(check.get("action_text")),) if show else ()
            self.places[bare(check["action"]), str(check["tag"]), *shown] += 1

    def lines(self) -> Iterator[str]:
        """What a person reads."""
        yield f"{self.instances:,} instances, {self.missing:,} of them held"
        for name in sorted(self.total, key=lambda name: (name == "all", not name.isupper(), name)):
            share = 100 - 100 * self.failed[name] / self.total[name]
            yield f"{name:18} {self.total[name]:8} checks {self.failed[name]:6} failed {share:9.3f} %"
        for where, times in self.places.most_common(40):
            yield f"{times:8}  {'  '.join(where)}"

    @property
    def reached(self) -> bool:
        """At least 99.95 % of all, and every HIPAA check."""
        return not self.failed["HIPAA"] and self.failed["all"] <= 0.0005 * self.total["all"]


def score(key: Path, work: Path, *, show: bool = False) -> Score:
    """The key's checks on what ``aida deidentify`` wrote into ``work``."""
    uids, patients = (_mapping(work / "report" / f"{name}_mapping.csv") for name in ("uid", "patid"))
    files = {path.stem: path for path in (work / "out").rglob("*.dcm")}
    result = Score()
    with closing(sqlite3.connect(key)) as connection:
        for instance, answers in connection.execute(_ANSWERS):
            path = files.get(uids.get(bare(instance), ""))
            ds = pydicom.dcmread(path, stop_before_pixels=True) if path else None
            result.instances += 1
            result.missing += ds is None
            for check in json.loads(answers).values():
                if not bare(check["action"]).startswith("pixels_"):
                    result.add(check, passes(check, ds, uids, patients), show=show)
    return result


def main() -> int:
    """Generate if nothing is brought, de-identify, score, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--key", type=Path, help="an answer key as SQLite; with --src")
    parser.add_argument("--src", type=Path, help="the files it belongs to")
    parser.add_argument("--keep", type=Path, help="keep our key (key.db) and files (src/) in this folder")
    parser.add_argument("--data", type=Path, help="dress the files of this folder")
    parser.add_argument("--times", type=int, default=3, help="how often each real file is dressed")
    parser.add_argument("--patients", type=int, default=10, help="phantoms")
    parser.add_argument("--slices", type=int, default=12, help="of each phantom")
    parser.add_argument(
        "--show", action="store_true", help="show values of failed checks (synthetic data only)"
    )
    given = parser.parse_args()
    if (given.key is None) != (given.src is None):
        parser.error("--key and --src belong together")
    with tempfile.TemporaryDirectory() as folder, quiet_pydicom():
        work = Path(folder)
        home = given.keep or work
        key, src = given.key or home / "key.db", given.src or home / "src"
        if given.key is None:
            generate(
                src, key, times=given.times, patients=given.patients, slices=given.slices, folder=given.data
            )
        if not _deidentified(src, work):
            return 1
        result = score(key, work, show=given.show)
    print("\n".join(result.lines()))
    return int(not result.reached)


if __name__ == "__main__":
    raise SystemExit(main())
