"""Make the pages of docs/ that are generated: reason codes from the code, tables, profiles, conformance from contracts.

Run by ``make docs``; a test fails when a page is not what this would write.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from aida_pipelines.contracts.load import load_contracts
from aida_pipelines.contracts.profile import DeidProfile, Option
from aida_pipelines.deid.conformance import statement
from aida_pipelines.deid.conformance_text import statement_document
from aida_pipelines.deid.document import as_markdown
from aida_pipelines.deid.stage import VERSION
from aida_pipelines.dicom.dictionary import UID_dictionary
from aida_pipelines.reasons import REASONS
from aida_pipelines.settings import CHECKOUT

NOTE = "<!-- Made by `make docs`; edit the source, not this page. -->\n"


def reasons_page() -> str:
    """Every reason code, with what it means and what a steward can do."""
    lines = [
        NOTE,
        "# Reasons",
        "",
        "Why an item is not passed on. Codes are public: `aida quarantine list`, the `rejections` table.",
        "",
        "| code | stage | outcome | meaning | what to do | may be released |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| `{r.code}` | {r.stage} | {r.outcome} | {r.says} | {r.advice} | {'yes' if r.releasable else 'no'} |"
        for r in REASONS.values()
    ]
    return "\n".join(lines) + "\n"


def tables_page() -> str:
    """Every table with its columns, from the contracts."""
    contracts = load_contracts(CHECKOUT / "data_contracts")
    lines = [NOTE, "# Tables", ""]
    for zone in ("raw", "refined", "curated"):
        for name, contract in sorted(contracts.tables.items()):
            if contract.zone != zone:
                continue
            lines += [
                f"## {name}",
                "",
                f"Zone `{zone}`, contract {contract.version}. {contract.description}",
                "",
            ]
            lines += ["| column | type | unit | required | meaning |", "|---|---|---|---|---|"]
            lines += [
                f"| `{c.name}` | {c.logical_type} | {c.unit or ''} | {'yes' if c.required else ''} | {c.description} |"
                for c in contract.columns
            ]
            lines.append("")
    return "\n".join(lines)


def conformance_pages() -> Iterator[tuple[str, str]]:
    """Name of each de-identification profile, and its DICOM conformance statement."""
    for name, profile in sorted(load_contracts(CHECKOUT / "data_contracts").profiles.items()):
        made = statement(profile, code_version=VERSION)
        yield name, f"{NOTE}\n{as_markdown(statement_document(made))}"


CHOOSE = {
    "basic": "the data leave for people of whom nothing is known but that they want images",
    "research-longitudinal": "patients are followed over time; the collections' default",
    "pathology": "there are slides, and nothing but slides and what is drawn or measured on them",
    "ultrasound": "there is ultrasound, and a person looks at every image before it passes",
}
"""When to choose which profile; a profile that isn't here has no sentence on the page."""

HELD = {
    "Encapsulated PDF, CDA, STL, OBJ, MTL": "a document inside the object, which nothing here can read and clean",
    "Procedure logs, implantation plans, other reports than those above": "free text and staff by their nature",
    "Photographs and video (endoscopy, microscope cameras, gross pathology, ophthalmology)": (
        "labels, faces and speech are in the picture, and nothing says so"
    ),
    "Waveforms (ECG, EEG, audio)": "annotations and montages are text; voices are voices",
    "Raw data, private SOP classes": "what is inside is known to the manufacturer alone",
    "Slides' label, overview and macro images": "the label is in the picture",
    "Hanging protocols, colour palettes, implant templates, DICOMDIR": "no data of a patient, or an index of such",
}
"""Kinds of objects that no profile lets through, and why."""

YOUNGER = {"1.2.840.10008.5.1.4.1.1.66.7": "Label Map Segmentation Storage"}
"""SOP classes that the dictionary doesn't have yet."""

OPTION_COLUMNS = {
    "dates move": Option.RETAIN_LONGITUDINAL_MODIFIED_DATES,
    "sex, age, weight": Option.RETAIN_PATIENT_CHARACTERISTICS,
    "device": Option.RETAIN_DEVICE_IDENTITY,
    "words of descriptions": Option.CLEAN_DESCRIPTORS,
    "content of reports": Option.CLEAN_STRUCTURED_CONTENT,
    "drawings": Option.CLEAN_GRAPHICS,
    "safe private attributes": Option.RETAIN_SAFE_PRIVATE,
}


def passage(profile: DeidProfile, sop_class: str) -> str:
    """Whether a kind of object passes a profile."""
    policy = profile.pixel_text
    if sop_class not in profile.sop_classes:
        return "held"
    if sop_class not in policy.risk_sop_classes:
        return "passes"
    return (
        "passes if declared free of text, else after review" if policy.trust_declared_no else "after review"
    )


def kind_of_object(sop_class: str) -> str:
    """A SOP class in words."""
    title, _, _, retired, _ = UID_dictionary.get(
        sop_class, (YOUNGER.get(sop_class, sop_class), "", "", "", "")
    )
    return title.replace(" Storage", "") + (" (retired)" if retired else "")


def profiles_page() -> str:
    """Which profile for whom, what each keeps, and which kinds of objects pass it."""
    profiles = dict(sorted(load_contracts(CHECKOUT / "data_contracts").profiles.items()))
    names = " | ".join(f"`{name}`" for name in profiles)
    rule = "|---" * (len(profiles) + 1) + "|"
    lines = [NOTE, "# De-identification profiles", ""]
    lines += [
        "A collection names its profile (`deid_profile`); `aida deidentify --profile` takes it for a folder.",
        "",
    ]
    for name, profile in profiles.items():
        lines += [f"## {name}", "", f"{profile.title}, version {profile.version}. {profile.description}", ""]
        if name in CHOOSE:
            lines += [f"Choose it where {CHOOSE[name]}.", ""]
    lines += ["## What stays", "", f"| | {names} |", rule]
    for title, option in OPTION_COLUMNS.items():
        cells = " | ".join("yes" if option in profile.options else "" for profile in profiles.values())
        lines.append(f"| {title} | {cells} |")
    lines += ["", "## Which objects pass", ""]
    lines += [
        "Any object that says that it has text burned in is held, and so is one whose modality or Image Type is on the",
        "profile's list of risks. *After review*: a steward has looked at it and released it. What is not here is held",
        "(`sop-class-not-allowed`).",
        "",
    ]
    lines += [f"| kind of object | {names} |", rule]
    kinds = {uid: kind_of_object(uid) for profile in profiles.values() for uid in profile.sop_classes}
    for uid, kind in sorted(kinds.items(), key=lambda entry: entry[1]):
        cells = " | ".join(passage(profile, uid) for profile in profiles.values())
        lines.append(f"| {kind} | {cells} |")
    lines += ["", "Held by all of them, and why:", "", "| kind of object | why |", "|---|---|"]
    lines += [f"| {kind} | {why} |" for kind, why in HELD.items()]
    return "\n".join(lines) + "\n"


def pages() -> Iterator[tuple[Path, str]]:
    """Path and text of every generated page."""
    yield CHECKOUT / "docs" / "reasons.md", reasons_page()
    yield CHECKOUT / "docs" / "tables.md", tables_page()
    for name, page in conformance_pages():
        yield CHECKOUT / "docs" / "conformance" / f"{name}.md", page

    yield CHECKOUT / "docs" / "profiles.md", profiles_page()


if __name__ == "__main__":
    for path, text in pages():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
