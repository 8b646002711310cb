"""What the UI shows of a delivery's de-identification beside its receipt. On the intake side only.

Nothing identifying may pass here: everything comes from the evidence, which holds nothing that is.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import dagster as dg

from aida_pipelines.deid.conformance_text import word
from aida_pipelines.deid.evidence import Evidence


def of_evidence(made: Evidence, *, at: str) -> dict[str, Any]:
    """A delivery's evidence in short, and where all of it is.

    Args:
        made: The evidence.
        at: Where its page is, for who can read the zone.
    """
    profile, checked = made.statement.profile, made.verification
    claimed = [f"{option.meaning} ({option.code})" for option in made.statement.options if option.claimed]
    methods = "\n".join(f"- {method}" for method in claimed)
    return {
        "profile": dg.MetadataValue.md(f"**{profile.name} {profile.version}**: {profile.title}\n\n{methods}"),
        "verification": dg.MetadataValue.md(
            _md_table(
                ("instances", "independent verification"),
                (
                    (checked.passed, "no identifier found: passed on"),
                    (checked.findings, "an identifier found, or unreadable: held or refused"),
                    (checked.held_with_study, "none found, but in another of their study: held"),
                ),
            )
        ),
        "what was done": dg.MetadataValue.md(
            _md_table(
                ("attributes × instances", "what was done"),
                [(number, word(action)) for action, number in made.actions_done().items()],
            )
        ),
        "report": dg.MetadataValue.md(
            f"The page to file, with the conformance statement:\n\n"
            f"`aida report --delivery {made.delivery} -o report.html`"
        ),
        "report's place": dg.MetadataValue.path(at),
    }


def _md_table(columns: tuple[str, str], rows: Iterable[tuple[int, str]]) -> str:
    return "\n".join(
        (f"| {' | '.join(columns)} |", "|---:|---|", *(f"| {number:,} | {text} |" for number, text in rows))
    )
