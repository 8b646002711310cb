"""What a person gets who hands over something wrong: which thing, why, what now; the right exit code; no traces."""

import os
import shutil
import zipfile
from pathlib import Path

import pytest
from pydicom.data import get_testdata_file

from aida_pipelines.settings import shipped_file

HERE = ["--site", "norr", "--collection", "reference-images"]


def refused(home, *arguments: str) -> str:
    """Run it; assert exit code 2, one clear message, and zones as they were. Returns the message."""
    before = home.tree()
    said = home.run(*arguments, expect=2)
    assert said.stderr.startswith("aida: ")
    assert "Traceback" not in said.stderr
    assert "→" in said.stderr
    assert home.tree() == before
    return said.stderr


def test_a_source_that_is_not_there(home, tmp_path):
    assert "nowhere" in refused(home, "deliver", str(tmp_path / "nowhere"), *HERE)


def test_an_empty_folder(home, tmp_path):
    assert "empty" in refused(home, "deliver", str(tmp_path), *HERE)


def test_a_folder_without_dicom(home, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "notes.txt").write_text("no image here")
    assert "DICOM" in refused(home, "deliver", str(tmp_path / "in"), *HERE)


def test_a_symlink_out_of_the_folder(home, tmp_path):
    source = tmp_path / "in"
    source.mkdir()
    shutil.copy(get_testdata_file("CT_small.dcm"), source)
    (tmp_path / "secret").write_text("x")
    (source / "link.dcm").symlink_to(tmp_path / "secret")
    assert "link" in refused(home, "deliver", str(source), *HERE)


def test_a_zip_that_would_write_outside(home, tmp_path):
    archive = tmp_path / "evil.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.write(get_testdata_file("CT_small.dcm"), "ok.dcm")
        file.writestr("../../outside.dcm", b"x")
    assert "evil.zip" in refused(home, "deliver", str(archive), *HERE)


def test_a_zip_bomb(home, tmp_path):
    archive = tmp_path / "bomb.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.write(get_testdata_file("CT_small.dcm"), "ok.dcm")
        with file.open("bomb.dcm", "w") as member:
            for _ in range(300):
                member.write(bytes(1 << 20))
    assert "bomb.zip" in refused(home, "deliver", str(archive), *HERE)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_an_unreadable_file(home, tmp_path):
    shutil.copy(get_testdata_file("CT_small.dcm"), tmp_path / "a.dcm")
    (tmp_path / "a.dcm").chmod(0)
    assert "a.dcm" in refused(home, "deliver", str(tmp_path), *HERE)


def test_an_unknown_site(home, tmp_path):
    assert "norr" in refused(
        home, "deliver", str(tmp_path), "--site", "oster", "--collection", "reference-images"
    )


def test_a_wrong_contract_is_named_with_file_and_line(home, tmp_path):
    contracts = shutil.copytree(shipped_file("data_contracts"), tmp_path / "contracts")
    collection = contracts / "collections" / "reference-images.yaml"
    collection.write_text(
        collection.read_text().replace("deid_profile: research-longitudinal", "deid_profile: resaerch")
    )
    wrong = type(home)(home.path, {"AIDA_CONTRACTS": str(contracts)})
    said = refused(wrong, "deliver", str(tmp_path), *HERE)
    assert "reference-images.yaml:" in said
    assert "resaerch" in said
    assert "research-longitudinal" in said


def test_a_name_with_diacritics_and_spaces_is_no_problem(home, tmp_path):
    source = tmp_path / "Bilder från Åsa Öberg"
    source.mkdir()
    shutil.copy(get_testdata_file("CT_small.dcm"), source / "bild ett å.dcm")
    assert home.json("deliver", str(source), *HERE)["files"] == 1


def test_a_file_larger_than_the_disk_has_room_for(home, tmp_path):
    """A limit on the size of files stands for the full disk: the kernel refuses the write in the same way."""
    source = tmp_path / "in"
    source.mkdir()
    with Path(get_testdata_file("CT_small.dcm")).open("rb") as small, (source / "big.dcm").open("wb") as big:
        big.write(small.read())
        big.write(bytes(3 << 20))
    command = " ".join(
        [
            "ulimit -f 1024; trap '' XFSZ; exec",
            "python",
            "-m",
            "aida_pipelines.cli",
            "deliver",
            f"'{source}'",
            *HERE,
        ]
    )
    import subprocess
    import sys

    command = command.replace("python", f"'{sys.executable}'", 1)
    done = subprocess.run(["bash", "-c", command], env=home.env, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert "No space left" in done.stderr
    assert not [name for name in home.tree() if name.startswith("raw/")]


def test_commands_that_are_not_built_yet_say_so(home):
    for command in ("extract", "review", "withdraw", "push"):
        said = home.run(command, "--anything", expect=2)
        assert "not built yet" in said.stderr
