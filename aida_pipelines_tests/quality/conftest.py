"""Real tables: a delivery as harmonisation and its gates leave it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from pydicom.data import get_testdata_file

from aida_pipelines.contracts.models import Contracts
from aida_pipelines.demo.phantom import ct_phantom, ct_slices
from aida_pipelines.harmonise import stage as harmonise
from aida_pipelines.quality import stage as quality
from aida_pipelines.storage.tables import scan, table_key
from aida_pipelines_tests.harmonise.conftest import (
    DELIVERY,
    Row,
    Zone,
    contracts,
    instance_row,
    make_zone,
    zone,
)
from aida_pipelines_tests.harmonise.stacks import save

__all__ = ["contracts", "instance_row", "zone"]


def delivery_files(folder: Path) -> list[Path]:
    """Two volumes, one of them without a slice, an MR image and a report."""
    phantom = ct_phantom(3, slices=6, size=20)
    gap = list(ct_slices(replace(phantom, seed=4)))
    del gap[2]
    others = [Path(get_testdata_file(name, download=False)) for name in ("MR_small.dcm", "reportsi.dcm")]
    return [*save(list(ct_slices(phantom)), folder / "whole"), *save(gap, folder / "gap"), *others]


@pytest.fixture(scope="session")
def checked(
    tmp_path_factory: pytest.TempPathFactory, contracts: Contracts, instance_row: Callable[[bytes], Row]
) -> Zone:
    """A delivery through harmonisation and quality checks."""
    root = tmp_path_factory.mktemp("checked")
    made = make_zone(root, contracts, instance_row)
    made.deliver(delivery_files(root / "in"))
    harmonise.run(DELIVERY, refined=made.store, contracts=contracts, work_dir=made.work, workers=1)
    quality.run(DELIVERY, refined=made.store, contracts=contracts, work_dir=made.work)
    return made


@pytest.fixture(scope="session")
def table(checked: Zone) -> Callable[[str], pl.DataFrame]:
    """``table(name)``: one of its tables."""
    return lambda name: scan(checked.store, table_key(name, DELIVERY)).collect()
