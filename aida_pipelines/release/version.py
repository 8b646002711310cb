"""The version that follows from what changed.

A major version tells a user that what they had is not all there any more or has another shape; a minor one that
there is more of it; a patch that some of it is now right. Nothing that a user would get has changed: no new version.
"""

from __future__ import annotations

from enum import StrEnum

from aida_pipelines.client.difference import CASES, Difference
from aida_pipelines.client.release import version_order

FIRST = "1.0.0"


class Level(StrEnum):
    """How much has changed."""

    FIRST = "first"
    NONE = "none"
    PATCH = "patch"
    MINOR = "minor"
    MAJOR = "major"


def level_of(difference: Difference, *, described_anew: bool = False) -> Level:
    """How much a difference means to a user.

    Args:
        difference: From the parent to what would be released.
        described_anew: The collection's contract has another version (its description, licence or authors).
    """
    cases = [found for table, found in difference.tables.items() if table in CASES]
    others = [found for table, found in difference.tables.items() if table not in CASES]
    every = list(difference.tables.values())
    if (
        difference.tables_removed
        or any(found.columns_removed or found.columns_changed for found in every)
        or any(found.rows_removed for found in cases)
    ):
        return Level.MAJOR
    if (
        difference.tables_added
        or any(found.columns_added for found in every)
        or any(found.rows_added for found in cases)
    ):
        return Level.MINOR
    if described_anew or any(found.rows_changed for found in cases) or any(others):
        return Level.PATCH
    return Level.NONE


def next_version(parent: str, level: Level) -> str:
    """The version after ``parent``; ``parent`` itself if nothing changed.

    >>> next_version("1.4.2", Level.MINOR)
    '1.5.0'
    """
    major, minor, patch = version_order(parent)
    match level:
        case Level.MAJOR:
            return f"{major + 1}.0.0"
        case Level.MINOR:
            return f"{major}.{minor + 1}.0"
        case Level.PATCH:
            return f"{major}.{minor}.{patch + 1}"
        case _:
            return parent
