"""What reaches or places somebody is found in text; what describes an image is not taken for it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aida_pipelines.deid.text.contacts import contacts
from aida_pipelines.deid.text.found import without

WRITTEN = {
    "mail": [
        "annbritt.bjorklundh@exempel.invalid",
        "Anna_B+ct@mail.exempel.se",
        "anna (at) exempel.invalid",
        "anna[at]exempel[dot]se",
    ],
    "web": ["https://exempel.invalid/p?id=4711", "www.exempel.invalid", "ris.exempel.se", "ftp://10.0.0.1/x"],
    "computer": ["10.47.11.7", "00:1B:44:11:3A:B7", "2001:db8:0:1:1:1:1:1"],
    "hsa-id": ["SE2321000016-4X7Z", "se2321000016-A1B2", "SE 232100 0016-4X7Z", "SE2321000016–4X7Z"],
    "telephone": [
        "070-174 06 11",
        "070 1740611",
        "08-123 456 78",
        "0701740611",
        "+46 70 174 06 11",
        "+46(0)70-1740611",
        "0046701740611",
        "tel 174 06",
        "Tel: 4711",
        "sökare 1234",
        "ankn. 47 11",
        "031‑47 11 00",
    ],
    "street": ["Tallbacksvägen 11", "Ekstigen 47", "Sankt Eriks gata 12 B", "tallbacksvägen 11", "Box 4711"],
    "postcode": ["123 45 Ekberga", "SE-123 45 EKBERGA", "S-123 45 Ekberga"],
    "position": ["59.3293, 18.0686", "59.3293N 18.0686E"],
}


@pytest.mark.parametrize(
    ("kind", "text"), [(kind, text) for kind, texts in WRITTEN.items() for text in texts]
)
@pytest.mark.parametrize("around", ["{}", "ring {} efter", "({})", "T1 ax; {}."])
def test_found_wherever_it_stands(kind, text, around):
    whole = around.format(text)
    assert kind in {found.kind for found in contacts(whole)}
    left = without(whole, contacts(whole))
    assert not set("0123456789").intersection(left.replace("T1", ""))


@pytest.mark.parametrize(
    "text",
    [
        "T1 ax +Gd",
        "CT thorax 1.25 mm 120 kV 250 mAs",
        "AP 0.5 mm 0.75 mm",
        "TE 90 TR 4500 b 0 1000",
        "3.0 T 512 x 512",
        "1.2.840.10008.5.1.4.1.1.2",
        "HU -1000 till 3000",
        "0.123 0.456 0.789",
        "se bild 12",
        "Buk v.1.2 (arteriell fas 35 s)",
        "2019:3 rev 1",
    ],
)
def test_what_describes_an_image_is_left_alone(text):
    assert not list(contacts(text))


@given(st.text(max_size=200))
def test_places_are_inside_the_text(text):
    for found in contacts(text):
        assert 0 <= found.start < found.stop <= len(text)
