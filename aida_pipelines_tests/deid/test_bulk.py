"""Numbers that are numbers, and text that lies among them: lists, tables, colour profiles."""

import math
import random
from io import BytesIO
from struct import pack

import pytest
from PIL import Image, ImageCms
from pydicom import dcmread
from pydicom.data import get_palette_files

from aida_pipelines.deid.bulk import hides_text, table_hides_text
from aida_pipelines.deid.icc import rebuilt
from aida_pipelines.dicom.quiet import quiet_pydicom
from aida_pipelines.errors import Quarantine
from aida_pipelines_tests.deid.sowing import SPELLINGS, el, file, header, icc

RAMPS = {
    "8 bits": bytes(range(256)),
    "8 bits twice": b"".join(bytes([value, value]) for value in range(256)),
    "16 bits": b"".join(pack("<H", value) for value in range(65536)),
    "16 bits, big endian": b"".join(pack(">H", 16 * value) for value in range(4096)),
    "gamma": b"".join(pack("<H", int(65535 * (value / 4095) ** 0.45)) for value in range(4096)),
    "sigmoid": b"".join(
        pack("<H", int(4095 / (1 + math.exp((2048 - value) / 300)))) for value in range(4096)
    ),
    "sine": bytes(int(127 + 127 * math.sin(value / 10)) for value in range(256)),
    "inverse": bytes(255 - value for value in range(256)),
}


@pytest.mark.parametrize("name", RAMPS)
def test_smooth_tables_hold_no_text(name):
    assert not table_hides_text(RAMPS[name])


def test_the_standards_palettes_hold_no_text():
    for path in get_palette_files("*.dcm"):
        palette = dcmread(path)
        tables = [palette[tag].value for tag in range(0x00281201, 0x00281224) if tag in palette]
        assert len(tables) == 3
        assert not any(map(table_hides_text, tables))


@pytest.mark.shared
def test_palettes_of_real_images_hold_no_text(dev_data):
    """Among them an ultrasound scanner's with four colours in turn, whose shades read like "speRfcZJYWOA"."""
    seen = 0
    for path in sorted({*dev_data.rglob("*PAL*"), *dev_data.rglob("*alette*"), *dev_data.rglob("OBXX*")}):
        with quiet_pydicom():
            image = dcmread(path, stop_before_pixels=True, force=True)
        tables = [image[tag].value for tag in range(0x00281201, 0x00281224) if tag in image]
        assert not any(map(table_hides_text, tables)), path.name
        seen += bool(tables)
    assert seen >= 6


@pytest.mark.parametrize(
    "around", [b"\0", bytes(range(60, 110)), bytes(range(110, 60, -1)), b"0", b"aXbYcZ" * 9]
)
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_seed_among_numbers_like_its_own_is_seen(spelling, around):
    seed = SPELLINGS[spelling][0].encode("latin-1")
    assert table_hides_text(around + seed + around)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_seed_in_a_table_is_seen(spelling):
    seed = SPELLINGS[spelling][0]
    for text in (seed.encode("latin-1"), seed.encode("utf-16-le"), seed.encode("utf-16-be")):
        assert table_hides_text(text.ljust(512, b"\0"))
        assert table_hides_text(RAMPS["8 bits"] + text)


@pytest.mark.parametrize(("vr", "kind"), [("FL", "f"), ("FD", "d"), ("OF", "f"), ("OD", "d")])
@pytest.mark.parametrize("count", [1, 3, 9, 1000])
def test_measured_numbers_hide_no_text(vr, kind, count):
    numbers = random.Random(4711)
    for scale in (1, 500, 3000):
        value = pack(f"<{count}{kind}", *(numbers.uniform(-scale, scale) for _ in range(count)))
        assert not hides_text(value, vr)


@pytest.mark.parametrize("vr", ["US", "UL", "FL", "FD", "OW", "OF", "OL"])
@pytest.mark.parametrize("text", [b"19121212", b"191212121212", b"Bj\xf6rklundh Annbritt", b"ACC4711007   "])
def test_text_in_a_list_of_numbers_is_seen(vr, text):
    assert hides_text(text.ljust(24, b"\0"), vr)


@pytest.mark.shared
def test_a_profile_of_tables_is_rebuilt_with_the_same_colours(dev_data):
    """Version 4, lutAToB and lutBToA: what highdicom gives palettes."""
    file = dev_data / "highdicom" / "seg_image_sm_control_labelmap_palette_color.dcm"
    source = dcmread(file, stop_before_pixels=True).ICCProfile
    made = rebuilt(source)
    picture = Image.effect_noise((32, 32), 80).convert("RGB")

    def colours(profile):
        one = ImageCms.ImageCmsProfile(BytesIO(profile))
        return ImageCms.profileToProfile(
            picture, one, ImageCms.createProfile("LAB"), outputMode="LAB"
        ).tobytes()

    assert rebuilt(made) == made
    assert colours(made) == colours(source)
    for place in range(400, len(source) - 20, 997):
        spoilt = source[:place] + "Björklundh Annbritt".encode("latin-1") + source[place + 19 :]
        assert b"Annbritt" not in (rebuilt(spoilt) or b"")


def test_a_rebuilt_profile_has_the_same_colours_and_nothing_else():
    source = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    made = rebuilt(source)
    assert rebuilt(made) == made
    assert b"sRGB built-in".decode().encode("utf-16-be") not in made
    noise = Image.effect_noise((32, 32), 80).convert("RGB")
    lab = ImageCms.createProfile("LAB")
    pictures = [
        ImageCms.applyTransform(
            noise, ImageCms.buildTransform(ImageCms.ImageCmsProfile(BytesIO(profile)), lab, "RGB", "LAB")
        ).tobytes()
        for profile in (source, made)
    ]
    assert pictures[0] == pictures[1]


@pytest.mark.parametrize(
    "bytes_", [b"", bytes(128), b"Annbritt" * 30, icc()[:150], icc()[:36] + b"none" + icc()[40:]]
)
def test_what_is_no_profile_is_none(bytes_):
    assert rebuilt(bytes_) is None


@pytest.mark.parametrize(
    ("table", "held"), [(RAMPS["8 bits twice"], False), (RAMPS["8 bits twice"][:300], True), (b"", True)]
)
def test_an_image_whose_colours_are_in_doubt_is_held(deidentifier, research, table, held):
    palette = {tag: el(tag, "US", pack("<3H", 256, 0, 16)) for tag in (0x00281101, 0x00281102, 0x00281103)}
    palette |= {tag: el(tag, "OW", table) for tag in (0x00281201, 0x00281202, 0x00281203)}
    source = file(header({0x00280004: el(0x00280004, "CS", b"PALETTE COLOR"), **palette}))
    if not held:
        assert table in deidentifier(research).deidentify(source).header
        return
    with pytest.raises(Quarantine) as outcome:
        deidentifier(research).deidentify(source)
    assert outcome.value.reason == "palette-doubtful"
