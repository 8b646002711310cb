"""One instance: written in pieces and hashed in the same pass, its row read from what was rewritten."""

import hashlib
import subprocess
import sys
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pydicom.data
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from aida_pipelines.contracts.load import load_contracts
from aida_pipelines.deid import instance as module
from aida_pipelines.deid.fast import FastDeidentifier
from aida_pipelines.deid.instance import RowMaker, chunks, write
from aida_pipelines.dicom.attributes import Attributes
from aida_pipelines.dicom.encode import encode_element
from aida_pipelines.dicom.parse import EXPLICIT, parse_file
from aida_pipelines.errors import Quarantine
from aida_pipelines.storage.objects import mapped

BUNDLED = sorted((Path(pydicom.data.__file__).parent / "test_files").rglob("*.dcm"))


@pytest.fixture(scope="module")
def contract(request):
    return load_contracts(request.config.rootpath / "data_contracts").table("instances")


@pytest.fixture(scope="module")
def deidentify(research, pseudonyms, cleaners):
    """``deidentify(source)``: the result, or None for what is held."""
    one = FastDeidentifier(research, pseudonyms, *cleaners, issuer="site")

    def deidentify(source):
        try:
            return one.deidentify(source, pixels_reviewed=True)
        except Quarantine:
            return None

    return deidentify


# --- rows --------------------------------------------------------------------------------------------------


def as_parsed(contract, result):
    """The row as reading the whole new header gives it."""
    attributes = Attributes(parse_file(result.header))
    types = contract.arrow_schema
    row = {}
    for column in contract.columns:
        if word := column.custom.get("dicomKeyword"):
            many = str(types.field(column.name).type).startswith("list")
            row[column.name] = (list(attributes.values(word)) or None) if many else attributes.first(word)
    return row | {"subject": result.subject, "transfer_syntax_uid": result.source.transfer_syntax}


def rows_agree(contract, deidentify, paths):
    make, seen = RowMaker(contract), 0
    for path in (*paths, *paths):
        result = deidentify(path.read_bytes())
        if result is not None:
            seen += 1
            assert make(result) == as_parsed(contract, result), path.name
    return seen


def test_a_row_is_what_the_new_header_says(contract, deidentify):
    assert rows_agree(contract, deidentify, BUNDLED) > 100


@pytest.mark.shared
def test_the_development_datas_rows_are_what_their_new_headers_say(contract, deidentify, dev_data):
    paths = sorted(path for path in dev_data.rglob("*") if path.is_file())[::5]
    assert rows_agree(contract, deidentify, paths) > 100


def test_what_is_remembered_depends_on_the_character_set(contract, deidentify, instance):
    make = RowMaker(contract)
    text = {0x00081030: ("LO", "CT hjärna".encode("latin-1"))}
    for charset in (b"ISO_IR 100", b"ISO_IR 101", b"ISO_IR 100", b""):
        result = deidentify(instance(text | ({0x00080005: ("CS", charset)} if charset else {})))
        assert make(result) == as_parsed(contract, result)


def test_when_all_is_forgotten_rows_stay_the_same(contract, deidentify, monkeypatch):
    monkeypatch.setattr(module, "_MAX_REMEMBERED", 1000)
    rows_agree(contract, deidentify, BUNDLED[:20])


# --- bytes -------------------------------------------------------------------------------------------------


@given(
    pixels=st.binary(max_size=60).map(lambda data: data.replace(b"\0", b"\1")),
    cuts=st.lists(st.integers(0, 60), max_size=8, unique=True),
    piece=st.integers(1, 20),
)
def test_whatever_the_pieces_the_blanks_are_zeros_and_the_rest_stays(
    deidentify, instance, pixels, cuts, piece
):
    cuts = sorted(cut for cut in cuts if cut <= len(pixels))
    blanks = tuple(zip(cuts[::2], cuts[1::2], strict=False))
    result = replace(deidentify(instance()), pixels=memoryview(pixels), blanks=blanks)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(module, "CHUNK", piece)
        assert b"".join(chunks(result)) == b"".join(result.parts)


