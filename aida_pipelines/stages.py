"""The five stages, in order. These names are what `aida status`, `aida run --until` and receipts say."""

from __future__ import annotations

from enum import StrEnum


class Stage(StrEnum):
    """A refinement stage; ``position`` follows the order of the pipeline."""

    RAW_INGEST = "raw_ingest"
    DEIDENTIFICATION = "deidentification"
    HARMONISATION = "harmonisation"
    QUALITY_CHECKS = "quality_checks"
    CURATED_DATASETS = "curated_datasets"

    @property
    def position(self) -> int:
        """Position in the pipeline, from 0."""
        return list(Stage).index(self)
