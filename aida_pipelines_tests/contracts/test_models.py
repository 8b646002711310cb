"""Sites, collections and profiles: what they must say, and what can't be said."""

import pytest

from aida_pipelines.contracts.profile import Action, DateMode, Option

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


# --- whose pseudonyms a collection's are ------------------------------------------------------------------------------

SHARED = """\
shares_pseudonyms:
  domain: chest
  collections: [{other}]
  decision: EXAMPLE 2026-00000-09
  reason: Findings in one are followed up in the other.
release:
"""


def share(folder, **others):
    for name, other in others.items():
        folder.change(f"collections/{name.replace('_', '-')}.yaml", "release:\n", SHARED.format(other=other))


def test_a_collections_pseudonyms_are_its_own(folder):
    assert {c.pseudonym_domain for c in folder.load().collections.values()} == {
        f"collection:{name}" for name in folder.load().collections
    }


def test_collections_share_pseudonyms_if_each_names_the_other_and_the_decision(folder):
    share(folder, ct_bulk="nsclc-pdl1", nsclc_pdl1="ct-bulk")
    found = {name: one.pseudonym_domain for name, one in folder.load().collections.items()}
    assert found["ct-bulk"] == found["nsclc-pdl1"] == "shared:chest"
    assert found["head-ct"] == "collection:head-ct"


@pytest.mark.parametrize("field", ["decision", "reason", "domain", "collections"])
def test_pseudonyms_are_not_shared_without_a_decision(folder, field):
    share(folder, ct_bulk="nsclc-pdl1", nsclc_pdl1="ct-bulk")
    line = next(one for one in SHARED.format(other="nsclc-pdl1").splitlines() if f"  {field}:" in one)
    folder.change("collections/ct-bulk.yaml", f"{line}\n", "")
    assert f"shares_pseudonyms.{field}: is missing" in folder.problem()


@pytest.mark.parametrize(
    ("others", "said"),
    [
        ({"ct_bulk": "nsclc-pdl1"}, "nsclc-pdl1 does not share the domain 'chest'"),
        ({"ct_bulk": "nscl-pdl1"}, "no collection 'nscl-pdl1'; did you mean nsclc-pdl1?"),
        ({"ct_bulk": "ct-bulk"}, "is this collection; name the others"),
        ({"ct_bulk": "nsclc-pdl1", "nsclc_pdl1": "ct-bulk", "head_ct": "ct-bulk, nsclc-pdl1"}, "must name head-ct"),
        ({"ct_bulk": "nsclc-pdl1, nsclc-pdl1", "nsclc_pdl1": "ct-bulk"}, "names nsclc-pdl1 more than once"),
    ],
)  # fmt: skip
def test_nobody_joins_a_domain_without_all_others_saying_so(folder, others, said):
    share(folder, **others)
    problems = folder.problems()
    assert any(said in problem for problem in problems), problems
    assert all("shares_pseudonyms" in problem for problem in problems)


def test_a_profile_says_how_dates_are_modified(folder):
    folder.write("deid/own.yaml", PROFILE.replace("base: basic\n", "base: basic\ndates: order\n"))
    profiles = folder.load().profiles
    assert (profiles["own"].dates, profiles["basic"].dates) == (DateMode.ORDER, DateMode.SHIFT)
    folder.write("deid/own.yaml", PROFILE.replace("base: basic\n", "base: basic\ndates: never\n"))
    assert ":6: dates: must be 'shift', 'proportional' or 'order', not 'never'" in folder.problem()


@pytest.mark.parametrize(
    "attribute", ["PatientBirthDate", '"(0010,0030)"', "PatientBirthDateInAlternativeCalendar"]
)
@pytest.mark.parametrize("action", ["keep", "shift-date"])
def test_no_profile_lets_a_birth_date_tell_an_age_over_89(folder, attribute, action):
    rule = PROFILE.replace("KVP", attribute).replace("action: keep", f"action: {action}")
    folder.write("deid/own.yaml", rule)
    assert "a birth date is neither kept nor moved" in folder.problem()
