"""A study is passed on as a whole, or not at all: nothing of it is in the refined zone before all of it is verified.

The finding is a natural one: a profile that keeps Image Comments, and an instance whose comment names the patient.
"""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from io import BytesIO

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aida_pipelines.contracts.load import load_contracts
from aida_pipelines.contracts.profile import Action, AttributeRule
from aida_pipelines.deid.decisions import quarantine_id
from aida_pipelines.deid.folder import deidentify_folder
from aida_pipelines.deid.study import whole_studies
from aida_pipelines.errors import NotFoundError, UsageError
from aida_pipelines.ingest.decisions import decide
from aida_pipelines.status import held_item, waits_for
from aida_pipelines.storage.tables import iter_rows
from aida_pipelines_tests.deid.test_stage import ID, NOW, Hub

FIRST, SECOND = "1.2.752.1.1.1", "1.2.752.1.2.1"
COMMENTS = 0x00204000
NAMES_HER = {COMMENTS: ("LT", b"Compared with Anna Svensson's images of May")}
KEEPS_COMMENTS = AttributeRule(
    attributes=("ImageComments",), action=Action.KEEP, reason="Nobody writes names there, someone thought."
)


@pytest.fixture(scope="module")
def contracts(request):
    """The shipped ones, with a mistake in the collection's profile."""
    shipped = load_contracts(request.config.rootpath / "data_contracts")
    name = shipped.collection("reference-images").deid_profile
    profile = shipped.profile(name)
    mistaken = profile.model_copy(
        update={"rules": (*profile.rules, KEEPS_COMMENTS), "fingerprint": "mistaken"}
    )
    return replace(shipped, profiles={**shipped.profiles, name: mistaken})


@pytest.fixture(scope="module")
def mistaken(contracts):
    return contracts.profile(contracts.collection("reference-images").deid_profile)


@pytest.fixture
def write(instance):
    """``write(folder, study, count, changed)``: a study's files; ``changed`` has elements by number."""

    def write(folder, study, count, changed=()):
        folder.mkdir(exist_ok=True)
        for number in range(count):
            identity = {
                0x00080018: ("UI", f"{study}.{number}".encode()),
                0x0020000D: ("UI", study.encode()),
                0x0020000E: ("UI", f"{study}.9".encode()),
                0x00200013: ("IS", str(number).encode()),
            }
            data = instance(identity | dict(changed).get(number, {}))
            (folder / f"{study}-{number:04}.dcm").write_bytes(data)

    return write


@pytest.fixture
def folder(tmp_path, write):
    """Two studies, lying mixed; one instance of the first names the patient, another has text burned in."""
    folder = tmp_path / "in"
    write(folder, FIRST, 10, {7: NAMES_HER, 8: {0x00280301: ("CS", b"YES")}})
    write(folder, SECOND, 6)
    return folder


@pytest.fixture
def hub(tmp_path, contracts, folder):
    hub = Hub(tmp_path / "hub", contracts)
    hub.deliver(folder)
    return hub


def studies_of_objects(hub):
    """Study Instance UIDs of whatever is in the refined zone's objects, pointed at or not."""
    objects = (hub.refined.get(info.key) for info in hub.refined.list("objects/"))
    return {pydicom.dcmread(BytesIO(data)).StudyInstanceUID for data in objects}


def reasons(hub):
    return {row["reason"] for row in hub.rows("rejections")}


def test_one_finding_holds_the_study_and_nothing_of_it_is_in_the_refined_zone(hub):
    receipt = hub.run()
    assert receipt.reasons == {"verification-failed": 1, "burned-in-text": 1, "study-held": 8}
    assert (receipt.counts["refined"], receipt.counts["quarantined"]) == (6, 10)
    assert len(list(hub.refined.list("objects/"))) == 6
    assert studies_of_objects(hub) == {row["study_instance_uid"] for row in hub.rows("instances")}
    assert len(studies_of_objects(hub)) == 1
    assert not list(hub.work.glob("*"))


def test_however_many_processes_the_result_is_the_same(tmp_path, contracts, folder, write):
    write(folder, FIRST, 70, {33: NAMES_HER})  # enough for processes of their own
    write(folder, SECOND, 30)
    one, two = (Hub(tmp_path / name, contracts) for name in ("one", "two"))
    two.key_file.write_bytes(one.key_file.read_bytes())
    for hub, workers in ((one, 1), (two, 2)):
        hub.deliver(folder)
        assert hub.run(workers=workers).reasons == {"verification-failed": 1, "study-held": 69}
    assert two.everything() == one.everything()
    assert len(studies_of_objects(one)) == 1


