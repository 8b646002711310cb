"""What can't be taken: which source, which member, why, what now; and nothing of it stays in the zone."""

import bz2
import gzip
import io
import lzma
import os
import shutil
import socket
import stat
import struct
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from pydicom.data import get_testdata_file

from aida_pipelines.errors import UsageError
from aida_pipelines.ingest.sources import folder as folder_source
from aida_pipelines_tests.permissions import let_others_in

CT = Path(get_testdata_file("CT_small.dcm"))


# --- the call ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{"site": "oster"}, {"collection": "unknown"}])
def test_an_unknown_site_or_collection_lists_what_there_is(intake, folder, options):
    said = intake.refuses(folder, **options)
    assert "norr, syd" in said or "reference-images" in said


def test_a_site_without_agreement_is_refused(intake, folder):
    from dataclasses import replace

    collection = intake.contracts.collection("reference-images").model_copy(update={"sites": ("syd",)})
    contracts = replace(intake.contracts, collections={"reference-images": collection})
    assert "no agreement with site norr" in replace(intake, contracts=contracts).refuses(folder)


def test_a_wrong_id_is_refused_before_anything_is_read(intake, tmp_path):
    assert "can't be the id" in intake.refuses(tmp_path / "nowhere", delivery_id="Not An Id")


def test_what_is_not_there(intake, tmp_path):
    assert "No such file" in intake.refuses(tmp_path / "nowhere")


def test_what_is_no_path(intake):
    assert "can't be read" in intake.refuses("in\0valid")


def test_a_device(intake):
    assert "neither a file nor a folder" in intake.refuses("/dev/null")


# --- folders ----------------------------------------------------------------------------------------------


def test_an_empty_folder(intake, tmp_path):
    (tmp_path / "in" / "deep" / "er").mkdir(parents=True)
    assert "is empty" in intake.refuses(tmp_path / "in")


def test_a_folder_without_dicom(intake, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "notes.txt").write_text("no image here")
    (tmp_path / "in" / "table.csv").write_text("weight;height\n1;2\n")
    assert "no DICOM file and no clinical table" in intake.refuses(tmp_path / "in")


@pytest.mark.parametrize(
    ("target", "what"),
    [("ct.dcm", "is a symbolic link"), ("../out.dcm", "out of the folder"), ("gone.dcm", "leads nowhere")],
)
def test_links_are_refused_wherever_they_lead(intake, folder, target, what):
    shutil.copy(CT, folder.parent / "out.dcm")
    (folder / "link.dcm").symlink_to(target)
    said = intake.refuses(folder)
    assert "'link.dcm'" in said
    assert what in said


def test_a_loop_of_folders(intake, folder):
    (folder / "loop").symlink_to(".", target_is_directory=True)
    assert "symbolic link" in intake.refuses(folder)


def test_a_folder_may_itself_be_named_by_a_link(intake, folder):
    link = folder.with_name("link")
    link.symlink_to(folder, target_is_directory=True)
    assert intake.deliver(link).files == 1


def test_a_named_pipe_does_not_make_it_wait(intake, folder):
    os.mkfifo(folder / "pipe")
    assert "a named pipe" in intake.refuses(folder)


def test_a_socket(intake, folder, monkeypatch):
    monkeypatch.chdir(folder)  # a socket's address is short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("sock")
        assert "a socket" in intake.refuses(folder)


@pytest.mark.parametrize("name", ["file", "folder"])
def test_what_may_not_be_read(intake, folder, name):
    """In a process of another user, for root may read everything."""
    if os.geteuid() != 0:
        (folder / "ct.dcm").chmod(0)
        assert "permission denied" in intake.refuses(folder)
        return
    closed = folder / "closed"
    closed.mkdir()
    shutil.copy(CT, closed / "ct.dcm")
    (closed if name == "folder" else closed / "ct.dcm").chmod(0)
    program = f"""
import os, sys
from pathlib import Path
from aida_pipelines.contracts.site import Limits
from aida_pipelines.errors import UsageError
from aida_pipelines.ingest.sources import open_source
limits = Limits(max_delivery_bytes=10**9, max_file_bytes=10**9, max_compression_ratio=500)
source = open_source({str(folder)!r}, limits=limits, zone_url="file:///nowhere")
os.setuid(65534)
try:
    source.check()
except UsageError as error:
    sys.exit(str(error))
"""
    let_others_in(folder)
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "'closed" in said.stderr
    assert "permission denied" in said.stderr


