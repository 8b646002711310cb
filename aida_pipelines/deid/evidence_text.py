"""Evidence in words: the report on a delivery, and the one on a folder, that a data protection officer files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from pydicom.datadict import dictionary_description, dictionary_has_tag

from aida_pipelines.deid.conformance import Statement
from aida_pipelines.deid.conformance_text import LIMITS, looked_for, statement_document, word
from aida_pipelines.deid.document import Block, Bullets, Document, Grid, Section
from aida_pipelines.reasons import REASONS

if TYPE_CHECKING:
    from aida_pipelines.deid.evidence import Evidence
    from aida_pipelines.deid.folder import FolderSummary

OUTCOMES = {
    "received": "received",
    "duplicate": "came before, byte for byte",
    "quarantined": "held until a steward decides",
    "rejected": "refused for good",
    "refined": "passed on, de-identified and verified",
}
"""What becomes of files, in words."""

_GROUPS = {
    "PRIVATE": "private attributes, all together",
    "UNKNOWN": "attributes unknown to the DICOM dictionary, all together",
}


def evidence_document(made: Evidence) -> Document:
    """The report on a delivery."""
    profile = made.statement.profile
    facts = [
        ("Delivery", made.delivery),
        ("Received on", made.received_on.isoformat()),
        ("From", f"{made.site_title} ({made.site}), {made.region}"),
        ("For", f"{made.collection_title} ({made.collection})"),
        ("Profile", f"{profile.name} {profile.version}: {profile.title}"),
        ("Code", f"{made.statement.product}, {made.statement.code_version}"),
        ("Pseudonym key", f"id {made.key_id}"),
    ]
    if made.pseudonym_domain:
        facts.append(("Pseudonym domain", made.pseudonym_domain))
    return Document(
        title=f"De-identification of delivery {made.delivery}",
        facts=tuple(facts),
        sections=(
            Section("What became of the files", _figures(made)),
            Section("What was not passed on, and why", _not_passed_on(made)),
            Section("What was done to attributes", _actions(made)),
            Section("Verification", _verification(made)),
            Section("On what ground", _approvals(made)),
            Section("What it was made with", _inputs(made)),
            Section("What is not promised", (Bullets(LIMITS),)),
        ),
        appendix=statement_document(made.statement),
    )


def folder_document(summary: FolderSummary, statement: Statement) -> Document:
    """The report on a folder."""
    reasons = tuple(
        (items, str(REASONS[code].outcome), REASONS[code].says, code)
        for code, items in sorted(summary.reasons.items(), key=lambda entry: (-entry[1], entry[0]))
    )
    return Document(
        title="De-identification of a folder",
        facts=(
            ("Profile", f"{summary.profile}: {statement.profile.title}"),
            ("Code", f"{statement.product}, {statement.code_version}"),
            ("Pseudonym key", f"id {summary.key_id}"),
        ),
        sections=(
            Section("What became of the files", (_outcomes(summary.counts),)),
            Section(
                "What was not passed on, and why",
                (
                    Grid(("files", "outcome", "why", "code"), reasons)
                    if reasons
                    else "Everything was passed on.",
                ),
            ),
            Section(
                "What was done to attributes",
                (
                    "Counted once for each attribute and instance; actions.parquet says it one by one.",
                    _done(summary.actions),
                ),
            ),
            Section(
                "Verification",
                (
                    "Looked for in every instance before it was passed on:",
                    _bullets(looked_for(statement.profile)),
                ),
            ),
            Section("What is not promised", (Bullets(LIMITS),)),
        ),
        appendix=statement_document(statement),
    )


# --- sections ---------------------------------------------------------------------------------------------------


def _figures(made: Evidence) -> tuple[Block, ...]:
    tables = made.counts.get("refined", 0) - made.instances
    return (
        _outcomes(made.counts),
        f"Received is the sum of the others. Passed on were {made.instances:,} DICOM instances ({made.bytes:,} bytes) "
        f"and {tables:,} clinical tables.",
    )


def _outcomes(counts: Mapping[str, int]) -> Grid:
    return Grid(
        ("files", "what became of them"),
        tuple((number, OUTCOMES.get(name, name)) for name, number in counts.items()),
    )


def _not_passed_on(made: Evidence) -> tuple[Block, ...]:
    if not made.not_passed_on:
        return ("Everything was passed on.",)
    rows = tuple(
        (
            one.items,
            one.outcome,
            f"{one.says} ({one.reason})",
            one.advice,
            "yes" if one.releasable else "no",
            one.decided,
        )
        for one in made.not_passed_on
    )
    return (
        "Nothing of these is in the refined zone. Each file has a row in the table rejections.",
        Grid(("files", "outcome", "why", "what a steward may do", "may be released", "decided"), rows),
    )


def _actions(made: Evidence) -> tuple[Block, ...]:
    attributes = Counter(one.action for one in made.actions)
    totals = tuple(
        (word(action), attributes[action], number) for action, number in made.actions_done().items()
    )
    rows = tuple(
        (one.tag, _name(one.tag, one.keyword), one.vr, word(one.action), one.instances)
        for one in made.actions
    )
    return (
        "At the top level and at any depth. What stayed as it was is not listed, and no value is. After this the "
        "attributes were written that the conformance statement lists as inserted: Patient's Name and Patient ID, "
        "whatever was done to them, are the subject's pseudonym.",
        Grid(("what was done", "attributes", "attributes × instances"), totals),
        "What was done to one instance: its row in the table instances names an action set; the table deid_actions "
        f"lists the set. This delivery has {made.action_sets:,} sets.",
        Grid(("tag", "attribute", "VR", "what was done", "instances"), rows),
    )


def _name(tag: str, keyword: str) -> str:
    if tag in _GROUPS:
        return _GROUPS[tag]
    number = int(tag[1:5] + tag[6:10], 16)
    if dictionary_has_tag(number):
        return dictionary_description(number)
    return keyword or ("group length" if not number & 0xFFFF else "")


def _done(actions: Mapping[str, int]) -> Grid:
    return Grid(
        ("what was done", "attributes × instances"),
        tuple((word(action), number) for action, number in actions.items()),
    )


def _verification(made: Evidence) -> tuple[Block, ...]:
    figures = made.verification
    return (
        "Every instance was searched by code that shares neither rules nor parser with what made it, before it was "
        "put where others can read it.",
        Grid(
            ("instances", "result"),
            (
                (figures.passed, "nothing was found; passed on"),
                (figures.findings, "something was found, or they can't be read; not passed on"),
                (figures.held_with_study, "nothing was found, but in another of their study; not passed on"),
            ),
        ),
        "Looked for in each, as its own original says it:",
        _bullets(figures.looked_for),
    )


def _bullets(sentences: Iterator[str] | tuple[str, ...]) -> Bullets:
    return Bullets(tuple(sentences))


def _approvals(made: Evidence) -> tuple[Block, ...]:
    rows = tuple((one.kind, one.id, one.valid_until.isoformat()) for one in made.approvals)
    return (
        "As the collection's contract said when this was run.",
        Grid(("kind", "decision", "valid until"), rows),
    )


def _inputs(made: Evidence) -> tuple[Block, ...]:
    return (
        "Everything that decided the result. The same inputs, code and key give the same bytes.",
        Grid(("input", "fingerprint"), tuple(sorted(made.inputs.items()))),
        "Tables in the refined zone:",
        Grid(("table", "rows", "SHA-256"), tuple((one.table, one.rows, one.sha256) for one in made.tables)),
    )