@pytest.mark.parametrize("place", [0, 4])
def test_it_does_not_matter_which_instance_has_the_finding(tmp_path, contracts, write, place):
    write(tmp_path / "in", FIRST, 5, {place: NAMES_HER})
    hub = Hub(tmp_path / "hub", contracts)
    hub.deliver(tmp_path / "in")
    assert hub.run().reasons == {"verification-failed": 1, "study-held": 4}
    assert not list(hub.refined.list("objects/"))


def held_by(hub, reason):
    return [row["id"] for row in hub.rows("rejections") if row["reason"] == reason]


def decided(hub, item, word):
    decide(item, word, by="Dr X", why="Looked at it", now=NOW, raw=hub.raw, refined=hub.refined)


def test_when_a_steward_has_rejected_the_instance_the_rest_of_its_study_passes(hub):
    hub.run()
    (failed,) = held_by(hub, "verification-failed")
    decided(hub, failed, "reject")
    receipt = hub.run()
    assert receipt.reasons == {"verification-failed": 1, "burned-in-text": 1}
    assert (receipt.counts["refined"], receipt.counts["rejected"]) == (14, 1)
    assert len(studies_of_objects(hub)) == 2
    assert b"Svensson" not in b"".join(hub.everything().values())


def test_one_of_two_findings_rejected_frees_nothing(tmp_path, contracts, write):
    write(tmp_path / "in", FIRST, 5, {0: NAMES_HER, 3: NAMES_HER})
    hub = Hub(tmp_path / "hub", contracts)
    hub.deliver(tmp_path / "in")
    hub.run()
    decided(hub, held_by(hub, "verification-failed")[0], "reject")
    receipt = hub.run()
    assert receipt.counts["refined"] == 0
    assert (receipt.counts["rejected"], receipt.counts["quarantined"]) == (1, 4)


def test_what_waits_for_its_study_can_be_rejected_but_not_released(hub):
    hub.run()
    item = held_by(hub, "study-held")[0]
    with pytest.raises(UsageError, match="nobody can release"):
        decided(hub, item, "release")
    decided(hub, item, "reject")
    decided(hub, held_by(hub, "verification-failed")[0], "reject")
    receipt = hub.run()
    assert receipt.counts["refined"] == 13
    assert held_by(hub, "rejected-by-steward") == [item]


def test_a_steward_is_told_which_finding_an_instance_waits_for(tmp_path, contracts, write):
    for study, place in ((FIRST, 3), (SECOND, 1)):
        write(tmp_path / "in", study, 5, {place: NAMES_HER})
    hub = Hub(tmp_path / "hub", contracts)
    hub.deliver(tmp_path / "in")
    hub.run()
    assert len(held_by(hub, "study-held")) == 8
    waiting = {
        item: waits_for(hub.raw, hub.refined, held_item(hub.refined, item))
        for item in held_by(hub, "study-held")
    }
    assert {len(findings) for findings in waiting.values()} == {1}
    findings = held_by(hub, "verification-failed")
    assert sorted({one for some in waiting.values() for one in some}) == sorted(findings)
    assert waits_for(hub.raw, hub.refined, held_item(hub.refined, findings[0])) == []


def test_a_study_that_passed_before_and_is_held_now_is_pointed_at_no_more(hub, contracts, request):
    mistaken, hub.contracts = hub.contracts, load_contracts(request.config.rootpath / "data_contracts")
    before = hub.run()
    assert before.counts["refined"] == 15  # the shipped profile takes the comment out
    hub.contracts = mistaken
    after = hub.run()
    assert after.counts["refined"] == 6
    assert len({row["study_instance_uid"] for row in hub.rows("instances")}) == 1


def test_a_run_that_fails_in_the_middle_of_a_study_leaves_nothing_of_it(tmp_path, contracts, write):
    write(tmp_path / "in", FIRST, 5)
    hub = Hub(tmp_path / "hub", contracts)
    hub.deliver(tmp_path / "in")
    lost = list(hub.raw.list("objects/"))[3].key
    data = hub.raw.get(lost)
    hub.raw.delete(lost)
    with pytest.raises(NotFoundError):
        hub.run()
    assert not list(hub.refined.list())
    assert not list(hub.work.glob("*"))
    hub.raw.put(lost, data)
    assert hub.run().counts["refined"] == 5


RUN = """
import sys
from pathlib import Path
from aida_pipelines_tests.deid.test_stage import Hub
from aida_pipelines.contracts.load import load_contracts

if __name__ == "__main__":
    Hub(Path(sys.argv[2]), load_contracts(Path(sys.argv[1]))).run(workers=2)
"""