def test_a_file_that_grows_while_it_is_read(intake, folder, monkeypatch):
    read = folder_source._read

    def meanwhile(typed, found):
        for chunk in read(typed, found):
            with (folder / "ct.dcm").open("ab") as file:
                file.write(b"more")
            yield chunk

    monkeypatch.setattr(folder_source, "_read", meanwhile)
    assert "'ct.dcm' changed while it was read" in intake.refuses(folder)


def test_a_file_that_is_swapped_for_a_link_after_the_walk(intake, folder, monkeypatch):
    read = folder_source._read

    def swapped(typed, found):
        (folder / "ct.dcm").unlink()
        (folder / "ct.dcm").symlink_to("/etc/hostname")
        return read(typed, found)

    monkeypatch.setattr(folder_source, "_read", swapped)
    assert "can't be read" in intake.refuses(folder)


def test_the_zone_is_not_delivered_into_itself(intake, folder):
    intake.deliver(folder)
    for source in (intake.home, intake.home / "raw", intake.home / "raw" / "objects"):
        assert "lie in one another" in intake.refuses(source)


def test_more_than_the_site_may_deliver(intake, folder):
    assert "max_file_bytes" in intake.limited(max_file_bytes=39_000).refuses(folder)
    shutil.copy(CT, folder / "again.dcm")
    assert "max_delivery_bytes" in intake.limited(max_delivery_bytes=78_000).refuses(folder)


# --- zip --------------------------------------------------------------------------------------------------


