"""Sites, collections and profiles: what they must say, and what can't be said."""

import pytest

from aida_pipelines.contracts.profile import Action, Option

CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"


def test_a_site_may_have_no_archive(folder):
    path = folder.root / "sites" / "norr.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text[: text.index("pacs:")], encoding="utf-8")
    assert folder.load().site("norr").pacs is None


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("max_compression_ratio: 500", "max_compression_ratio: 0.5", "limits.max_compression_ratio"),
        ("max_file_bytes: 60000000000", "max_file_bytes: 0", "limits.max_file_bytes"),
        ("ae_title: NORR_VNA", "ae_title: A_TITLE_OF_MORE_THAN_16", "pacs.ae_title"),
        ("host: vna.norr.example", "host: ''", "pacs.host"),
        ("issuer_of_patient_id: NORR", "issuer_of_patient_id:", "issuer_of_patient_id"),
    ],
)
def test_a_site_keeps_to_its_limits(folder, old, new, field):
    line = folder.change("sites/norr.yaml", old, new)
    assert folder.problem().startswith(f"data_contracts/sites/norr.yaml:{line}: {field}: ")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("- check: geometry", "- check: modality", "gates names modality more than once; keep one"),
        ("- name: extent", "- name: volume", "criteria names volume more than once; keep one"),
        ("sites: [norr, syd]", "sites: [norr, norr]", "sites names norr more than once; keep one"),
        ("sites: [norr, syd]", "sites: []", "sites"),
        ("modalities: [CT]", "modalities: []", "modalities"),
        ("recipes: [dicom, nifti, previews]", "recipes: [dicom, tiff]", "recipes[1]"),
        (
            "tier: registered",
            "tier: secret",
            "release.tier: must be 'open', 'registered' or 'controlled', not 'secret'",
        ),
        ("threshold: 1\n", "threshold: .nan\n", "gates[0].threshold"),
        ("  - kind: ethics", "  - kind: none", "approvals[0].kind"),
    ],
)
def test_a_collection_cannot_contradict_itself(folder, old, new, said):
    folder.change("collections/ct-bulk.yaml", old, new)
    assert said in folder.problem()


def test_a_collection_may_not_be_without_approval(folder):
    path = folder.root / "collections" / "ct-bulk.yaml"
    text = path.read_text(encoding="utf-8")
    start, end = text.index("  - kind: ethics"), text.index("sites:")
    path.write_text(text[:start].rstrip("\n") + " []\n" + text[end:], encoding="utf-8")
    assert "approvals" in folder.problem()


PROFILE = """\
name: own
version: 1.0.0
title: Own
description: For tests.
base: basic
options: [clean-descriptors]
sop_classes: [CTImageStorage, 1.2.840.10008.5.1.4.1.1.2]
pixel_text:
  trust_declared_no: true
rules:
  - attributes: [PatientName, "(0010,0020)"]
    action: dummy
    reason: To be tested.
layers:
  - name: ct
    modalities: [CT]
    rules:
      - {attributes: [KVP], action: keep, reason: To be tested.}
"""


def test_a_profile_names_attributes_and_sop_classes_as_people_do(folder):
    folder.write("deid/own.yaml", PROFILE)
    profile = folder.load().profile("own")
    assert profile.sop_classes == {CT_IMAGE}
    assert profile.options == {Option.CLEAN_DESCRIPTORS}
    assert profile.rules[0].action is Action.DUMMY


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "PatientName",
            "PatientNam",
            ":11: rules[0].attributes[0]: 'PatientNam' is no attribute of the DICOM dictionary",
        ),
        ("(0010,0020)", "(0011,0020)", ":11: rules[0].attributes[1]: '(0011,0020)' is no attribute"),
        ("CTImageStorage", "CTImage", ":7: sop_classes[0]: 'CTImage' is no SOP class of the standard"),
        ("action: dummy", "action: forget", ":12: rules[0].action: "),
        ("    reason: To be tested.\nlayers", "layers", ": rules[0].reason: is missing"),
        ("    modalities: [CT]\n", "", "a layer needs modalities or manufacturers"),
        (
            "[clean-descriptors]",
            "[retain-longitudinal-full-dates, retain-longitudinal-modified-dates]",
            "dates are either kept in full or modified",
        ),
    ],
)
def test_a_profile_cannot_name_what_dicom_does_not_have(folder, old, new, said):
    assert old in PROFILE
    folder.write("deid/own.yaml", PROFILE.replace(old, new, 1))
    assert said in folder.problem()
