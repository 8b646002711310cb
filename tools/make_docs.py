"""Make the pages of docs/ that are generated: reason codes from the code, tables and conformance from contracts.

Run by ``make docs``; a test fails when a page is not what this would write.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from aida_pipelines.contracts.load import load_contracts
from aida_pipelines.deid.conformance import statement
from aida_pipelines.deid.conformance_text import statement_document
from aida_pipelines.deid.document import as_markdown
from aida_pipelines.deid.stage import VERSION
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


def pages() -> Iterator[tuple[Path, str]]:
    """Path and text of every generated page."""
    yield CHECKOUT / "docs" / "reasons.md", reasons_page()
    yield CHECKOUT / "docs" / "tables.md", tables_page()
    for name, page in conformance_pages():
        yield CHECKOUT / "docs" / "conformance" / f"{name}.md", page


if __name__ == "__main__":
    for path, text in pages():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