@pytest.mark.parametrize("kind", ["mapped", "bytes"])
def test_both_files_hashes_come_from_the_pass_that_writes(deidentify, instance, tmp_path, kind):
    extra = tmp_path / "padded.dcm"
    pixels = encode_element(0x7FE00010, "OW", bytes(range(250)) * 8, EXPLICIT)
    extra.write_bytes(instance() + pixels + encode_element(0xFFFCFFFC, "OB", b"behind", EXPLICIT))
    deflated = next(path for path in BUNDLED if path.name == "image_dfl.dcm")
    written = 0
    for number, path in enumerate([*BUNDLED, extra, deflated]):
        source = mapped(path) if kind == "mapped" else path.read_bytes()
        result = deidentify(source)
        if result is None:
            continue
        target = tmp_path / f"{number}"
        found = write(result, target, source=source)
        made = target.read_bytes()
        assert made == b"".join(result.parts)
        assert (found.sha256, found.size) == (hashlib.sha256(made).hexdigest(), len(made))
        assert found.source_sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
        written += 1
    assert written > 50


# --- memory ------------------------------------------------------------------------------------------------

LIMIT = 200 << 20
LARGE = 2_500_000_000

WORK = """
import sys
from pathlib import Path
from aida_pipelines.contracts.load import load_contracts
from aida_pipelines.deid.folder import deidentify_folder

src, dst, contracts, key = map(Path, sys.argv[1:])
contracts = load_contracts(contracts)
profile = contracts.profile("research-longitudinal")
summary = deidentify_folder(src, dst, profile=profile, contracts=contracts, key_file=key, workers=1)
assert summary.counts["refined"] == 1, summary.reasons
status = Path("/proc/self/status").read_text().splitlines()
print(next(line.split()[1] for line in status if line.startswith("VmHWM:")))
"""


def large_native(path, instance):
    """A multi-frame file whose pixels are a hole in the file system."""
    frames, side = LARGE // (2 * 1000 * 1000), 1000
    size = side.to_bytes(2, "little")
    geometry = {
        0x00280002: ("US", b"\1\0"),
        0x00280008: ("IS", str(frames).encode()),
        0x00280010: ("US", size),
        0x00280011: ("US", size),
        0x00280100: ("US", b"\x10\0"),
    }
    pixels = b"\xe0\x7f\x10\0OW\0\0" + LARGE.to_bytes(4, "little")
    header = instance(geometry) + pixels
    path.write_bytes(header)
    with path.open("r+b") as file:
        file.truncate(len(header) + LARGE)


def large_compressed(path, instance):
    """JPEG frames of 64 KB each, as a slide has them."""
    picture = BytesIO()
    Image.new("L", (16, 16)).save(picture, "JPEG")
    frame = picture.getvalue()[:-2] + b"\x11" * (64 << 10) + b"\xff\xd9"
    count = LARGE // 4 // len(frame)
    meta = {0x00280008: ("IS", str(count).encode()), 0x00280100: ("US", b"\x08\0")}
    header = instance(meta).replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.4.50")
    header = bytearray(header)
    place = header.index(b"1.2.840.10008.1.2.4.50")
    header[place - 2 : place] = (22).to_bytes(2, "little")
    start = header.index(b"\2\0\0\0UL") + 8
    header[start : start + 4] = (int.from_bytes(header[start : start + 4], "little") + 2).to_bytes(
        4, "little"
    )
    with path.open("wb") as file:
        file.write(header)
        file.write(b"\xe0\x7f\x10\0OB\0\0\xff\xff\xff\xff\xfe\xff\0\xe0\0\0\0\0")
        for _ in range(count):
            file.write(b"\xfe\xff\0\xe0" + len(frame).to_bytes(4, "little") + frame)
        file.write(b"\xfe\xff\xdd\xe0\0\0\0\0")


@pytest.mark.slow
@pytest.mark.parametrize("make", [large_native, large_compressed])
def test_a_file_larger_than_memory_passes_in_little(make, tmp_path, instance, request):
    """The peak is of all resident pages, those of the mapped file among them."""
    (tmp_path / "in").mkdir()
    make(tmp_path / "in" / "large", instance)
    key = tmp_path / "key"
    key.write_bytes(bytes(range(32)))
    key.chmod(0o600)
    out = subprocess.run(
        [sys.executable, "-c", WORK, tmp_path / "in", tmp_path / "out", request.config.rootpath / "data_contracts", key],
        stdout=subprocess.PIPE,
        check=True,
    )  # fmt: skip
    (made,) = (path for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert made.stat().st_size > 500_000_000
    print(f"peak {int(out.stdout) / 1024:.0f} MiB for {made.stat().st_size / 1e6:.0f} MB")
    assert int(out.stdout) * 1024 < LIMIT
