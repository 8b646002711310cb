"""The profile and the allow-list that benchmarks de-identify with."""

from __future__ import annotations

from pathlib import Path

from aida_pipelines.contracts.documents import Problems, parse, read_document
from aida_pipelines.contracts.profile import DeidProfile
from aida_pipelines.contracts.vocabulary import load_vocabulary

CONTRACTS = Path(__file__).parents[1] / "data_contracts"


def profile_and_tokens(name: str) -> tuple[DeidProfile, frozenset[str]]:
    """A shipped profile, and the words that descriptions may keep."""
    problems = Problems()
    profile = parse(DeidProfile, read_document(CONTRACTS / "deid" / f"{name}.yaml", name, problems), problems)
    problems.raise_any()
    assert profile is not None
    return profile, frozenset(load_vocabulary(CONTRACTS / "vocabularies" / "descriptor_tokens.csv").terms)


def device_tokens() -> frozenset[str]:
    """The words that texts of devices may keep beside them."""
    return frozenset(load_vocabulary(CONTRACTS / "vocabularies" / "device_tokens.csv").terms)