def killed_at_40(program, *arguments, where, request, tmp_path):
    """Run a program; ``kill -9`` it and its processes when 40 instances are in scratch."""
    root = request.config.rootpath
    (tmp_path / "run.py").write_text(program)
    child = subprocess.Popen(
        [sys.executable, tmp_path / "run.py", root / "data_contracts", *arguments],
        env=os.environ | {"PYTHONPATH": str(root)},
        start_new_session=True,
    )
    while len(list(where.rglob("*.instance"))) < 40:
        assert child.poll() is None, "the run ended before it could be killed"
        time.sleep(0.002)
    os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def test_killed_in_the_middle_of_a_study_nothing_of_it_is_there_and_then_all_of_it(tmp_path, request, write):
    contracts = load_contracts(request.config.rootpath / "data_contracts")
    write(tmp_path / "in", FIRST, 100)
    hubs = [Hub(tmp_path / name, contracts) for name in ("killed", "whole")]
    hubs[1].key_file.write_bytes(hubs[0].key_file.read_bytes())
    for hub in hubs:
        hub.deliver(tmp_path / "in")
    killed, whole = hubs
    killed_at_40(RUN, killed.raw.root.parent, where=killed.work, request=request, tmp_path=tmp_path)
    assert not list(killed.refined.list())
    killed.run(workers=1)
    whole.run(workers=1)
    assert killed.everything() == whole.everything()
    assert not list(killed.work.glob("*"))


# --- the order of things -----------------------------------------------------------------------------------


@given(sizes=st.lists(st.integers(1, 5), max_size=6), data=st.data())
def test_the_first_of_a_study_comes_when_its_last_is_there(tmp_path_factory, sizes, data):
    study_of = [study for study, size in enumerate(sizes) for _ in range(size)]
    failing = data.draw(st.sets(st.integers(0, max(len(study_of) - 1, 0))))
    pulled = []

    def results():
        for number, study in enumerate(study_of):
            pulled.append(number)
            yield str(study), number

    found = []
    folder = tmp_path_factory.getbasetemp()
    for number, held in whole_studies(results(), failed=failing.__contains__, folder=folder):
        found.append(number)
        study = study_of[number]
        last = max(other for other, its in enumerate(study_of) if its == study)
        assert last in pulled
        assert pulled[-1] <= last + 1  # and no further: scratch holds a study, not a delivery
        assert held == any(other in failing for other, its in enumerate(study_of) if its == study)
    assert found == list(range(len(study_of)))


# --- a folder on its own -----------------------------------------------------------------------------------


@pytest.fixture
def alone(folder, tmp_path, mistaken, contracts):
    key = Hub(tmp_path / "keys", contracts).key_file

    def run(name="out", **more):
        summary = deidentify_folder(
            folder, tmp_path / name, profile=mistaken, contracts=contracts, key_file=key,
            report_dir=tmp_path / f"{name}-report", **more,
        )  # fmt: skip
        return summary, tmp_path / name, tmp_path / f"{name}-report"

    return run


def test_a_folders_study_is_held_as_a_whole_too(alone):
    summary, out, report = alone()
    assert summary.reasons == {"burned-in-text": 1, "study-held": 8, "verification-failed": 1}
    assert summary.counts == {"received": 16, "refined": 6, "quarantined": 10, "rejected": 0}
    files = [path for path in out.rglob("*") if path.is_file()]
    assert len(files) == 6
    assert len({pydicom.dcmread(path).StudyInstanceUID for path in files}) == 1
    assert json.loads((report / "report.json").read_text())["reasons"]["study-held"] == 8


RUN_ALONE = """
import sys
from pathlib import Path
from aida_pipelines.contracts.load import load_contracts
from aida_pipelines.deid.folder import deidentify_folder

if __name__ == "__main__":
    contracts, src, dst, key = map(Path, sys.argv[1:])
    contracts = load_contracts(contracts)
    profile = contracts.profile("research-longitudinal")
    deidentify_folder(src, dst, profile=profile, contracts=contracts, key_file=key, workers=1)
"""


def test_a_folders_run_that_was_killed_has_put_nothing_in_place(alone, folder, tmp_path, write, request):
    write(folder, SECOND, 150)
    out = tmp_path / "out"
    out.mkdir()
    killed_at_40(
        RUN_ALONE, folder, out, tmp_path / "keys" / "key", where=out, request=request, tmp_path=tmp_path
    )
    assert not list(out.rglob("*.dcm"))
    summary, _, _ = alone()
    assert summary.counts["refined"] == 150
    assert len([path for path in out.rglob("*") if path.is_file()]) == 150


def test_quarantine_ids_of_a_study_lead_to_its_files(hub):
    hub.run()
    files = {
        quarantine_id(ID, file["source_sha256"], file["ordinal"]): file["study_instance_uid"]
        for file in iter_rows(hub.raw, f"tables/files/delivery={ID}/part-0.parquet")
    }
    assert {files[item] for item in held_by(hub, "study-held")} == {FIRST}
