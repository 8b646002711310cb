"""A steward's decision: who, on what ground, on an item that is held; never a release where none is
allowed."""

from datetime import timedelta

import pytest

from aida_pipelines.deid.decisions import Decision, decisions_of, quarantine_id
from aida_pipelines.errors import NotFoundError, UsageError
from aida_pipelines.ingest.decisions import decide, read_decision
from aida_pipelines.reasons import REASONS
from aida_pipelines.stages import Stage
from aida_pipelines.storage.local import LocalStore
from aida_pipelines.storage.receipts import Receipt, write_receipt
from aida_pipelines.storage.tables import table_key, write_table
from aida_pipelines_tests.ingest.conftest import NOW

HELD = ("burned-in-text", "not-dicom", "media-directory", "duplicate")
ITEM = {reason: quarantine_id("norr_1", "ab" * 32, n) for n, reason in enumerate(HELD, 1)}
WORDS = {"by": "Sara Stewardsson", "why": "Looked at it with the site, case 12", "now": NOW}


@pytest.fixture
def zones(tmp_path, contracts):
    """A raw and a refined zone; in the refined one a delivery with one item for each reason."""
    raw, refined = LocalStore(tmp_path / "raw"), LocalStore(tmp_path / "refined")
    contract = contracts.table("rejections")
    rows = (
        {
            "id": ITEM[reason],
            "delivery": "norr_1",
            "ordinal": ordinal,
            "source_sha256": "ab" * 32,
            "stage": REASONS[reason].stage,
            "outcome": REASONS[reason].outcome,
            "reason": reason,
            "advice": REASONS[reason].advice,
            "code_version": "deid/1",
            "contract_version": contract.version,
        }
        for ordinal, reason in enumerate(HELD, 1)
    )
    key = table_key("rejections", "norr_1")
    table = write_table(refined, "rejections", key, contract.arrow_schema, rows)
    receipt = Receipt(
        stage=Stage.DEIDENTIFICATION,
        delivery="norr_1",
        site="norr",
        collection="reference-images",
        received_on=NOW.date(),
        code_version="deid/1",
        tables=(table,),
    )
    write_receipt(refined, receipt)
    return {"raw": raw, "refined": refined}


def test_a_release_is_recorded_and_reaches_de_identification(zones):
    made = decide(ITEM["burned-in-text"], "release", **WORDS, **zones)
    assert (made.delivery, made.reason, made.by) == ("norr_1", "burned-in-text", WORDS["by"])
    assert read_decision(zones["raw"], made.id) == made
    assert decisions_of(zones["raw"], "norr_1") == {made.id: Decision.RELEASE}
    assert decisions_of(zones["raw"], "another") == {}


def test_a_release_where_none_is_allowed_is_refused_with_advice(zones):
    with pytest.raises(UsageError, match="nobody can release") as refused:
        decide(ITEM["not-dicom"], "release", **WORDS, **zones)
    assert refused.value.way_out == REASONS["not-dicom"].advice
    assert list(zones["raw"].list()) == []


def test_anything_held_can_be_rejected(zones):
    assert decide(ITEM["not-dicom"], "reject", **WORDS, **zones).decision is Decision.REJECT


@pytest.mark.parametrize("reason", ["media-directory", "duplicate"])
def test_what_is_not_held_is_not_decided(zones, reason):
    with pytest.raises(NotFoundError):
        decide(ITEM[reason], "reject", **WORDS, **zones)


@pytest.mark.parametrize("item", ["0" * 16, "", "../x"])
def test_an_id_of_nothing(zones, item):
    with pytest.raises(NotFoundError, match="aida quarantine list"):
        decide(item, "reject", **WORDS, **zones)


@pytest.mark.parametrize("words", [{"by": " "}, {"why": ""}])
def test_a_decision_needs_a_person_and_a_ground(zones, words):
    with pytest.raises(UsageError, match="person and a ground"):
        decide(ITEM["burned-in-text"], "release", **(WORDS | words), **zones)


def test_another_word_is_no_decision(zones):
    with pytest.raises(UsageError, match="release or reject"):
        decide(ITEM["burned-in-text"], "keep", **WORDS, **zones)


def test_the_same_decision_again_changes_nothing(zones):
    first = decide(ITEM["burned-in-text"], "release", **WORDS, **zones)
    later = WORDS | {"now": NOW + timedelta(days=1), "why": "Again"}
    assert decide(ITEM["burned-in-text"], "release", **later, **zones) == first


def test_a_changed_mind_keeps_what_was_thought_before(zones):
    first = decide(ITEM["burned-in-text"], "release", **WORDS, **zones)
    second = decide(ITEM["burned-in-text"], "reject", **WORDS, **zones)
    assert second.replaces == first
    assert decisions_of(zones["raw"], "norr_1") == {second.id: Decision.REJECT}