def zipped(path: Path, members: dict[str | zipfile.ZipInfo, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def of_mode(name: str, mode: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, mode << 16
    return info


@pytest.mark.parametrize("name", ["../outside.dcm", "a/../../b", "/abs.dcm", "C:\\x.dcm", "..\\x.dcm"])
def test_a_zip_with_names_that_lead_out(intake, tmp_path, name):
    said = intake.refuses(zipped(tmp_path / "evil.zip", {"ok.dcm": CT.read_bytes(), name: b"x"}))
    assert "evil.zip" in said
    assert "leaves the archive" in said or "absolute name" in said


@pytest.mark.parametrize(
    ("kind", "what"), [(stat.S_IFLNK, "symbolic link"), (stat.S_IFIFO, "no file"), (stat.S_IFCHR, "no file")]
)
def test_a_zip_with_what_is_no_file(intake, tmp_path, kind, what):
    members = {"ok.dcm": CT.read_bytes(), of_mode("odd", kind | 0o644): b"/etc/passwd"}
    assert what in intake.refuses(zipped(tmp_path / "odd.zip", members))


def test_an_encrypted_zip(intake, tmp_path):
    archive = zipped(tmp_path / "secret.zip", {"ct.dcm": CT.read_bytes()})
    content = bytearray(archive.read_bytes())
    content[6] |= 1  # local header
    content[content.index(b"PK\x01\x02") + 8] |= 1  # central directory
    archive.write_bytes(content)
    assert "is encrypted" in intake.refuses(archive)


@pytest.mark.parametrize("kept", [0.3, 0.9, 0.999])
def test_a_zip_that_was_cut(intake, tmp_path, kept):
    archive = zipped(tmp_path / "cut.zip", {"ct.dcm": CT.read_bytes()})
    archive.write_bytes(archive.read_bytes()[: int(archive.stat().st_size * kept)])
    assert "damaged or cut" in intake.refuses(archive)


def test_a_zip_with_wrong_bytes_in_a_later_member_leaves_nothing_of_the_earlier(intake, tmp_path):
    archive = zipped(tmp_path / "rot.zip", {"a.dcm": CT.read_bytes(), "b.dcm": CT.read_bytes()[:-2] + b"zz"})
    content = bytearray(archive.read_bytes())
    content[-5000] ^= 0xFF
    archive.write_bytes(content)
    assert "'b.dcm' is damaged" in intake.refuses(archive)


def test_a_compression_that_python_has_not(intake, tmp_path):
    archive = zipped(tmp_path / "odd.zip", {"ct.dcm": CT.read_bytes()})
    content = bytearray(archive.read_bytes())
    content[8] = content[content.index(b"PK\x01\x02") + 10] = 9  # deflate64
    archive.write_bytes(content)
    assert "compressed in a way" in intake.refuses(archive)


def test_an_empty_zip(intake, tmp_path):
    assert "empty archive" in intake.refuses(zipped(tmp_path / "empty.zip", {}))
    assert "empty archive" in intake.refuses(zipped(tmp_path / "folders.zip", {"a/": b""}))


def bomb(path: Path, *, mebibytes: int = 200) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(CT, "ok.dcm")
        with archive.open("bomb.dcm", "w") as member:
            for _ in range(mebibytes):
                member.write(bytes(1 << 20))
    return path


def test_a_zip_bomb_by_what_it_declares(intake, tmp_path):
    assert "zip bomb" in intake.refuses(bomb(tmp_path / "bomb.zip"))


def test_a_zip_bomb_that_declares_little(intake, tmp_path):
    """The declared size is a lie; the ratio is held while bytes come."""
    archive = bomb(tmp_path / "bomb.zip")
    content = bytearray(archive.read_bytes())
    for at in (content.index(b"PK\x03\x04", 4) + 22, content.rindex(b"PK\x01\x02") + 24):
        struct.pack_into("<L", content, at, 1000)
    archive.write_bytes(content)
    said = intake.refuses(archive)
    assert "zip bomb" in said or "damaged" in said


def test_a_zip_of_overlapping_members(intake, tmp_path):
    """One packed member, named by many directory entries (D. Fifield, 2019)."""
    archive = zipped(tmp_path / "overlap.zip", {"a.dcm": CT.read_bytes() + bytes(4 << 20)})
    content = archive.read_bytes()
    start, end = content.index(b"PK\x01\x02"), content.index(b"PK\x05\x06")
    entry, closing = content[start:end], bytearray(content[end:])
    struct.pack_into("<HHLL", closing, 8, 2000, 2000, len(entry) * 2000, start)
    archive.write_bytes(content[:start] + entry * 2000 + closing)
    said = intake.refuses(archive)
    assert "zip bomb" in said or "damaged" in said


# --- tar --------------------------------------------------------------------------------------------------


def tarred(path: Path, members: list[tuple[tarfile.TarInfo | str, bytes]], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:
        for member, content in members:
            info = tarfile.TarInfo(member) if isinstance(member, str) else member
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def of_type(name: str, kind: bytes, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


@pytest.mark.parametrize("name", ["../outside.dcm", "/abs.dcm", "a/../../b"])
def test_a_tar_with_names_that_lead_out(intake, tmp_path, name):
    said = intake.refuses(tarred(tmp_path / "evil.tar", [("ok.dcm", CT.read_bytes()), (name, b"x")]))
    assert "leaves the archive" in said or "absolute name" in said


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        (tarfile.SYMTYPE, "is a link"),
        (tarfile.LNKTYPE, "is a link"),
        (tarfile.FIFOTYPE, "is no file"),
        (tarfile.CHRTYPE, "is no file"),
    ],
)
def test_a_tar_with_what_is_no_file(intake, tmp_path, kind, what):
    members = [("ok.dcm", CT.read_bytes()), (of_type("odd", kind, "/etc/passwd"), b"")]
    assert what in intake.refuses(tarred(tmp_path / "odd.tar", members))


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
@pytest.mark.parametrize("kept", [0.4, 0.95])
def test_a_tar_that_was_cut(intake, tmp_path, mode, kept):
    members = [(f"{n}.dcm", CT.read_bytes() + bytes([n])) for n in range(3)]
    archive = tarred(tmp_path / "cut.tar", members, mode)
    archive.write_bytes(archive.read_bytes()[: int(archive.stat().st_size * kept)])
    assert "damaged or cut" in intake.refuses(archive)


def test_a_tar_that_was_cut_between_two_members_is_not_taken_for_whole(intake, tmp_path):
    content = CT.read_bytes()
    archive = tarred(tmp_path / "cut.tar", [("a.dcm", content), ("b.dcm", content + b"b")])
    blocks = 1 + -(-len(content) // 512)
    archive.write_bytes(archive.read_bytes()[: 512 * blocks])
    with tarfile.open(archive) as tar:
        assert tar.getnames() == ["a.dcm"]  # tarfile itself says nothing
    assert "damaged or cut" in intake.refuses(archive)


def test_a_tar_with_a_damaged_header_in_its_middle(intake, tmp_path):
    content = CT.read_bytes()
    archive = tarred(tmp_path / "rot.tar", [("a.dcm", content), ("b.dcm", content + b"b")])
    raw = bytearray(archive.read_bytes())
    raw[512 * (1 + -(-len(content) // 512)) + 3] ^= 0xFF
    archive.write_bytes(raw)
    assert "damaged or cut" in intake.refuses(archive)


def test_a_tar_whose_checksum_is_wrong_after_its_last_file(intake, tmp_path):
    archive = tarred(tmp_path / "rot.tgz", [("a.dcm", CT.read_bytes())], "w:gz")
    raw = bytearray(archive.read_bytes())
    raw[-6] ^= 0xFF  # CRC-32 of gzip's trailer
    archive.write_bytes(raw)
    assert "damaged or cut" in intake.refuses(archive)


def test_a_tar_bomb(intake, tmp_path):
    archive = tmp_path / "bomb.tar.gz"
    with gzip.open(archive, "wb", compresslevel=9) as packed, tarfile.open(fileobj=packed, mode="w|") as tar:
        info = tarfile.TarInfo("bomb.dcm")
        info.size = 200 << 20
        tar.addfile(info, Zeros(info.size))
    assert "zip bomb" in intake.refuses(archive)


class Zeros(io.RawIOBase):
    """A stream of zeros."""

    def __init__(self, size: int) -> None:
        self.left = size

    def read(self, size: int = -1) -> bytes:
        size = min(size, self.left)
        self.left -= size
        return bytes(size)


def test_a_tar_header_that_asks_for_much_memory(intake, tmp_path):
    long_name = of_type("x", tarfile.GNUTYPE_LONGNAME)
    archive = tarred(tmp_path / "bomb.tar", [("ok.dcm", CT.read_bytes()), (long_name, bytes(2 << 20))])
    assert "damaged" in intake.refuses(archive)


def test_a_tar_of_more_bytes_than_the_site_may_deliver(intake, tmp_path):
    members = [(f"{n}.dcm", CT.read_bytes()) for n in range(3)]
    archive = tarred(tmp_path / "much.tar", members)
    assert "max_delivery_bytes" in intake.limited(max_delivery_bytes=100_000).refuses(archive)
    assert "max_file_bytes" in intake.limited(max_file_bytes=39_000).refuses(archive)


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_a_packed_file_that_is_no_tar(intake, tmp_path, pack):
    (tmp_path / "ct.dcm.packed").write_bytes(pack(CT.read_bytes()))
    assert "is no tar file" in intake.refuses(tmp_path / "ct.dcm.packed")


def test_an_archive_of_another_kind(intake, tmp_path):
    (tmp_path / "a.7z").write_bytes(b"7z\xbc\xaf\x27\x1c" + bytes(100))
    assert "no DICOM file" in intake.refuses(tmp_path / "a.7z")


# --- messages ---------------------------------------------------------------------------------------------


def test_a_name_in_a_message_can_do_nothing_to_the_terminal(intake, folder):
    os.mkfifo(os.fsencode(folder) + b"/\x1b]0;evil\x07\xff" + "å".encode() * 100)
    said = intake.refuses(folder)
    assert "\x1b" not in said
    assert r"'\u001B]0;evil\u0007\xFF" in said
    assert len(said) < 600


def test_a_refusal_in_the_middle_takes_back_only_its_own_objects(intake, folder, tmp_path):
    intake.deliver(folder)  # the same slice, which the refused archive holds too
    members = [
        ("a.dcm", CT.read_bytes()),
        ("b.dcm", CT.read_bytes() + b"b"),
        (of_type("l", tarfile.SYMTYPE, "a"), b""),
    ]
    intake.refuses(tarred(tmp_path / "late.tar", members))
    with pytest.raises(UsageError):
        intake.deliver(tmp_path / "late.tar")
    assert len(list((intake.home / "raw" / "objects").rglob("*.dcm"))) == 1
